// The form of `kind: Pipeline` as people write it, the one source of what is checked, of what the compiler reads and of the
// JSON Schema that editors use. How its values are understood is compile.ts and the files beside it.

import Type, { type Static } from 'typebox';
import { noticeNames } from '../../proto/notification.ts';
import {
  ApprovalSchema, ClockText, DurationText, Flag, LocalText, NameText, PercentText, RuleSchema, ShareText, UrlText, approvalFields, list, mapping, text, whole, word,
} from './schema-parts.ts';

const AppEntry = mapping(
  {
    name: NameText,
    repo: Type.Optional(mapping({ url: text('the URL of a git repository', 2048), branch: Type.Optional(text('a branch')), paths: Type.Optional(list(text('a pattern of paths'), 'patterns of paths')) }, '{url: URL, branch: NAME}')),
    autoBuild: Type.Optional(mapping({ enabled: Type.Optional(Flag), interval: Type.Optional(DurationText), coalesce: Type.Optional(Flag), build: Type.Optional(NameText), command: Type.Optional(text('a command for a shell in the checkout', 4096)), output: Type.Optional(text('a directory of the checkout, such as dist', 256)), timeout: Type.Optional(DurationText), role: Type.Optional(NameText) }, '{command: "npm run build", output: dist}')),
    deploySpec: Type.Optional(text('a path inside the artifact')),
    requires: Type.Optional(list(mapping({ node: NameText, version: text('a range of versions in quotes, such as ">=22.3 <23"', 128) }, '{node: NAME, version: RANGE}'), 'requirements {node: NAME, version: RANGE}')),
  },
  '{name: NAME}',
);

const Days = Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Array(Type.String({ minLength: 1, maxLength: 16 }), { minItems: 1, maxItems: 7 })], { description: 'days such as mon-fri, sat, or [mon, wed, fri]' });
export const WindowEntry = mapping(
  {
    name: NameText,
    kind: word('allow', 'deny'),
    timeZone: text('the name of a zone, such as Europe/Berlin', 64),
    weekly: Type.Optional(list(mapping({ days: Days, from: Type.Optional(ClockText), to: Type.Optional(ClockText) }, '{days: mon-fri, from: "09:00", to: "17:00"}'), 'rows {days: mon-fri, from: "09:00", to: "17:00"}')),
    cron: Type.Optional(text('five fields of cron, such as "0 9 * * mon-fri"', 128)),
    duration: Type.Optional(DurationText),
    once: Type.Optional(mapping({ from: LocalText, to: LocalText }, '{from: "2026-12-18T00:00", to: "2027-01-03T00:00"}')),
    jitter: Type.Optional(DurationText),
    onClose: Type.Optional(word('pause', 'finish', 'rollback')),
    maxDeploysPerOccurrence: Type.Optional(whole(1, 10_000)),
    override: Type.Optional(mapping({ allowed: Type.Optional(Flag), approvals: Type.Optional(RuleSchema), requireReason: Type.Optional(Flag) }, '{approvals: {group: NAME, count: N}}')),
  },
  '{name: NAME, kind: allow, timeZone: ZONE, weekly: […]}',
);
export type WindowText = Static<typeof WindowEntry>;

