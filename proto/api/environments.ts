// Environments: which targets get an application, how, and what they run.

import Type, { type Static } from 'typebox';
import type { DeploymentConfig } from '../events.ts';
import { limits } from '../limits.ts';
import type { AlarmSpec, HealthCheckSpec, TurnWord, VerificationEnd } from '../rollout-config.ts';
import { RevisionRefSchema } from './apps.ts';
import { BlockerSchema, Count, Id, Instant, LabelsSchema, Name, oneOf, strict } from './schema.ts';

/** `3`, or `"25%"`. */
const Share = Type.Unsafe<number | `${number}%`>(
  Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^(100|[1-9]?[0-9])(\\.[0-9]+)?%$' })], { description: 'a number of targets, or a share such as "25%"' }),
);
const Milliseconds = Type.Integer({ minimum: 0, maximum: 86_400_000 });

const Url = Type.String({ pattern: '^https?://', maxLength: 2048 });
const Question = Type.String({ minLength: 1, maxLength: 8192 });
const SamplesSchema = Type.Object({ prometheus: Url, metric: Question, count: Type.Integer({ minimum: 1 }), intervalMs: Type.Optional(Milliseconds) }, strict);
const AlarmSchema = Type.Object(
  { alarm: Name, prometheus: Type.Optional(Url), query: Type.Optional(Question), condition: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "when it fires, such as 'result >= 0.05'" })), webhook: Type.Optional(Url), intervalMs: Type.Optional(Milliseconds), action: Type.Optional(oneOf(['rollback', 'pause'])) },
  strict,
);

const HealthCheckSchema = Type.Object(
  {
    name: Name, path: Type.String({ pattern: '^/[^\\s]*$', maxLength: 256 }), port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })), status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
    intervalMs: Type.Optional(Milliseconds), successes: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })), timeoutMs: Type.Optional(Milliseconds),
  },
  strict,
);

const BatchSpecSchema = Type.Object(
  { name: Type.Optional(Name), size: Share, canary: Type.Optional(Type.Boolean()), bakeMs: Type.Optional(Milliseconds), pause: Type.Optional(Type.Boolean()), verify: Type.Optional(Name), check: Type.Optional(Name), minSamples: Type.Optional(SamplesSchema) },
  strict,
);

const configFields = {
  /** Sizes in order; a batch with more to say is an object. */
  batches: Type.Array(Type.Union([Share, BatchSpecSchema]), { minItems: 1, maxItems: 100 }),
  maxParallel: Share,
  minHealthy: Share,
  failureThreshold: Type.Object({ count: Type.Integer({ minimum: 1 }), percent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }) }, strict),
  lostAfterMs: Milliseconds,
  progressDeadlineMs: Milliseconds,
  bakeMs: Milliseconds,
  autoRollback: Type.Union([Type.Boolean(), Type.Object({ onHealth: Type.Boolean(), onError: Type.Boolean(), onAlarm: Type.Optional(Type.Boolean()), onVerification: Type.Unsafe<readonly VerificationEnd[]>(Type.Array(oneOf(['failed', 'timed-out', 'error', 'aborted']), { maxItems: 4 })), scope: Type.Optional(oneOf(['failed'])) }, strict)]),
  order: Type.Optional(Type.Unsafe<readonly TurnWord[]>(Type.Array(oneOf(['unhealthy', 'outdated']), { minItems: 1, maxItems: 2, description: 'which targets go first; those that do not serve when it is left out' }))),
  stripeBy: Type.Optional(Type.String({ pattern: '^[a-z0-9./-]{1,64}$', description: 'label by whose values targets are spread over the batches; zone when it is left out' })),
  minHealthyTimeMs: Type.Optional(Milliseconds),
  healthyDeadlineMs: Type.Optional(Milliseconds),
  unreachable: Type.Optional(Type.Object({ tolerate: Share, afterMs: Type.Optional(Milliseconds) }, strict)),
  rollback: Type.Optional(Type.Object({ skipCanary: Type.Optional(Type.Boolean()), skipBake: Type.Optional(Type.Boolean()), ignoreWindows: Type.Optional(Type.Boolean()) }, strict)),
  prefetch: Type.Optional(Type.Object({ enabled: Type.Boolean(), ignoreWindows: Type.Optional(Type.Boolean()) }, strict)),
  alarms: Type.Optional(Type.Unsafe<readonly AlarmSpec[]>(Type.Array(AlarmSchema, { maxItems: 20 }))),
  healthChecks: Type.Optional(Type.Unsafe<readonly HealthCheckSpec[]>(Type.Array(HealthCheckSchema, { maxItems: limits.orderChecksMax }))),
};

