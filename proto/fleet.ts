// What members and the control plane say to each other over /agent/v1: enrolment, sync, reports, hand-over.
// Every request but enrolment carries `Authorization: Starling <member request statement>`.

import Type, { type Static } from 'typebox';
import { limits } from './limits.ts';
import { RosterChangeSchema } from './roster-change.ts';
import { RoleSchema } from './statement.ts';

const strict = { additionalProperties: false } as const;
const Name = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$' });
const DigestText = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Compact = Type.String({ maxLength: limits.statementBytesMax });

/**
 * Enrolment, first message. The secret of the token never travels: `mac` is HMAC-SHA256(SHA-256(secret), transcript) in hex and `signature` is
 * Ed25519(key, transcript) in base64url, where transcript = canonical JSON (RFC 8785) of the message without these two fields.
 */
export const EnrolRequestSchema = Type.Object(
  {
    tokenId: Type.String({ minLength: 1, maxLength: 64 }),
    /** Answer of POST /agent/v1/enrol/challenge. */
    nonce: Type.String({ minLength: 16, maxLength: 128 }),
    /** libp2p peer id of `publicKey`. */
    member: Type.String({ minLength: 1, maxLength: 128 }),
    /** Ed25519 public key, 32 bytes in hex. */
    publicKey: DigestText,
    name: Name,
    roles: Type.Array(RoleSchema, { minItems: 1, maxItems: 3 }),
    attributes: Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), { maxProperties: 64 }),
    mac: DigestText,
    signature: Type.String({ maxLength: 128 }),
  },
  strict,
);
export type EnrolRequest = Static<typeof EnrolRequestSchema>;

export const ChallengeReplySchema = Type.Object({ nonce: Type.String() }, strict);
export type ChallengeReply = Static<typeof ChallengeReplySchema>;

export const EnrolReplySchema = Type.Object({ certificate: Compact, environments: Type.Array(Name) }, strict);
export type EnrolReply = Static<typeof EnrolReplySchema>;

/** Phases of one target in one deployment, as in control-plane.md section 1.2. */
export const TargetPhaseSchema = Type.Union(
  [
    'assigned', 'downloading', 'downloaded', 'verified', 'staged', 'activating', 'health-checking', 'committed',
    'rolling-back', 'rolled-back', 'inconsistent', 'rejected', 'deferred', 'failed', 'lost', 'cancelled', 'already-current',
  ].map((phase) => Type.Literal(phase)),
);
export type TargetPhase =
  | 'assigned' | 'downloading' | 'downloaded' | 'verified' | 'staged' | 'activating' | 'health-checking' | 'committed'
  | 'rolling-back' | 'rolled-back' | 'inconsistent' | 'rejected' | 'deferred' | 'failed' | 'lost' | 'cancelled' | 'already-current';

/** What a member may send and receive, in bytes a second: its caps and what its operator says of its link, the lower one; absent when nobody said. */
export const RatesSchema = Type.Object({ send: Type.Optional(Type.Integer({ minimum: 1 })), receive: Type.Optional(Type.Integer({ minimum: 1 })) }, strict);
export type Rates = Static<typeof RatesSchema>;

export const FeederSchema = Type.Object({ member: Type.String({ minLength: 1, maxLength: 128 }), bytes: Type.Integer({ minimum: 0 }) }, strict);
export type Feeder = Static<typeof FeederSchema>;

