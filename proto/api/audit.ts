// The audit: what the journal says about who did what, and whether it is still what was written.

import Type, { type Static } from 'typebox';
import { Count, Instant, oneOf, pageQuery, strict } from './schema.ts';
import { limits } from '../limits.ts';

const Seq = Type.Integer({ minimum: 0 });
/** A place in the chain of hashes: `number:hash`. */
const CheckpointText = Type.String({ pattern: '^[1-9][0-9]{0,14}:[0-9a-f]{64}$', description: 'number and hash of an entry, as audit verify printed it' });
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** One place of a configuration that an entry changed; an absent side was not there. */
export const DifferenceSchema = Type.Object(
  { pointer: Type.String(), before: Type.Optional(Type.Unknown()), after: Type.Optional(Type.Unknown()) },
  strict,
);

/** One entry for people. */
export const AuditEntrySchema = Type.Object(
  {
    seq: Seq,
    at: Instant,
    /** `token:<id>`, `member:<id>` or `system`. */
    actor: Type.String(),
    /** The name that the token or the member has. */
    actorName: Type.Optional(Type.String()),
    /** Kind of the event. */
    action: Type.String(),
    /** What it is about, as `kind:id`. */
    object: Type.String(),
    reason: Type.Optional(Type.String()),
    /** The rest of the event; secrets' digests, manifests and signed orders by their hash. */
    data: Type.Record(Type.String(), Type.Unknown()),
    /** Of entries that change configuration: what was before, and what is after. */
    changes: Type.Optional(Type.Array(DifferenceSchema)),
    /** The command that brings back how it was. */
    undo: Type.Optional(Type.String()),
    hash: Type.Optional(Hash),
  },
  strict,
);
export type AuditEntry = Static<typeof AuditEntrySchema>;

/** `after`: entries above this number, oldest first; without it the newest come first. */
export const AuditQuerySchema = Type.Object(
  {
    ...pageQuery,
    after: Type.Optional(Seq),
    actor: Type.Optional(Type.String({ minLength: 1, maxLength: 160, description: 'token:<id>, member:<id>, system, or the name of a token or a member' })),
    object: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'such as environment:prod; a bare name is of any kind' })),
    action: Type.Optional(Type.String({ pattern: '^[a-z.-]{1,64}$', description: 'kind of event, or its first word: pipeline.applied, pipeline' })),
    since: Type.Optional(Instant),
  },
  strict,
);
export type AuditQuery = Static<typeof AuditQuerySchema>;

/** A page may be empty and still have a `next`: so many entries were looked at, and none was asked for. */
export const AuditPageSchema = Type.Object({ items: Type.Array(AuditEntrySchema, { maxItems: limits.pageItemsMax }), next: Type.Optional(Type.String()) }, strict);

/** One entry as it is hashed. */
export const AuditLineSchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    at: Type.Number(),
    actor: Type.String(),
    event: Type.Record(Type.String(), Type.Unknown()),
    prevHash: Type.Optional(Hash),
    hash: Type.Optional(Hash),
  },
  strict,
);
export const AuditExportSchema = Type.Object({ items: Type.Array(AuditLineSchema, { maxItems: limits.pageItemsMax }), next: Type.Optional(Type.String()) }, strict);
export const AuditExportQuerySchema = Type.Object({ ...pageQuery, after: Type.Optional(Seq) }, strict);

/** `from`: go on where an earlier answer ended; `checkpoint`: must be found on the way. */
export const AuditVerifyQuerySchema = Type.Object({ from: Type.Optional(CheckpointText), checkpoint: Type.Optional(CheckpointText) }, strict);

const breachKinds = ['edited', 'missing', 'out-of-order', 'not-linked', 'not-chained', 'other-checkpoint'] as const;
export const AuditVerdictSchema = Type.Object(
  {
    /** Whether everything looked at is as it was written. */
    whole: Type.Boolean(),
    /** Entries looked at. */
    entries: Count,
    /** Of these, entries from before the chain: nothing vouches for them but their checksums. */
    unchained: Count,
    /** The last entry that is sound: keep it elsewhere, and hand it in the next time. */
    head: Type.Optional(Type.Object({ seq: Seq, hash: Hash }, strict)),
    /** Whether the end of the journal was reached; else ask again from `head`. */
    complete: Type.Boolean(),
    breach: Type.Optional(Type.Object({ seq: Seq, kind: oneOf(breachKinds), reason: Type.String() }, strict)),
  },
  strict,
);
export type AuditVerdict = Static<typeof AuditVerdictSchema>;
