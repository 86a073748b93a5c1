// Pipelines as resources: what a file says, already read (names resolved, durations in milliseconds); what an edit of one would
// change; and the graph that a screen draws. The form of the YAML is control/files.

import Type, { type Static } from 'typebox';
import type { DeploymentConfig } from '../events.ts';
import { noticeNames } from '../notification.ts';
import type { PipelineSpec } from '../pipeline.ts';
import { DeploymentConfigInputSchema, DeploymentConfigSchema } from './environments.ts';
import { BlockerSchema, Count, DigestText, Id, Instant, LabelsSchema, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';

const itemsMax = 200;
const Milliseconds = Type.Integer({ minimum: 0 });
const Names = Type.Array(Name, { maxItems: itemsMax });
const Text = Type.String({ minLength: 1, maxLength: 1024 });
const Group = Type.String({ minLength: 1, maxLength: 64 });
const Rule = Type.Object({ group: Group, count: Type.Integer({ minimum: 1 }) }, strict);

const Approval = Type.Object({ rules: Type.Array(Rule, { maxItems: itemsMax }), preventSelfApproval: Type.Boolean(), expiresAfterMs: Type.Optional(Milliseconds) }, strict);

const SelectKey = Type.Union([
  Type.Object({ by: oneOf(['latest', 'number', 'priority', 'testsPassed', 'matchUpstream', 'matchDestination']) }, strict),
  Type.Object({ by: oneOf(['author']), authors: Type.Array(Text, { maxItems: itemsMax }) }, strict),
  Type.Object({ by: oneOf(['list']), revisions: Type.Array(DigestText, { maxItems: itemsMax }) }, strict),
]);

const Edge = Type.Object(
  {
    edge: Name,
    from: Type.Union([Type.Object({ kind: oneOf(['app']), app: Name }, strict), Type.Object({ kind: oneOf(['environment']), environment: Name }, strict)]),
    to: Name,
    apps: Names,
    auto: Type.Boolean(),
    select: Type.Array(SelectKey, { maxItems: 10 }),
    approval: Type.Optional(Approval),
    soakMs: Type.Optional(Milliseconds),
    after: Names,
    windows: Names,
  },
  strict,
);

const Days = Type.Array(oneOf(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), { maxItems: 7 });
const Schedule = Type.Union([
  Type.Object({ kind: oneOf(['weekly']), rows: Type.Array(Type.Object({ days: Days, times: Type.Optional(Type.Object({ from: Text, to: Text }, strict)) }, strict), { maxItems: itemsMax }) }, strict),
  Type.Object({ kind: oneOf(['cron']), expression: Text, durationMs: Milliseconds }, strict),
  Type.Object({ kind: oneOf(['once']), from: Text, to: Text }, strict),
]);
const Window = Type.Object(
  {
    window: Name,
    kind: oneOf(['allow', 'deny']),
    timeZone: Text,
    schedule: Schedule,
    onClose: oneOf(['finish', 'pause', 'rollback']),
    jitterMs: Type.Optional(Milliseconds),
    maxDeploysPerOccurrence: Type.Optional(Type.Integer({ minimum: 1 })),
    override: Type.Optional(Rule),
  },
  strict,
);

const Step = Type.Object(
  {
    step: Name,
    kind: oneOf(['test', 'analysis', 'bake', 'approval', 'compliance', 'command', 'notify']),
    needs: Names,
    timeoutMs: Milliseconds,
    retries: Count,
    allowFailure: Type.Boolean(),
    approval: Type.Optional(Approval),
    /** What it runs or asks, for whoever carries it out. */
    with: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z]{1,32}$' }), Type.String({ maxLength: 8192 }), { maxProperties: 32 })),
  },
  strict,
);
const Workflow = Type.Object({ workflow: Name, lock: oneOf(['stage', 'environment', 'none']), timeoutMs: Milliseconds, schedule: Type.Optional(Type.Object({ cron: Text, timeZone: Text }, strict)), steps: Type.Array(Step, { maxItems: itemsMax }) }, strict);

const ComplianceRule = Type.Union([
  Type.Object({ rule: oneOf(['approvals']), group: Group, count: Type.Integer({ minimum: 1 }) }, strict),
  Type.Object({ rule: oneOf(['separationOfDuties']) }, strict),
  Type.Object({ rule: oneOf(['signedArtifacts']), keys: Type.Array(Text, { maxItems: itemsMax }) }, strict),
  Type.Object({ rule: oneOf(['testedIn']), environment: Name }, strict),
  Type.Object({ rule: oneOf(['ticket']), pattern: Type.String({ minLength: 1, maxLength: 200 }) }, strict),
]);
const Policy = Type.Object(
  {
    policy: Name,
    framework: oneOf(['SOX', 'PCI', 'HIPAA', 'FISMA', 'custom']),
    version: Type.Integer({ minimum: 1 }),
    mode: oneOf(['enforce', 'observe']),
    environments: Names,
    requires: Type.Array(ComplianceRule, { maxItems: itemsMax }),
    breakGlass: Type.Optional(Type.Object({ group: Group, count: Type.Integer({ minimum: 1 }), expiresMs: Milliseconds, requireReview: Type.Optional(Type.Literal(true)) }, strict)),
  },
  strict,
);