/** Where the time of one fetch went, in milliseconds by the target's monotonic clock. What none of the last three names, bytes were under way. */
export const TransferTimingSchema = Type.Object(
  {
    totalMs: Type.Integer({ minimum: 0 }),
    /** Until the first verified byte; absent when none was needed. */
    firstByteMs: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Nothing was asked for since nobody could be asked. */
    waitMs: Type.Integer({ minimum: 0 }),
    /** Nothing was asked for since the disk had to catch up. */
    storeMs: Type.Integer({ minimum: 0 }),
    /** Nothing was asked for since the cap was reached. */
    throttledMs: Type.Integer({ minimum: 0 }),
    /** Strikes against neighbours meanwhile: corrupt chunks, requests that overstayed. */
    strikes: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type TransferTiming = Static<typeof TransferTimingSchema>;

/** Bytes of one fetch by where they came from, and what was not fetched because it was there. */
export const TransferSchema = Type.Object(
  {
    originBytes: Type.Integer({ minimum: 0 }),
    peerBytes: Type.Integer({ minimum: 0 }),
    reusedBytes: Type.Integer({ minimum: 0 }),
    wastedBytes: Type.Integer({ minimum: 0 }),
    /** Of origin and peers: what came as deltas, and by how much the chunks that these made are longer. */
    deltaBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    savedBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Of `peerBytes`: from members of the target's own zone. */
    zonePeerBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Of origin and peers: from members of other zones. */
    crossZoneBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Who sent most of it, most first. */
    from: Type.Optional(Type.Array(FeederSchema, { maxItems: limits.transferFeedersMax })),
    timing: Type.Optional(TransferTimingSchema),
    rates: Type.Optional(RatesSchema),
  },
  strict,
);
export type Transfer = Static<typeof TransferSchema>;

/** One step of a target in a deployment. Idempotent by (member, deployment, reportNo). */
export const ReportSchema = Type.Object(
  {
    deployment: Type.String({ minLength: 1, maxLength: 64 }),
    environment: Name,
    app: Name,
    /** Of the order that it answers. */
    seq: Type.Integer({ minimum: 1 }),
    /** 1, 2, 3, … in a deployment on this target, kept across restarts. */
    reportNo: Type.Integer({ minimum: 1 }),
    phase: TargetPhaseSchema,
    /** Why it failed or was refused: a stable code of the daemon, then a sentence. */
    code: Type.Optional(Type.String({ maxLength: 64 })),
    detail: Type.Optional(Type.String({ maxLength: 2048 })),
    /** Last 10 KiB of a hook's output. */
    output: Type.Optional(Type.String({ maxLength: limits.reportOutputBytesMax })),
    transfer: Type.Optional(TransferSchema),
    /** Milliseconds since 1970 by the target's clock. */
    at: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type Report = Omit<Static<typeof ReportSchema>, 'phase'> & { readonly phase: TargetPhase };
export const ReportsRequestSchema = Type.Object({ reports: Type.Array(ReportSchema, { minItems: 1, maxItems: limits.reportsMax }) }, strict);

/** What runs on a target for one application. */
export const RunningSchema = Type.Object(
  { environment: Name, app: Name, revision: DigestText, revisionNumber: Type.Integer({ minimum: 1 }), healthy: Type.Boolean(), /** Things in the release that are not what was installed; left out when there are none. */ drifted: Type.Optional(Type.Integer({ minimum: 1 })) },
  strict,
);
export type Running = Static<typeof RunningSchema>;

/** Progress of a fetch under way, for displays; never a basis for decisions. */
export const ProgressSchema = Type.Object(
  { deployment: Type.String({ maxLength: 64 }), haveBytes: Type.Integer({ minimum: 0 }), totalBytes: Type.Integer({ minimum: 0 }) },
  strict,
);
export type Progress = Static<typeof ProgressSchema>;

/** An order that a member does not take, by the digest of its compact form: what could not be verified is not read for its number. */
export const RefusedOrderSchema = Type.Object(
  { order: DigestText, /** A code of the daemon. */ code: Type.String({ maxLength: 64 }), detail: Type.String({ maxLength: limits.refusalCharsMax }) },
  strict,
);
export type RefusedOrder = Static<typeof RefusedOrderSchema>;

/**
 * One round of the conversation. The control plane answers at once when it has something newer than what the member
 * says it knows, else after at most `waitMs`.
 */
export const SyncRequestSchema = Type.Object(
  {
    /** Highest order accepted, by environment. */
    seqSeen: Type.Record(Name, Type.Integer({ minimum: 0 })),
    /** Versions of the TUF metadata held, by role name (`root`, `timestamp`, `snapshot`, `targets`, `env-…`). */
    metadata: Type.Record(Type.String({ maxLength: 128 }), Type.Integer({ minimum: 0 })),
    rosterEpoch: Type.Integer({ minimum: 0 }),
    /** Multiaddrs on which the member listens. */
    addresses: Type.Array(Type.String({ maxLength: 256 }), { maxItems: 8 }),
    /** Where clients upload, for a proxy. */
    uploadUrl: Type.Optional(Type.String({ maxLength: 256 })),
    running: Type.Array(RunningSchema, { maxItems: 500 }),
    progress: Type.Array(ProgressSchema, { maxItems: 64 }),
    /** Now, for displays. */
    rates: Type.Optional(RatesSchema),
    /** Reports that would otherwise have a request of their own. They are recorded before the wait begins: whatever is answered says that they are durable. */
    reports: Type.Optional(Type.Array(ReportSchema, { minItems: 1, maxItems: limits.syncReportsMax })),
    /** What was refused of the orders in the answer before; they come again until they are taken, or their deployment ends. */
    refused: Type.Optional(Type.Array(RefusedOrderSchema, { minItems: 1, maxItems: limits.syncRefusalsMax })),
    /** Whether the manifests of what is ordered may come with the orders. */
    manifests: Type.Optional(Type.Boolean()),
    waitMs: Type.Integer({ minimum: 0, maximum: limits.syncWaitMs }),
    version: Type.String({ maxLength: 64 }),
  },
  strict,
);
export type SyncRequest = Omit<Static<typeof SyncRequestSchema>, 'reports'> & { readonly reports?: readonly Report[] };

export const SyncReplySchema = Type.Object(
  {
    /** Orders above `seqSeen` that name this member, oldest first, in compact form. */
    orders: Type.Array(Compact, { maxItems: 64 }),
    /** Encoded manifests of revisions that the orders name, in base64, for members that take them; one that is missing or too large is asked for. */
    manifests: Type.Optional(Type.Array(Type.String({ maxLength: Math.ceil(limits.syncManifestBytesMax / 3) * 4 }), { maxItems: limits.syncManifestsMax })),
    /** TUF files that are newer than what the member holds, by file name (`3.root.json`, `timestamp.json`, `env-prod.json`), as text. */
    metadata: Type.Record(Type.String({ maxLength: 160 }), Type.String({ maxLength: limits.snapshotBytesMax })),
    roster: Type.Optional(Type.String({ maxLength: limits.rosterBytesMax * 2 })),
    /** Instead of `roster`, for a member that holds one: what became of it. A member that cannot make the new one of it asks with epoch 0. */
    rosterChange: Type.Optional(RosterChangeSchema),
    /** A renewed certificate, when the old one has passed two thirds of its life. */
    certificate: Type.Optional(Compact),
    /** When to come again, in milliseconds. */
    pollAfterMs: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type SyncReply = Static<typeof SyncReplySchema>;

/** A proxy hands a complete, stored revision over (architecture.md, step 3). */
export const HandOverRequestSchema = Type.Object(
  {
    /** The grant under which it was uploaded. */
    grant: Compact,
    /** The encoded revision manifest in base64. */
    manifest: Type.String({ maxLength: Math.ceil((limits.revisionBytesMax * 4) / 3) + 4 }),
    alias: Type.Optional(Type.String({ maxLength: 128 })),
    uploadedBytes: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type HandOverRequest = Static<typeof HandOverRequestSchema>;

export const HandOverReplySchema = Type.Object(
  { app: Name, revision: DigestText, number: Type.Integer({ minimum: 1 }), created: Type.Boolean() },
  strict,
);
export type HandOverReply = Static<typeof HandOverReplySchema>;