export const StepEntry = mapping(
  {
    name: NameText,
    kind: word('test', 'analysis', 'bake', 'approval', 'compliance', 'command', 'notify'),
    needs: Type.Optional(list(NameText, 'names of steps')),
    timeout: Type.Optional(DurationText),
    retries: Type.Optional(whole(0, 10)),
    allowFailure: Type.Optional(Flag),
    run: Type.Optional(text('a command', 8192)),
    runsOn: Type.Optional(mapping({ role: NameText }, '{role: NAME}')),
    provider: Type.Optional(mapping({ prometheus: mapping({ url: UrlText, query: Type.Optional(text('a Prometheus query', 8192)) }, '{url: URL, query: QUERY}') }, '{prometheus: {url: URL, query: QUERY}}')),
    interval: Type.Optional(DurationText),
    count: Type.Optional(whole(1, 1000)),
    successCondition: Type.Optional(text('a condition such as "result < 0.01"')),
    failureCondition: Type.Optional(text('a condition such as "result >= 0.05"')),
    failureLimit: Type.Optional(whole(0, 1000)),
    duration: Type.Optional(DurationText),
    minSamples: Type.Optional(mapping({ metric: text('a metric, or a whole query', 8192), count: whole(1, Number.MAX_SAFE_INTEGER) }, '{metric: NAME, count: N}')),
    ...approvalFields,
    policy: Type.Optional(NameText),
    to: Type.Optional(NameText),
    message: Type.Optional(text('a sentence')),
  },
  '{name: NAME, kind: test, run: COMMAND}',
);
export type StepText = Static<typeof StepEntry>;

const ScheduleEntry = mapping({ cron: text('five fields of cron, such as "0 3 * * *"', 128), timeZone: text('the name of a zone, such as Europe/Berlin', 64) }, '{cron: "0 3 * * *", timeZone: Europe/Berlin}');
export const WorkflowEntry = mapping(
  { name: NameText, lock: Type.Optional(word('stage', 'environment', 'none')), timeout: DurationText, schedule: Type.Optional(ScheduleEntry), steps: list(StepEntry, 'steps') },
  '{name: NAME, timeout: 30m, steps: […]}',
);
export type WorkflowText = Static<typeof WorkflowEntry>;

const PrometheusEntry = mapping({ prometheus: mapping({ url: UrlText, query: Type.Optional(text('a Prometheus query', 8192)) }, '{url: URL, query: QUERY}') }, '{prometheus: {url: URL, query: QUERY}}');
const SamplesEntry = mapping({ metric: text('a metric, or a whole query', 8192), count: whole(1, Number.MAX_SAFE_INTEGER), interval: Type.Optional(DurationText) }, '{metric: NAME, count: N}');
const AlarmEntry = mapping(
  { name: NameText, webhook: Type.Optional(text('a URL', 2048)), provider: Type.Optional(PrometheusEntry), failureCondition: Type.Optional(text('a condition such as "result >= 0.05"')), interval: Type.Optional(DurationText), action: Type.Optional(word('rollback', 'pause')) },
  '{name: NAME, webhook: URL}',
);
const BatchEntry = mapping(
  { name: Type.Optional(NameText), size: ShareText, canary: Type.Optional(Flag), bake: Type.Optional(DurationText), verify: Type.Optional(NameText), minSamples: Type.Optional(SamplesEntry), provider: Type.Optional(PrometheusEntry), pause: Type.Optional(Flag) },
  '{size: "25%"}',
);
const HealthCheckEntry = mapping(
  {
    name: NameText,
    http: mapping({ path: text('a path on the target, such as /healthz', 256), port: Type.Optional(whole(1, 65_535)), status: Type.Optional(whole(100, 599)) }, '{path: /healthz}'),
    interval: Type.Optional(DurationText),
    successes: Type.Optional(whole(1, 100)),
    timeout: Type.Optional(DurationText),
  },
  '{name: NAME, http: {path: /healthz}}',
);
const AutoRollbackEntry = mapping(
  {
    onHealth: Type.Optional(Flag),
    onAlarm: Type.Optional(Flag),
    onVerification: Type.Optional(Type.Union([Type.Boolean(), Type.Array(word('failed', 'timed-out', 'error', 'aborted'), { maxItems: 4 })], { description: 'true, false, or a list of failed, timed-out, error, aborted' })),
    onError: Type.Optional(Flag),
    scope: Type.Optional(word('all', 'failed')),
  },
  '{onHealth: true}',
);
export const DeploymentConfigEntry = mapping(
  {
    name: NameText,
    prefetch: Type.Optional(
      mapping(
        { enabled: Type.Optional(Flag), ignoreWindows: Type.Optional(Flag), quorum: Type.Optional(mapping({ minCopiesPerZone: Type.Optional(whole(0, 1000)), coverage: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'a share from 0 to 1' })) }, '{minCopiesPerZone: 2, coverage: 0.98}')) },
        '{enabled: true}',
      ),
    ),
    order: Type.Optional(Type.Array(word('unhealthy', 'outdated'), { maxItems: 2, description: '[unhealthy, outdated] or [outdated, unhealthy]' })),
    stripeBy: Type.Optional(text('the key of a label, such as zone', 64)),
    batches: Type.Optional(Type.Array(BatchEntry, { minItems: 1, maxItems: 100, description: 'a list of batches {size: "25%"}' })),
    bake: Type.Optional(DurationText),
    maxParallel: Type.Optional(ShareText),
    minHealthy: Type.Optional(ShareText),
    minHealthyTime: Type.Optional(DurationText),
    healthyDeadline: Type.Optional(DurationText),
    progressDeadline: Type.Optional(DurationText),
    failureThreshold: Type.Optional(mapping({ count: Type.Optional(whole(1, 1_000_000)), percent: Type.Optional(PercentText) }, '{count: 1, percent: 5}')),
    unreachable: Type.Optional(mapping({ tolerate: Type.Optional(ShareText), after: Type.Optional(DurationText) }, '{tolerate: "2%", after: 15m}')),
    autoRollback: Type.Optional(Type.Union([Type.Boolean(), AutoRollbackEntry], { description: 'true, false, or {onHealth: true}' })),
    rollback: Type.Optional(mapping({ skipCanary: Type.Optional(Flag), skipBake: Type.Optional(Flag), ignoreWindows: Type.Optional(Flag) }, '{ignoreWindows: true}')),
    healthChecks: Type.Optional(list(HealthCheckEntry, 'health checks')),
    provider: Type.Optional(PrometheusEntry),
    alarms: Type.Optional(list(AlarmEntry, 'alarms')),
  },
  '{name: NAME, batches: [{size: "100%"}]}',
);
export type DeploymentText = Static<typeof DeploymentConfigEntry>;

