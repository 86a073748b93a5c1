// Signed statements: what members and the control plane assert to one another, each one a compact JWS (EdDSA)
// whose header `typ` is the statement's kind, so that none can pass for another. Signing and verifying are in the shells.

import Type, { type Static } from 'typebox';
import { limits } from './limits.ts';

const Name = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$', description: 'lower-case letters, digits and inner hyphens, at most 64' });
const DigestText = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** Seconds since 1970, as in JWT. */
const Instant = Type.Integer({ minimum: 0, maximum: 253402300799 });
const Labels = Type.Record(Type.String({ pattern: '^[a-z0-9./-]{1,64}$' }), Type.String({ maxLength: 64 }), { maxProperties: limits.labelsMax });
const strict = { additionalProperties: false } as const;

/** Header `typ` of each kind of statement. */
export const statementTypes = {
  certificate: 'starling-certificate+jws',
  order: 'starling-order+jws',
  grant: 'starling-grant+jws',
  roster: 'starling-roster+jws',
  request: 'starling-request+jws',
  delta: 'starling-delta+jws',
} as const;
export type StatementKind = keyof typeof statementTypes;

export const RoleSchema = Type.Union([Type.Literal('agent'), Type.Literal('seed'), Type.Literal('proxy')]);
export type Role = Static<typeof RoleSchema>;

/** "This key is a member, with these roles, in these environments." Signed by the membership key. */
export const CertificateSchema = Type.Object(
  {
    org: Type.String({ minLength: 1, maxLength: 64 }),
    /** The target's id: stable, and the same as the libp2p peer id of its Ed25519 key. */
    member: Type.String({ minLength: 1, maxLength: 128 }),
    name: Name,
    roles: Type.Array(RoleSchema, { minItems: 1, maxItems: 3 }),
    environments: Type.Array(Name, { maxItems: 64 }),
    labels: Labels,
    serial: Type.Integer({ minimum: 1 }),
    notBefore: Instant,
    notAfter: Instant,
  },
  strict,
);
export type Certificate = Static<typeof CertificateSchema>;

/** What an agent is to do with the set that its environment's role names at `roleVersion`. */
export const OrderActionSchema = Type.Union([Type.Literal('prefetch'), Type.Literal('activate'), Type.Literal('rollback'), Type.Literal('cancel')]);
export type OrderAction = Static<typeof OrderActionSchema>;

/** A health check that an order brings, beside those of the release's deploy spec. What is left out is as there. Whole numbers, as in all that is signed. */
export const OrderCheckSchema = Type.Object(
  {
    name: Name,
    path: Type.String({ pattern: '^/[^\\s]*$', maxLength: 256 }),
    /** Absent: that of the instance. */
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
    intervalMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 600_000 })),
    successes: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 3_600_000 })),
  },
  strict,
);
export type OrderCheck = Static<typeof OrderCheckSchema>;

/** An activation order (trust.md "two layers of order"): which targets may act now, and until when. Signed by the orders key. */
export const OrderSchema = Type.Object(
  {
    environment: Name,
    app: Name,
    /** Strictly increasing in an environment; an agent never runs one that is not above the highest it has seen. */
    seq: Type.Integer({ minimum: 1 }),
    deployment: Type.String({ minLength: 1, maxLength: 64 }),
    action: OrderActionSchema,
    /** The revision to run, as authorised by the environment's role. */
    revision: DigestText,
    /** For a person's eyes and the release directory. */
    revisionNumber: Type.Integer({ minimum: 1 }),
    /** Version of the environment's role that authorises `revision`. */
    roleVersion: Type.Integer({ minimum: 1 }),
    /** The members that may act on it. */
    targets: Type.Array(Type.String({ maxLength: 128 }), { minItems: 1, maxItems: 10_000 }),
    batch: Type.Integer({ minimum: 0 }),
    notBefore: Instant,
    notAfter: Instant,
    /** sha2-256 of the environment's previous order in compact form, or none for the first. */
    previous: Type.Optional(DigestText),
    /** To be passed before the release counts as up; of `activate`. */
    checks: Type.Optional(Type.Array(OrderCheckSchema, { minItems: 1, maxItems: limits.orderChecksMax })),
  },
  strict,
);
export type Order = Static<typeof OrderSchema>;

/** "The bearer may publish this application through a proxy." Signed by the orders key, for one upload. */
export const GrantSchema = Type.Object(
  {
    id: Type.String({ minLength: 8, maxLength: 64 }),
    project: Name,
    app: Name,
    user: Type.String({ minLength: 1, maxLength: 128 }),
    notBefore: Instant,
    notAfter: Instant,
  },
  strict,
);
export type Grant = Static<typeof GrantSchema>;

/** One member as its neighbours see it. */
export const RosterMemberSchema = Type.Object(
  {
    member: Type.String({ minLength: 1, maxLength: 128 }),
    /** Multiaddrs on which it accepts connections. */
    addresses: Type.Array(Type.String({ maxLength: 256 }), { maxItems: 8 }),
    roles: Type.Array(RoleSchema, { minItems: 1, maxItems: 3 }),
    environments: Type.Array(Name, { maxItems: 64 }),
    zone: Type.String({ maxLength: 64 }),
  },
  strict,
);
export type RosterMember = Static<typeof RosterMemberSchema>;

/** Everybody that a member may meet, in ascending order of member id, and who is barred. Signed by the membership key. */
export const RosterSchema = Type.Object(
  {
    epoch: Type.Integer({ minimum: 0 }),
    members: Type.Array(RosterMemberSchema, { maxItems: limits.rosterMembersMax }),
    /** Members whose certificates no longer count, as long as one may not have expired. */
    revoked: Type.Array(Type.String({ maxLength: 128 }), { maxItems: limits.rosterRevokedMax }),
  },
  strict,
);
export type Roster = Static<typeof RosterSchema>;

/** Proof that a request to the control plane comes from a member's key: made anew for each request, valid for a minute. */
export const MemberRequestSchema = Type.Object(
  {
    member: Type.String({ minLength: 1, maxLength: 128 }),
    method: Type.String({ maxLength: 8 }),
    path: Type.String({ maxLength: 2048 }),
    /** sha2-256 of the body as sent; of nothing when there is none. */
    body: DigestText,
    issuedAt: Instant,
    nonce: Type.String({ minLength: 16, maxLength: 64 }),
  },
  strict,
);
export type MemberRequest = Static<typeof MemberRequestSchema>;

/**
 * "I made this delta set." Signed by the own key of an origin, and believed of a seed or proxy of the roster only. It keeps strangers from having
 * targets fetch and decode for nothing; what a set makes is verified chunk by chunk whoever signed.
 */
export const DeltaStatementSchema = Type.Object(
  {
    member: Type.String({ minLength: 1, maxLength: 128 }),
    from: DigestText,
    to: DigestText,
    /** sha2-256 of the set's descriptor. */
    set: DigestText,
    /** Length of the set's payload. */
    bytes: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type DeltaStatement = Static<typeof DeltaStatementSchema>;
