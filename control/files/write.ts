// A pipeline as the file that says it: what compile.ts reads from it is the same again. Defaults are left out, and small
// things are written on one line, so that it reads as if a person had written it.

import { Document, isCollection, isMap, visit } from 'yaml';
import { deploymentDefaults } from '../../proto/api/environments.ts';
import type { DeploymentConfig } from '../../proto/events.ts';
import type { ApprovalSpec, CompliancePolicy, CoverageSpec, EdgeSpec, PipelineEnvironment, SelectKey, StepSpec, WorkflowSpec } from '../../proto/pipeline.ts';
import type { AlarmSpec, BatchSpec, HealthCheckSpec } from '../../proto/rollout-config.ts';
import type { TimeWindow } from '../../proto/window.ts';
import type { BuildWish, EnvironmentWish } from '../core/commands/command-governance.ts';
import { canonicalText } from '../core/model/sets.ts';
import type { PipelineFile } from './compile.ts';
import { edgeNames } from './compile-graph.ts';
import { buildDefaults } from './compile-builds.ts';
import { breakGlassExpiryText } from './compile-policies.ts';
import { approvalExpiryText } from './compile-workflows.ts';
import { daysText, durationMs, durationText, labelsText } from './units.ts';

/** A line of a file that still reads well. */
const flowMax = 150;