const Refusal = Type.Optional(word('deny'));
export const PolicyEntry = mapping(
  {
    name: NameText,
    framework: Type.Optional(word('SOX', 'PCI', 'HIPAA', 'FISMA', 'custom')),
    version: Type.Optional(whole(1, 1_000_000)),
    mode: Type.Optional(word('enforce', 'observe')),
    appliesTo: mapping({ environments: list(NameText, 'names of environments') }, '{environments: [NAME]}'),
    requires: list(
      mapping(
        {
          rule: word('approvals', 'separationOfDuties', 'signedArtifacts', 'testedIn', 'ticket'),
          group: Type.Optional(text('a group of people', 64)),
          count: Type.Optional(whole(1, 100)),
          author: Refusal,
          submitter: Refusal,
          keys: Type.Optional(list(text('the name of a key', 64), 'names of keys')),
          environment: Type.Optional(NameText),
          pattern: Type.Optional(text('a regular expression', 200)),
        },
        '{rule: NAME}',
      ),
      'rules {rule: NAME}',
    ),
    breakGlass: Type.Optional(mapping({ allowed: Type.Optional(Flag), group: Type.Optional(text('a group of people', 64)), count: Type.Optional(whole(1, 100)), expires: Type.Optional(DurationText), requireReview: Type.Optional(Flag) }, '{group: NAME, expires: 4h}')),
  },
  '{name: NAME, appliesTo: {environments: [NAME]}, requires: […]}',
);
export type PolicyText = Static<typeof PolicyEntry>;

