// Promotions: the wish that an environment runs a revision, and why it does not yet.

import Type, { type Static } from 'typebox';
import { BlockerSchema, Count, DigestText, Id, Instant, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';

export const promotionPhases = ['waiting', 'deploying', 'verifying', 'succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded'] as const;

export const PromotionSchema = Type.Object(
  {
    promotion: Id,
    environment: Name,
    app: Name,
    revision: DigestText,
    number: Type.Integer({ minimum: 1 }),
    trigger: oneOf(['manual', 'rollback']),
    /** Of those that nobody plainly asked for: automation, or past the usual order of things. */
    cause: Type.Optional(oneOf(['auto', 'hotfix'])),
    /** The promotion configuration that it follows, as `pipeline/edge`. */
    edge: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    /** The deployment that it tries again, and how often that is by now. */
    retryOf: Type.Optional(Id),
    attempt: Type.Optional(Type.Integer({ minimum: 1 })),
    phase: oneOf(promotionPhases),
    /** Who asked: `token:<id>` or `system`. */
    by: Type.String(),
    createdAt: Instant,
    finishedAt: Type.Optional(Instant),
    /** Why it ended as it did, where there is something to say. */
    outcome: Type.Optional(Type.String()),
    /** The newest: there is one for each application that it changes. */
    deployment: Type.Optional(Id),
    /** The whole set, where it brings several applications. */
    members: Type.Optional(Type.Array(Type.Object({ app: Name, revision: DigestText, number: Count }, strict))),
  },
  strict,
);
export type Promotion = Static<typeof PromotionSchema>;

/**
 * `hotfix` goes past stages, soak, workflows and approvals by hand, never past a policy, a veto, a pin, a lock or a freeze, and needs a reason.
 * `revision`: `source` (what runs in the environments from which this one is promoted; without any, the newest), `latest`, a number (`41` or `web@41`), a digest, a CID, or an alias; of several applications `web@41+api@7`.
 */
export const CreatePromotionSchema = Type.Object(
  { environment: Name, revision: Type.String({ minLength: 1, maxLength: 4096 }), reason: Type.Optional(Reason), hotfix: Type.Optional(Type.Boolean()) },
  strict,
);
export type CreatePromotion = Static<typeof CreatePromotionSchema>;

/** `to`: `previous`, the default, the number of a revision, or a set such as `web@41+api@7`. */
export const CreateRollbackSchema = Type.Object(
  { to: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.String({ minLength: 1, maxLength: 4096 })])), reason: Type.Optional(Reason) },
  strict,
);
export type CreateRollback = Static<typeof CreateRollbackSchema>;

export const AbortSchema = Type.Object({ reason: Type.Optional(Reason) }, strict);
export type Abort = Static<typeof AbortSchema>;

export const PromotionsQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), phase: Type.Optional(oneOf(promotionPhases)) }, strict);

/** How far something is, in targets. */
export const ProgressCountsSchema = Type.Object(
  {
    total: Count,
    done: Count,
    failed: Count,
    inFlight: Count,
    /** Targets that were revoked on the way: they are not in `total` any more. */
    revoked: Type.Optional(Count),
    /** Targets by phase (TargetPhase of proto/fleet.ts); they add up to `total`. */
    byPhase: Type.Record(Type.String(), Count),
    /** Batch under way, from 0; `batches` when all are over. */
    batch: Count,
    batches: Count,
    /** Bytes, summed over the targets that said so. */
    transfer: Type.Object({ originBytes: Count, peerBytes: Count, reusedBytes: Count, wastedBytes: Count }, strict),
  },
  strict,
);
export type ProgressCounts = Static<typeof ProgressCountsSchema>;

/** Why it is not moving: the answer of `starling explain`. */
export const ExplanationSchema = Type.Object(
  {
    subject: Type.Object({ kind: oneOf(['environment', 'promotion']), id: Type.String() }, strict),
    environment: Name,
    /** Phase of the promotion, else of the newest deployment, else `idle`. */
    phase: Type.String(),
    /** One sentence that sums it up. */
    summary: Type.String(),
    blockers: Type.Array(BlockerSchema),
    /** What a deployment under way waits for. */
    waits: Type.Array(Type.Object({ reason: Type.String(), until: Type.Optional(Instant) }, strict)),
    nextCheckAt: Type.Optional(Instant),
    promotion: Type.Optional(Id),
    deployment: Type.Optional(Id),
    progress: Type.Optional(ProgressCountsSchema),
  },
  strict,
);
export type Explanation = Static<typeof ExplanationSchema>;