const EnvironmentPlace = Type.Object(
  {
    environment: Name,
    workflow: Type.Optional(Name),
    windows: Names,
    windowsHoldRollback: Type.Boolean(),
    coverage: Type.Optional(Type.Object({ coverage: Type.Number({ minimum: 0, maximum: 1 }), minCopiesPerZone: Count }, strict)),
  },
  strict,
);

/** All of a pipeline: see PipelineSpec of proto/pipeline.ts for what each field means. */
export const PipelineSpecSchema = Type.Unsafe<PipelineSpec>(
  Type.Object(
    {
      labels: Type.Optional(LabelsSchema),
      requirements: Type.Optional(Type.Array(Type.Object({ app: Name, requires: Type.Array(Type.Object({ node: Name, version: Type.String({ minLength: 1, maxLength: 128 }) }, strict), { maxItems: itemsMax }) }, strict), { maxItems: itemsMax })),
      deploySpecs: Type.Optional(Type.Array(Type.Object({ app: Name, path: Type.String({ minLength: 1, maxLength: 1024 }) }, strict), { maxItems: itemsMax })),
      executionMode: oneOf(['superseded', 'queued']),
      stages: Type.Array(Type.Object({ stage: Name, environments: Type.Array(EnvironmentPlace, { maxItems: itemsMax }) }, strict), { maxItems: itemsMax }),
      edges: Type.Array(Edge, { maxItems: itemsMax }),
      windows: Type.Array(Window, { maxItems: itemsMax }),
      workflows: Type.Array(Workflow, { maxItems: itemsMax }),
      policies: Type.Array(Policy, { maxItems: itemsMax }),
      notifications: Type.Optional(Type.Array(Type.Object({ events: Type.Array(oneOf(noticeNames), { maxItems: 50 }), channel: Type.String({ minLength: 1, maxLength: 64 }) }, strict), { maxItems: itemsMax })),
    },
    strict,
  ),
);

const place = { environment: Name, apps: Type.Array(Name, { minItems: 1, maxItems: itemsMax, description: 'in the order in which they are deployed' }), selector: LabelsSchema };
/** An environment that an applied pipeline makes or changes. */
const EnvironmentWishSchema = Type.Object({ ...place, config: DeploymentConfigInputSchema }, strict);
const PipelineEnvironmentSchema = Type.Object({ ...place, config: Type.Unsafe<DeploymentConfig>(DeploymentConfigSchema) }, strict);

const Build = Type.Object(
  {
    app: Name,
    settings: Type.Object(
      {
        repo: Type.Object({ url: Type.String({ maxLength: 1024 }), branch: Type.String({ maxLength: 200 }), paths: Type.Array(Type.String(), { maxItems: 50 }) }, strict),
        enabled: Type.Boolean(),
        intervalMs: Milliseconds,
        coalesce: Type.Boolean(),
        command: Type.String({ minLength: 1, maxLength: 4096 }),
        output: Type.String({ maxLength: 256 }),
        timeoutMs: Milliseconds,
        role: Name,
      },
      strict,
    ),
  },
  strict,
);

/** A pipeline as it is to be: all of it takes effect, or nothing. */
export const ApplyPipelineSchema = Type.Object(
  {
    project: Name,
    spec: PipelineSpecSchema,
    /** Applications that are made when they are not there. */
    apps: Names,
    environments: Type.Array(EnvironmentWishSchema, { maxItems: itemsMax }),
    /** How applications are built; of those that are left out as it is. */
    builds: Type.Optional(Type.Array(Build, { maxItems: itemsMax })),
    /** Left out: as it is; a new one is enabled. */
    enabled: Type.Optional(Type.Boolean()),
  },
  strict,
);
export type ApplyPipelineBody = Static<typeof ApplyPipelineSchema>;
/** `dryRun=true`: answers what would be, and changes nothing. */
export const ApplyPipelineQuerySchema = Type.Object({ dryRun: Type.Optional(Type.Boolean()) }, strict);

const summary = {
  pipeline: Name,
  project: Name,
  enabled: Type.Boolean(),
  /** How often it was applied. */
  generation: Count,
  /** Since when it is as enabled or disabled as it is, who did that, and why. */
  switchedAt: Instant,
  switchedBy: Type.String(),
  switchReason: Type.Optional(Type.String()),
  labels: Type.Optional(LabelsSchema),
};
export const PipelineSummarySchema = Type.Object({ ...summary, apps: Names, stages: Type.Array(Type.Object({ stage: Name, environments: Names }, strict)) }, strict);
export type PipelineSummary = Static<typeof PipelineSummarySchema>;