const Targets = Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 64 }))], { description: 'labels such as "env=prod,region=na"' });
const EnvironmentEntry = mapping(
  { name: NameText, targets: Targets, apps: Type.Optional(list(NameText, 'names of applications')), deployment: Type.Optional(NameText), workflow: Type.Optional(NameText), windows: Type.Optional(list(NameText, 'names of windows')), windowsHoldRollback: Type.Optional(Flag) },
  '{name: NAME, targets: "env=prod"}',
);
export type EnvironmentText = Static<typeof EnvironmentEntry>;

const selectWords = ['latest', 'number', 'priority', 'testsPassed', 'matchUpstream', 'matchDestination'] as const;
const selectKeys = [word(...selectWords), mapping({ author: list(text('an author'), 'authors') }, '{author: [NAME]}'), mapping({ list: list(text('the digest of a revision', 64), 'digests') }, '{list: [DIGEST]}')] as const;
const SelectKeyText = Type.Union([...selectKeys]);
const SelectText = Type.Union([...selectKeys, mapping({ order: Type.Array(SelectKeyText, { minItems: 1, maxItems: 10 }) }, '{order: […]}')], {
  description: `one of ${selectWords.join(', ')}, {author: [NAME]}, {list: [DIGEST]}, or {order: [priority, latest]} of several`,
});
export type SelectKeyWritten = Static<typeof SelectKeyText>;

export const PromotionEntry = mapping(
  {
    name: Type.Optional(NameText),
    from: mapping({ app: Type.Optional(NameText), environment: Type.Optional(NameText) }, '{app: NAME} or {environment: NAME}'),
    to: NameText,
    apps: Type.Optional(list(NameText, 'names of applications')),
    auto: Type.Optional(Flag),
    select: Type.Optional(SelectText),
    approval: Type.Optional(ApprovalSchema),
    soak: Type.Optional(DurationText),
    after: Type.Optional(list(NameText, 'names of environments')),
    windows: Type.Optional(list(NameText, 'names of windows')),
  },
  '{from: {environment: NAME}, to: NAME}',
);
export type PromotionText = Static<typeof PromotionEntry>;

export const PipelineSchema = Type.Object(
  {
    apiVersion: word('starling/v1'),
    kind: word('Pipeline'),
    metadata: mapping({ name: NameText, project: Type.Optional(NameText), labels: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'labels such as {team: checkout}' })) }, '{name: NAME, project: NAME}'),
    spec: mapping(
      {
        enabled: Type.Optional(Flag),
        executionMode: Type.Optional(word('superseded', 'queued')),
        apps: Type.Array(AppEntry, { minItems: 1, maxItems: 200, description: 'a list of applications {name: NAME}, at least one' }),
        windows: Type.Optional(list(WindowEntry, 'windows')),
        workflows: Type.Optional(list(WorkflowEntry, 'workflows')),
        deploymentConfigs: Type.Optional(list(DeploymentConfigEntry, 'deployment configurations')),
        policies: Type.Optional(list(PolicyEntry, 'compliance policies')),
        stages: Type.Array(mapping({ name: NameText, environments: Type.Array(EnvironmentEntry, { minItems: 1, maxItems: 200, description: 'a list of environments, at least one' }) }, '{name: NAME, environments: […]}'), { minItems: 1, maxItems: 200, description: 'a list of stages, at least one' }),
        promotions: Type.Array(PromotionEntry, { minItems: 1, maxItems: 200, description: 'a list of promotions {from: {environment: NAME}, to: NAME}, at least one' }),
        notifications: Type.Optional(list(mapping({ events: Type.Array(word(...noticeNames), { minItems: 1, maxItems: 50, description: 'a list of events, at least one' }), channel: NameText }, '{events: [NAME], channel: NAME}'), 'notifications')),
      },
      'the pipeline: apps, stages, promotions, …',
    ),
  },
  { additionalProperties: false, $id: 'starling/v1/Pipeline', title: 'A pipeline of Starling', description: 'a mapping with apiVersion, kind, metadata and spec' },
);
export type PipelineText = Static<typeof PipelineSchema>;