/** How a deployment proceeds, whole (see DeploymentConfig of proto/events.ts for what each means). */
export const DeploymentConfigSchema = Type.Object(configFields, strict);
/** The same as people write it: what is left out has the default. */
export const DeploymentConfigInputSchema = Type.Partial(Type.Object(configFields), strict);
export type DeploymentConfigInput = Static<typeof DeploymentConfigInputSchema>;

/** What an environment gets when nothing else is said (control-plane.md, section 7). */
export const deploymentDefaults: DeploymentConfig = Object.freeze({
  batches: Object.freeze(['100%'] as const),
  maxParallel: 1,
  minHealthy: '75%',
  failureThreshold: Object.freeze({ count: 1, percent: 5 }),
  /** Ten missed polls of a minute. */
  lostAfterMs: 600_000,
  progressDeadlineMs: 600_000,
  /** Between two batches only, so that the default of one batch has none. */
  bakeMs: 1_800_000,
  autoRollback: true,
});

export const EnvironmentSchema = Type.Object(
  {
    environment: Name,
    /** Its first application; `desired`, `current` and `stable` are of this one. */
    app: Name,
    /** All of its applications, in the order in which they are deployed. */
    apps: Type.Array(Type.Object({ app: Name, desired: Type.Optional(RevisionRefSchema), current: Type.Optional(RevisionRefSchema), stable: Type.Optional(RevisionRefSchema) }, strict)),
    /** Labels that an agent must have to be a target here. */
    selector: LabelsSchema,
    config: DeploymentConfigSchema,
    createdAt: Instant,
    /** Number of its newest deployment. */
    seq: Count,
    desired: Type.Optional(RevisionRefSchema),
    current: Type.Optional(RevisionRefSchema),
    /** Last known good: what an automatic rollback goes to. */
    stable: Type.Optional(RevisionRefSchema),
    activeDeployment: Type.Optional(Id),
    newestDeployment: Type.Optional(Id),
    /** Promotions that wait for its gates, oldest first. */
    waiting: Type.Array(Id),
    targets: Type.Object({ total: Count, serving: Count, changing: Count, online: Count }, strict),
  },
  strict,
);
export type Environment = Static<typeof EnvironmentSchema>;

export const CreateEnvironmentSchema = Type.Object(
  { environment: Name, app: Name, apps: Type.Optional(Type.Array(Name, { minItems: 1, maxItems: 32 })), selector: LabelsSchema, config: Type.Optional(DeploymentConfigInputSchema) },
  strict,
);
export type CreateEnvironment = Static<typeof CreateEnvironmentSchema>;

/** Replaces both; needs If-Match with the ETag of a GET. */
export const ChangeEnvironmentSchema = Type.Object({ selector: LabelsSchema, config: DeploymentConfigInputSchema }, strict);
export type ChangeEnvironment = Static<typeof ChangeEnvironmentSchema>;

/** What holds whatever wants to happen in an environment now: its oldest waiting promotion, or a promotion of its latest revision. */
export const GateSchema = Type.Object(
  { environment: Name, promotion: Type.Optional(Id), at: Type.Optional(Instant), blockers: Type.Array(BlockerSchema), nextCheckAt: Type.Optional(Instant) },
  strict,
);
export type Gate = Static<typeof GateSchema>;
/** `at`: the same question for another time, by what is on record now; `revision`: about promoting this, as in a promotion. */
export const GateQuerySchema = Type.Object({ at: Type.Optional(Instant), revision: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })) }, strict);