/** What a PUT takes can be read from here: `project`, `spec`, `apps`, `environments`, `builds`, `enabled`. */
export const PipelineSchema = Type.Object({ ...summary, spec: PipelineSpecSchema, apps: Names, environments: Type.Array(PipelineEnvironmentSchema), builds: Type.Array(Build) }, strict);
export type Pipeline = Static<typeof PipelineSchema>;

export const PipelinesQuerySchema = Type.Object({ ...pageQuery, project: Type.Optional(Name), label: Type.Optional(Type.String({ minLength: 1, maxLength: 1024, description: 'a label selector, as of targets' })) }, strict);
export const SwitchPipelineSchema = Type.Object({ reason: Type.Optional(Reason) }, strict);
export const DeletePipelineQuerySchema = Type.Object({ reason: Type.Optional(Reason) }, strict);

/** Whether a body would be taken; `problems` are sentences. */
export const ValidationSchema = Type.Object({ valid: Type.Boolean(), problems: Type.Array(Type.String()) }, strict);
export type Validation = Static<typeof ValidationSchema>;

/** One difference: what is at `path` (such as `stages/prod` or `environments/prod/config/bakeMs`) before and after. */
const ChangeSchema = Type.Object({ action: oneOf(['add', 'remove', 'change']), path: Type.String(), before: Type.Optional(Type.Unknown()), after: Type.Optional(Type.Unknown()) }, strict);
export const PlanSchema = Type.Object(
  {
    pipeline: Name,
    kind: oneOf(['create', 'change', 'none']),
    changes: Type.Array(ChangeSchema),
    /** Approvals, asked for or given, that no longer count. */
    approvals: Type.Array(Type.Object({ approval: Type.String(), purpose: Type.String(), status: Type.String(), environment: Type.Optional(Name), source: Type.String(), becomes: Type.String(), reason: Type.String() }, strict)),
    /** Workflow runs that end, or whose result counts no longer. */
    runs: Type.Array(Type.Object({ run: Type.String(), workflow: Type.String(), environment: Name, reason: Type.String() }, strict)),
    /** Promotions that wait, and what will newly hold them or no longer does. */
    promotions: Type.Array(Type.Object({ promotion: Id, environment: Name, holds: Type.Array(BlockerSchema), frees: Type.Array(BlockerSchema) }, strict)),
    /** Holds and switches of promotions that go away with them. */
    forgets: Type.Array(Type.Object({ kind: oneOf(['hold', 'switch']), edge: Type.String(), reason: Type.String() }, strict)),
    /** What would be taken, and is hardly meant, as sentences. */
    warnings: Type.Array(Type.String()),
    /** What automation would begin at once. */
    begins: Type.Array(Type.Object({ environment: Name, edge: Type.String() }, strict)),
  },
  strict,
);
export type Plan = Static<typeof PlanSchema>;

const Reference = Type.Object({ app: Name, number: Type.Optional(Count), revision: DigestText }, strict);
/** A pipeline with what goes on in it: what a screen draws. */
export const GraphSchema = Type.Object(
  {
    pipeline: Name,
    project: Name,
    enabled: Type.Boolean(),
    generation: Count,
    at: Instant,
    apps: Type.Array(Type.Object({ app: Name, revisions: Count, latest: Type.Optional(Reference) }, strict)),
    stages: Type.Array(
      Type.Object(
        {
          stage: Name,
          environments: Type.Array(
            Type.Object(
              {
                environment: Name,
                apps: Names,
                current: Type.Array(Reference),
                /** Since when it runs that: when the last application of the set had arrived. */
                since: Type.Optional(Instant),
                desired: Type.Array(Reference),
                targets: Count,
                activeDeployment: Type.Optional(Id),
                newestDeployment: Type.Optional(Id),
                waiting: Type.Array(Id),
                /** The workflow of its newest run. */
                run: Type.Optional(Type.Object({ run: Type.String(), workflow: Type.String(), phase: Type.String() }, strict)),
                locks: Type.Array(Type.Object({ lock: Type.String(), reason: Type.String(), until: Type.Optional(Instant) }, strict)),
                pinned: Type.Boolean(),
                /** Whether windows are open now, and when that changes. */
                windows: Type.Object({ names: Names, open: Type.Boolean(), until: Type.Optional(Instant) }, strict),
              },
              strict,
            ),
          ),
        },
        strict,
      ),
    ),
    edges: Type.Array(
      Type.Object(
        {
          /** `pipeline/edge`. */
          edge: Type.String(),
          from: Type.Object({ app: Type.Optional(Name), environment: Type.Optional(Name) }, strict),
          to: Name,
          apps: Names,
          auto: Type.Boolean(),
          enabled: Type.Boolean(),
          /** Whether automation is on all along the way, where the promotion is automatic. */
          automation: Type.Boolean(),
          held: Type.Optional(Type.String()),
          /** What goes next, and what holds it. */
          candidate: Type.Optional(Type.Array(Reference)),
          promotion: Type.Optional(Id),
          blockers: Type.Array(BlockerSchema),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type Graph = Static<typeof GraphSchema>;