/** The YAML of a pipeline. */
export function pipelineYaml({ pipeline, project, enabled, spec, apps, environments, builds }: PipelineFile): string {
  const configs = configNames(spec.stages.flatMap((stage) => stage.environments), environments);
  const document = new Document({
    apiVersion: 'starling/v1',
    kind: 'Pipeline',
    metadata: tidy({ name: pipeline, project, labels: spec.labels }),
    spec: tidy({
      enabled: enabled === false ? false : undefined,
      executionMode: spec.executionMode === 'superseded' ? undefined : spec.executionMode,
      apps: apps.map((name) => tidy({ name, ...buildText(builds.find(({ app }) => app === name)), deploySpec: spec.deploySpecs?.find(({ app }) => app === name)?.path, requires: spec.requirements?.find(({ app }) => app === name)?.requires.map((one) => ({ ...one })) })),
      windows: full(spec.windows.map(windowText)),
      workflows: full(spec.workflows.map(workflowText)),
      deploymentConfigs: full([...configs.entries.values()]),
      policies: full(spec.policies.map(policyText)),
      stages: spec.stages.map(({ stage, environments: places }) => ({ name: stage, environments: places.map((place) => environmentText(place, { apps, environments, edges: spec.edges, config: configs.of(place) })) })),
      promotions: promotionTexts(spec.edges, environments),
      notifications: full((spec.notifications ?? []).map(({ events, channel }) => ({ events: [...events], channel }))),
    }),
  });
  visit(document, {
    // Times and shares in quotes: older readers of YAML take them for numbers.
    Scalar: (_key, node) => {
      if (typeof node.value === 'string' && /^[0-9]+[:%.-]/.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
    Collection: (key, node, path) => {
      const inList = path.at(-1) !== undefined && !isMap(path.at(-1));
      const small = (inList || key === 'value') && JSON.stringify(node).length <= flowMax && path.length > 3;
      if (isCollection(node) && small) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

type Fields = Readonly<Record<string, unknown>>;

/** Without the fields that say nothing. */
function tidy(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Where it comes from, and how it is built. */
function buildText(wish: BuildWish | undefined): Fields {
  if (wish === undefined) return {};
  const { repo, enabled, intervalMs, coalesce, command, output, timeoutMs, role } = wish.settings;
  const whole = buildDefaults;
  return {
    repo: tidy({ url: repo.url, branch: repo.branch === whole.branch ? undefined : repo.branch, paths: full(repo.paths) }),
    autoBuild: tidy({
      enabled: enabled ? undefined : false,
      interval: intervalMs === durationMs(whole.interval) ? undefined : durationText(intervalMs),
      coalesce: coalesce ? undefined : false,
      command,
      output: output === whole.output ? undefined : output,
      timeout: timeoutMs === durationMs(whole.timeout) ? undefined : durationText(timeoutMs),
      role: role === whole.role ? undefined : role,
    }),
  };
}

function full<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length === 0 ? undefined : items;
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : durationText(ms);
}

/** One window as a file writes it. */
export function windowText({ window, kind, timeZone, schedule, onClose, jitterMs, maxDeploysPerOccurrence, override }: TimeWindow): Fields {
  return tidy({
    name: window,
    kind,
    timeZone,
    weekly: schedule.kind === 'weekly' ? schedule.rows.map(({ days, times }) => ({ days: daysText(days), ...times })) : undefined,
    cron: schedule.kind === 'cron' ? schedule.expression : undefined,
    duration: schedule.kind === 'cron' ? durationText(schedule.durationMs) : undefined,
    once: schedule.kind === 'once' ? { from: schedule.from, to: schedule.to } : undefined,
    onClose: onClose === 'pause' ? undefined : onClose,
    jitter: duration(jitterMs),
    maxDeploysPerOccurrence,
    override: override === undefined ? undefined : { approvals: { ...override } },
  });
}

function workflowText({ workflow, lock, timeoutMs, schedule, steps }: WorkflowSpec): Fields {
  return tidy({ name: workflow, lock: lock === 'stage' ? undefined : lock, timeout: durationText(timeoutMs), schedule, steps: steps.map((step) => stepText(step, timeoutMs)) });
}

function stepText({ step, kind, needs, timeoutMs, retries, allowFailure, approval, with: settings = {} }: StepSpec, workflowMs: number): Fields {
  const { run, role, prometheus, query, interval, count, success, failure, failureLimit, duration: length, minSamplesMetric, minSamplesCount, policy, to, message } = settings;
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  return tidy({
    name: step,
    kind,
    needs: full(needs),
    timeout: timeoutMs === workflowMs ? undefined : durationText(timeoutMs),
    retries: retries === 0 ? undefined : retries,
    allowFailure: allowFailure ? true : undefined,
    run,
    runsOn: role === undefined ? undefined : { role },
    provider: prometheus === undefined ? undefined : { prometheus: tidy({ url: prometheus, query }) },
    interval,
    count: number(count),
    successCondition: success,
    failureCondition: failure,
    failureLimit: number(failureLimit),
    duration: length,
    minSamples: minSamplesMetric === undefined ? undefined : { metric: minSamplesMetric, count: number(minSamplesCount) ?? 1 },
    ...(approval === undefined ? {} : approvalText(approval)),
    policy,
    to,
    message,
  });
}

function approvalText({ rules, preventSelfApproval, expiresAfterMs }: ApprovalSpec): Fields {
  const expiry = expiresAfterMs === durationMs(approvalExpiryText) ? undefined : (duration(expiresAfterMs) ?? 'never');
  return tidy({ rules: rules.map((rule) => ({ ...rule })), preventSelfApproval: preventSelfApproval ? undefined : false, expiresAfter: expiry });
}

function policyText({ policy, framework, version, mode, environments, requires, breakGlass }: CompliancePolicy): Fields {
  return tidy({
    name: policy,
    framework: framework === 'custom' ? undefined : framework,
    version: version === 1 ? undefined : version,
    mode: mode === 'enforce' ? undefined : mode,
    appliesTo: { environments: [...environments] },
    requires: requires.map((rule) => ({ ...rule })),
    breakGlass: breakGlass === undefined ? undefined : tidy({ group: breakGlass.group, count: breakGlass.count === 1 ? undefined : breakGlass.count, expires: breakGlass.expiresMs === durationMs(breakGlassExpiryText) ? undefined : durationText(breakGlass.expiresMs), requireReview: breakGlass.requireReview }),
  });
}

/** Environments that are deployed alike share a configuration, called as the first of them. */
function configNames(places: readonly PipelineEnvironment[], wishes: readonly EnvironmentWish[]) {
  const entries = new Map<string, Fields>();
  const configOf = ({ environment }: PipelineEnvironment): DeploymentConfig => wishes.find((wish) => wish.environment === environment)?.config ?? deploymentDefaults;
  const keyOf = (place: PipelineEnvironment): string => canonicalText([configOf(place), place.coverage]);
  for (const place of places) {
    const text = configText(configOf(place), place.coverage);
    if (Object.keys(text).length > 0 && !entries.has(keyOf(place))) entries.set(keyOf(place), { name: place.environment, ...text });
  }
  return { entries, of: (place: PipelineEnvironment) => entries.get(keyOf(place))?.['name'] };
}

function configText(config: DeploymentConfig, coverage: CoverageSpec | undefined): Fields {
  const whole = deploymentDefaults;
  const unless = <Value>(value: Value, usual: Value): Value | undefined => (canonicalText(value) === canonicalText(usual) ? undefined : value);
  const { unreachable, prefetch, autoRollback } = config;
  const after = duration(unless(unreachable?.afterMs ?? config.lostAfterMs, whole.lostAfterMs));
  return tidy({
    prefetch: some({
      // Where there is a quorum, fetching ahead goes without saying, as it does where more is said of it.
      enabled: prefetch === undefined || (prefetch.enabled && prefetch.ignoreWindows === false) ? undefined : prefetch.enabled,
      ignoreWindows: prefetch?.ignoreWindows === false ? false : undefined,
      quorum: coverage === undefined ? undefined : { ...coverage },
    }),
    order: config.order,
    stripeBy: config.stripeBy,
    batches: unless(config.batches, whole.batches)?.map((batch) => (typeof batch === 'object' ? batchText(batch) : { size: batch })),
    bake: duration(unless(config.bakeMs, whole.bakeMs)),
    maxParallel: unless(config.maxParallel, whole.maxParallel),
    minHealthy: unless(config.minHealthy, whole.minHealthy),
    minHealthyTime: duration(config.minHealthyTimeMs),
    healthyDeadline: duration(config.healthyDeadlineMs),
    progressDeadline: duration(unless(config.progressDeadlineMs, whole.progressDeadlineMs)),
    failureThreshold: unless(config.failureThreshold, whole.failureThreshold),
    unreachable: some({ tolerate: unreachable?.tolerate, after }),
    autoRollback: unless(typeof autoRollback === 'object' ? { ...autoRollback, onVerification: [...autoRollback.onVerification] } : autoRollback, whole.autoRollback),
    rollback: some({ ...config.rollback }),
    healthChecks: config.healthChecks?.map(checkText),
    alarms: config.alarms?.map(alarmText),
  });
}

function batchText({ name, size, canary, bakeMs, pause, verify, check, minSamples }: BatchSpec): Fields {
  return tidy({ name, size, canary: canary === true ? true : undefined, bake: duration(bakeMs), pause: pause === true ? true : undefined, verify: verify ?? check, ...(minSamples === undefined ? {} : { minSamples: tidy({ metric: minSamples.metric, count: minSamples.count, interval: duration(minSamples.intervalMs) }), provider: { prometheus: { url: minSamples.prometheus } } }) });
}

function checkText({ name, path, port, status, intervalMs, successes, timeoutMs }: HealthCheckSpec): Fields {
  return tidy({ name, http: tidy({ path, port, status }), interval: duration(intervalMs), successes, timeout: duration(timeoutMs) });
}

function alarmText({ alarm, webhook, prometheus, query, condition, intervalMs, action }: AlarmSpec): Fields {
  const provider = prometheus === undefined ? undefined : { prometheus: tidy({ url: prometheus, query }) };
  return tidy({ name: alarm, webhook, provider, failureCondition: condition, interval: duration(intervalMs), action });
}

/** A mapping, unless nothing is in it. */
function some(fields: Fields): Fields | undefined {
  const said = tidy(fields);
  return Object.keys(said).length === 0 ? undefined : said;
}

interface Around {
  readonly apps: readonly string[];
  readonly environments: readonly EnvironmentWish[];
  readonly edges: readonly EdgeSpec[];
  readonly config: unknown;
}

function environmentText({ environment, workflow, windows, windowsHoldRollback }: PipelineEnvironment, { apps, environments, edges, config }: Around): Fields {
  const wish = environments.find((one) => one.environment === environment);
  const into = edges.filter(({ to }) => to === environment).flatMap((edge) => edge.apps);
  const usual = apps.filter((app) => into.includes(app)).join() === wish?.apps.join();
  return tidy({ name: environment, targets: labelsText(wish?.selector ?? {}), apps: usual ? undefined : wish?.apps, deployment: config, workflow, windows: full(windows), windowsHoldRollback: windowsHoldRollback ? true : undefined });
}

function promotionTexts(edges: readonly EdgeSpec[], environments: readonly EnvironmentWish[]): readonly Fields[] {
  const ends = edges.map(({ from, to }) => ({ from: from.kind === 'app' ? { app: from.app } : { environment: from.environment }, to }));
  const usual = edgeNames(ends).every((name, index) => name === edges[index]?.edge);
  return edges.map(({ edge, from, to, apps, auto, select, approval, soakMs, after, windows }, index) => {
    const source = from.kind === 'app' ? [from.app] : into(edges, from.environment, environments);
    return tidy({
      name: usual ? undefined : edge,
      from: ends[index]?.from,
      to,
      apps: source.join() === apps.join() ? undefined : [...apps],
      auto: auto ? true : undefined,
      select: selectText(select),
      approval: approval === undefined ? undefined : approvalText(approval),
      soak: duration(soakMs),
      after: full(after),
      windows: full(windows),
    });
  });
}

/** What the promotions bring to an environment, in the order of its own applications. */
function into(edges: readonly EdgeSpec[], environment: string, environments: readonly EnvironmentWish[]): readonly string[] {
  const brought = new Set(edges.filter(({ to }) => to === environment).flatMap((edge) => edge.apps));
  return (environments.find((wish) => wish.environment === environment)?.apps ?? []).filter((app) => brought.has(app));
}

function selectText(select: readonly SelectKey[]): unknown {
  const keys = select.map((key) => (key.by === 'author' ? { author: [...key.authors] } : key.by === 'list' ? { list: [...key.revisions] } : key.by));
  if (keys.length !== 1) return { order: keys };
  return keys[0] === 'latest' ? undefined : keys[0];
}
