// Targets: the machines of the fleet as people see them. Seeds and proxies are members too, and are listed by their role.

import Type, { type Static } from 'typebox';
import { RevisionRefSchema } from './apps.ts';
import { Count, DigestText, Id, Instant, LabelsSchema, Name, oneOf, pageQuery, strict } from './schema.ts';

export const connectivities = ['online', 'stale', 'offline'] as const;

/** An order that a target does not take. `code` and `detail` came from the target: print them with care. */
export const RefusalSchema = Type.Object({ order: Type.Integer({ minimum: 1 }), code: Type.String(), detail: Type.String(), /** What to do about it. */ advice: Type.String(), since: Instant }, strict);
export type Refusal = Static<typeof RefusalSchema>;

export const TargetSchema = Type.Object(
  {
    /** libp2p peer id of its key. */
    member: Type.String(),
    name: Name,
    roles: Type.Array(oneOf(['agent', 'seed', 'proxy'])),
    environments: Type.Array(Name),
    labels: LabelsSchema,
    /** What the machine says of itself. */
    attributes: Type.Record(Type.String(), Type.String()),
    addresses: Type.Array(Type.String()),
    enrolledAt: Instant,
    revoked: Type.Boolean(),
    /** No deployment begins with it. */
    cordoned: Type.Optional(Type.Object({ reason: Type.String(), since: Instant }, strict)),
    /** By its last sync: `offline` also when none came since the control plane started. */
    connectivity: oneOf(connectivities),
    lastSeenAt: Type.Optional(Instant),
    /** Its clock is ahead by so much, or behind where that is below zero: its requests are refused for it, and so it counts as not heard. */
    clock: Type.Optional(Type.Object({ aheadMs: Type.Integer(), refusedAt: Instant }, strict)),
    /** Version of its daemon, once it has synced. */
    version: Type.Optional(Type.String()),
    /** What it last reported to have committed. */
    running: Type.Array(
      Type.Object({ app: Name, revision: DigestText, number: Type.Integer({ minimum: 1 }), since: Instant, healthy: Type.Optional(Type.Boolean()), drifted: Type.Optional(Type.Integer({ minimum: 1, description: 'things in the release on its disk that are not what was installed and were not put back' })) }, strict),
    ),
    /** The newest change that it was ordered to make, by application. */
    work: Type.Array(
      Type.Object({ app: Name, environment: Name, deployment: Id, revision: DigestText, phase: Type.String(), settled: Type.Boolean() }, strict),
    ),
    /** Orders that it does not take, of what is under way in its environments; they are sent to it again and again. */
    refused: Type.Optional(Type.Array(Type.Object({ app: Name, environment: Name, deployment: Id, ...RefusalSchema.properties }, strict))),
    /** Fetches under way, as it said at its last sync. */
    fetching: Type.Array(Type.Object({ deployment: Type.String(), haveBytes: Count, totalBytes: Count }, strict)),
  },
  strict,
);
export type Target = Static<typeof TargetSchema>;

/** A label selector: `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`, several separated by commas; all must hold. */
const Selector = Type.String({ maxLength: 1024, description: 'key=value, key!=value, key in (a,b), key notin (a,b), key or !key, separated by commas' });

/** Machines are looked for by what somebody remembers of their name. */
const PartOfName = Type.String({ pattern: '^[a-z0-9-]{1,64}$', description: 'only those whose name has this in it' });

/** `label`: see above. `role` is `agent` when it is left out. */
export const TargetsQuerySchema = Type.Object(
  {
    ...pageQuery,
    environment: Type.Optional(Name),
    label: Type.Optional(Selector),
    name: Type.Optional(PartOfName),
    connectivity: Type.Optional(oneOf(connectivities)),
    role: Type.Optional(oneOf(['agent', 'seed', 'proxy'])),
    revoked: Type.Optional(Type.Boolean({ description: 'also those that were revoked' })),
  },
  strict,
);

export const EnvironmentTargetsQuerySchema = Type.Object({ ...pageQuery, label: Type.Optional(Selector), name: Type.Optional(PartOfName), connectivity: Type.Optional(oneOf(connectivities)) }, strict);

/** Why a member is barred from now on. */
export const RevokeTargetSchema = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1024 }) }, strict);
export type RevokeTarget = Static<typeof RevokeTargetSchema>;

/** Why no deployment begins with a target from now on. */
export const CordonTargetSchema = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1024 }) }, strict);
export type CordonTarget = Static<typeof CordonTargetSchema>;
/** All of its labels from now on; needs If-Match with the ETag of a GET of the target. */
export const LabelTargetSchema = Type.Object({ labels: LabelsSchema }, strict);
export type LabelTarget = Static<typeof LabelTargetSchema>;

/** An application on a target that is not as its environment has it. */
export const DriftSchema = Type.Object(
  {
    member: Type.String(),
    name: Name,
    app: Name,
    /** What the environment runs. */
    wanted: RevisionRefSchema,
    /** What the target said it runs; absent: nothing. */
    running: Type.Optional(RevisionRefSchema),
    /** `changed`: things in the release on its disk are not what was installed, and were not put back. */
    why: oneOf(['missing', 'other', 'unhealthy', 'changed']),
    changed: Type.Optional(Type.Integer({ minimum: 1 })),
    /** The deployment that is changing it now. */
    deployment: Type.Optional(Id),
    /** Whether a catch-up brings it to what is wanted, as soon as gates allow; people decide where a deployment failed on it. */
    caughtUp: Type.Boolean(),
    connectivity: oneOf(connectivities),
  },
  strict,
);
export type Drift = Static<typeof DriftSchema>;
