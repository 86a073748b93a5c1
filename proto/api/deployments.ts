// Deployments: one run of putting a revision on an environment's targets, in batches, target by target.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { DeploymentConfigSchema } from './environments.ts';
import { ProgressCountsSchema } from './promotions.ts';
import { RefusalSchema } from './targets.ts';
import { Count, DigestText, Id, Instant, Name, oneOf, page, pageQuery, strict } from './schema.ts';

export const deploymentPhases = ['distributing', 'running', 'baking', 'rolling-back', 'succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted'] as const;

const summary = {
  deployment: Id,
  promotion: Id,
  environment: Name,
  app: Name,
  type: oneOf(['promote', 'redeploy', 'rollback', 'catch-up', 'prefetch']),
  seq: Type.Integer({ minimum: 1 }),
  from: Type.Optional(DigestText),
  to: DigestText,
  /** Of `to`. */
  number: Type.Integer({ minimum: 1 }),
  phase: oneOf(deploymentPhases),
  reason: Type.Optional(Type.String()),
  startedAt: Instant,
  progressedAt: Instant,
  finishedAt: Type.Optional(Instant),
  rollbackOf: Type.Optional(Id),
  /** Set when it rolls back: where to, and how many targets. */
  rollback: Type.Optional(Type.Object({ to: DigestText, number: Type.Integer({ minimum: 1 }), targets: Count }, strict)),
  /** Set while a person or closed windows hold it. */
  paused: Type.Optional(Type.Object({ reason: Type.String(), since: Instant, byHand: Type.Boolean({ description: 'until somebody resumes it; else until windows open' }) }, strict)),
  progress: ProgressCountsSchema,
};

/** What was measured last: of an alarm, `failure` is that it fires; `at`: since when that is so. */
const ReadingSchema = Type.Object({ verdict: oneOf(['success', 'failure', 'inconclusive', 'error']), value: Type.Optional(Type.String()), detail: Type.Optional(Type.String()), at: Instant }, strict);

/** One of a list. */
export const DeploymentSummarySchema = Type.Object(summary, strict);
export type DeploymentSummary = Static<typeof DeploymentSummarySchema>;

/** One target in a deployment. */
export const DeploymentTargetSchema = Type.Object(
  {
    member: Type.String(),
    name: Type.String(),
    /** From 0. */
    batch: Count,
    /** TargetPhase of proto/fleet.ts. */
    phase: Type.String(),
    order: Type.Optional(Type.Object({ action: oneOf(['prefetch', 'activate', 'rollback', 'cancel']), seq: Type.Integer({ minimum: 1 }), at: Instant }, strict)),
    /** Whether it answered its newest order with a final phase. */
    settled: Type.Boolean(),
    code: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String()),
    /** Last part of a hook's output. Came from the target: print it with care. */
    output: Type.Optional(Type.String()),
    /** Bytes by where they came from, once it has fetched. */
    transfer: Type.Optional(Type.Object({ originBytes: Count, peerBytes: Count, reusedBytes: Count, wastedBytes: Count }, strict)),
    /** A fetch under way, as the target said at its last sync. */
    fetching: Type.Optional(Type.Object({ haveBytes: Count, totalBytes: Count }, strict)),
    reportedAt: Type.Optional(Instant),
    /** An order that it does not take, and is asked to again. */
    refused: Type.Optional(RefusalSchema),
  },
  strict,
);
export type DeploymentTarget = Static<typeof DeploymentTargetSchema>;

/** A deployment as one of its targets saw it. */
export const TargetDeploymentSchema = Type.Object(
  {
    deployment: Id,
    promotion: Id,
    environment: Name,
    app: Name,
    type: summary.type,
    to: DigestText,
    number: Type.Integer({ minimum: 1 }),
    /** Of the deployment; the target's own is in `target`. */
    phase: oneOf(deploymentPhases),
    reason: Type.Optional(Type.String()),
    startedAt: Instant,
    finishedAt: Type.Optional(Instant),
    target: DeploymentTargetSchema,
  },
  strict,
);
export type TargetDeployment = Static<typeof TargetDeploymentSchema>;

/** A page of them. `archived`: deployments to its environments since it joined that are long over: which had it as a target, only the journal tells, and one by one. */
export const TargetDeploymentsSchema = Type.Object({ ...page(TargetDeploymentSchema).properties, archived: Type.Optional(Count) }, strict);

/** `failed`: only those in which it says why it came no further. */
export const TargetDeploymentsQuerySchema = Type.Object({ ...pageQuery, failed: Type.Optional(Type.Boolean()) }, strict);

export const BatchSchema = Type.Object(
  {
    index: Count,
    name: Type.Optional(Type.String()),
    canary: Type.Optional(Type.Boolean()),
    phase: oneOf(['pending', 'running', 'baking', 'succeeded', 'failed', 'skipped']),
    targets: Count,
    startedAt: Type.Optional(Instant),
    /** When its bake ends. */
    bakeUntil: Type.Optional(Instant),
    /** What its bake demands, and how many were counted. */
    samples: Type.Optional(Type.Object({ count: Count, reading: Type.Optional(ReadingSchema) }, strict)),
    /** The run of a workflow that looks at it, or did. */
    verification: Type.Optional(Type.Object({ run: Id, workflow: Type.String(), phase: Type.String() }, strict)),
    finishedAt: Type.Optional(Instant),
  },
  strict,
);
export type Batch = Static<typeof BatchSchema>;

/** A deployment whole. `targets` are the first ones, batch by batch; a page at a time at …/targets when there are more. */
export const DeploymentSchema = Type.Object(
  {
    ...summary,
    config: DeploymentConfigSchema,
    /** Alarms that have been asked. */
    alarms: Type.Optional(Type.Array(Type.Object({ alarm: Name, ...ReadingSchema.properties }, strict))),
    batches: Type.Array(BatchSchema),
    targets: Type.Array(DeploymentTargetSchema, { maxItems: limits.pageItemsMax }),
  },
  strict,
);
export type Deployment = Static<typeof DeploymentSchema>;

export const DeploymentsQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), phase: Type.Optional(oneOf(deploymentPhases)) }, strict);
