// A pipeline that is written as a file and read again is the same pipeline, whatever is in it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { initialState } from '../../../control/core/evolve/evolve.ts';
import { applied, planPipeline } from '../../../control/core/forecast/plan.ts';
import type { PipelineFile } from '../../../control/files/compile.ts';
import { readFileText } from '../../../control/files/read.ts';
import { daysOf, daysText, durationMs, durationText } from '../../../control/files/units.ts';
import { pipelineYaml } from '../../../control/files/write.ts';
import { noticeNames } from '../../../proto/notification.ts';

type Fields = Readonly<Record<string, unknown>>;
const may = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> => fc.option(value, { nil: undefined });
const fields = (values: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Fields> => fc.record(values).map((found) => Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)));
const flag = may(fc.boolean());
const duration = fc.tuple(fc.integer({ min: 1, max: 24 }), fc.constantFrom('s', 'm', 'h')).map(([count, unit]) => `${count}${unit}`);
const share = (max = 100) => fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max }).map((percent) => `${percent}%`));
const rules = fc.array(fields({ group: fc.constantFrom('qa', 'product', '*'), count: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 2 });
const approval = { rules, preventSelfApproval: flag, expiresAfter: may(fc.oneof(duration, fc.constant('never'))) };
/** With names that come once. */
const named = (prefix: string, item: fc.Arbitrary<Fields>, maxLength = 3) => fc.array(item, { maxLength }).map((items) => items.map((one, index) => ({ name: `${prefix}-${index}`, ...one })));

const clock = fc.constantFrom(['00:00', '24:00'], ['09:00', '16:00'], ['22:00', '06:00']);
const override = may(fc.record({ approvals: fc.record({ group: fc.constant('ops'), count: fc.integer({ min: 1, max: 2 }) }) }));
const shared = { kind: fc.constantFrom('allow', 'deny'), timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'), onClose: may(fc.constantFrom('pause', 'finish', 'rollback')), jitter: may(fc.constantFrom('30s', '5m')), maxDeploysPerOccurrence: may(fc.integer({ min: 1, max: 5 })), override };
const days = fc.subarray(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], { minLength: 1 });
const row = fc.tuple(days, may(clock)).map(([on, times]) => ({ days: on, ...(times === undefined ? {} : { from: times[0], to: times[1] }) }));
const window = fc.oneof(
  fields({ ...shared, weekly: fc.array(row, { minLength: 1, maxLength: 2 }) }),
  fields({ ...shared, cron: fc.constantFrom('0 9 * * mon-fri', '30 2 1 * *'), duration: fc.constantFrom('1h', '90m') }),
  fields({ ...shared, once: fc.constant({ from: '2026-12-18T00:00', to: '2027-01-03T00:00:30' }) }),
).map(({ jitter, maxDeploysPerOccurrence, ...more }) => (more['kind'] === 'deny' ? more : { ...more, ...(jitter === undefined ? {} : { jitter }), ...(maxDeploysPerOccurrence === undefined ? {} : { maxDeploysPerOccurrence }) }));

const step = fc.oneof(
  fields({ kind: fc.constantFrom('test', 'command'), run: fc.constantFrom('./smoke.sh', 'npm test -- --bail "a b": #1'), runsOn: may(fc.constant({ role: 'tester' })), timeout: may(duration), retries: may(fc.integer({ min: 0, max: 3 })), allowFailure: flag }),
  fields({ kind: fc.constant('bake'), duration }),
  fields({ kind: fc.constant('bake'), duration, provider: fc.constant({ prometheus: { url: 'http://prom:9090' } }), interval: may(duration), minSamples: fc.constant({ metric: 'requests', count: 1000 }) }),
  fields({ kind: fc.constant('analysis'), provider: fc.constant({ prometheus: { url: 'http://prom:9090', query: 'sum(rate(errors[5m]))' } }), interval: may(duration), count: may(fc.integer({ min: 1, max: 9 })), successCondition: fc.constant('result < 0.01'), failureCondition: may(fc.constant('result >= 0.05')), failureLimit: may(fc.nat(3)) }),
  fields({ kind: fc.constant('approval'), ...approval }),
  fields({ kind: fc.constant('notify'), to: fc.constant('pager'), message: may(fc.constant('yes: no')) }),
);
const workflow = fc.record({ lock: may(fc.constantFrom('stage', 'environment', 'none')), timeout: duration, schedule: may(fc.constant({ cron: '0 3 * * *', timeZone: 'Europe/Berlin' })), steps: named('step', step).filter((steps) => steps.length > 0), chained: fc.boolean() }).map(({ lock, timeout, schedule, steps, chained }) => ({
  ...(lock === undefined ? {} : { lock }),
  ...(schedule === undefined ? {} : { schedule }),
  timeout,
  steps: steps.map((one, index) => (chained && index > 0 ? { ...one, needs: [`step-${index - 1}`] } : one)),
}));

const deployment = fields({
  batches: may(fc.array(fields({ size: share(), canary: flag, bake: may(duration), minSamples: may(fields({ metric: fc.constant('requests'), count: fc.constant(9), interval: may(duration) })), provider: fc.constant({ prometheus: { url: 'http://prom:9090' } }) }), { minLength: 1, maxLength: 3 }).map((batches) => batches.map((batch, index) => (index % 2 === 0 ? batch : { name: `batch-${index}`, ...batch })))),
  bake: may(duration),
  maxParallel: may(share()),
  minHealthy: may(share(99)),
  healthyDeadline: may(duration),
  progressDeadline: may(duration),
  failureThreshold: may(fields({ count: may(fc.integer({ min: 1, max: 9 })), percent: may(fc.integer({ min: 1, max: 100 })) })),
  unreachable: may(fields({ tolerate: may(share(99)), after: may(duration) })),
  autoRollback: may(fc.oneof(fc.boolean(), fields({ onHealth: flag, onError: flag, onAlarm: flag, onVerification: may(fc.subarray(['failed', 'timed-out', 'error', 'aborted'])) }))),
  rollback: may(fields({ skipBake: flag, ignoreWindows: flag })),
  prefetch: may(fc.oneof(fields({ ignoreWindows: flag, quorum: may(fields({ coverage: may(fc.constantFrom(0.5, 0.98)), minCopiesPerZone: may(fc.nat(3)) })) }), fc.constant({ enabled: false }))),
  stripeBy: may(fc.constantFrom('zone', 'rack')),
  alarms: may(named('alarm', fc.oneof(fields({ webhook: fc.constant('http://alerts:9093/api/v2/alerts?active=true'), action: may(fc.constantFrom('pause', 'rollback')) }), fields({ provider: fc.constant({ prometheus: { url: 'http://prom:9090', query: 'errors' } }), failureCondition: fc.constant('result > 1'), interval: may(duration) })), 2)),
});

const select = fc.oneof(fc.constantFrom('latest', 'matchDestination'), fc.constant({ author: ['ada', 'bob'] }), fc.constant({ order: ['priority', { list: ['a'.repeat(64)] }, 'number'] }));
const policy = fields({
  framework: may(fc.constantFrom('SOX', 'PCI', 'custom')), version: may(fc.integer({ min: 1, max: 9 })), mode: may(fc.constantFrom('enforce', 'observe')),
  requires: fc.subarray([{ rule: 'approvals', group: 'security', count: 2 }, { rule: 'separationOfDuties' }, { rule: 'signedArtifacts', keys: ['release-key'] }, { rule: 'testedIn', environment: 'env-0' }, { rule: 'ticket', pattern: 'CHG-[0-9]+' }]),
  breakGlass: may(fields({ group: fc.constant('commanders'), count: may(fc.constant(2)), expires: may(duration), requireReview: flag })),
});

/** Deployment configurations, whose batches without a name are looked at where there are workflows. */
function verified({ configs, workflows: [first] }: { readonly configs: readonly Fields[]; readonly workflows: readonly Fields[] }): readonly Fields[] {
  return configs.map((config) => (Array.isArray(config['batches']) && first !== undefined ? { ...config, batches: config['batches'].map((batch: Fields) => (batch['name'] === undefined ? { ...batch, verify: first['name'] } : batch)) } : config));
}

/** A document in which each environment comes after the one that it is fed by. */
const document = fc
  .record({
    apps: fc.integer({ min: 1, max: 3 }), places: fc.integer({ min: 1, max: 4 }), together: fc.boolean(), windows: named('window', window, 2), workflows: named('workflow', workflow, 2), configs: named('config', deployment, 2), policies: named('policy', policy, 1), head: fields({ enabled: flag, executionMode: may(fc.constantFrom('superseded', 'queued')) }),
    notifications: fc.array(fc.record({ events: fc.subarray([...noticeNames], { minLength: 1 }), channel: fc.constant('pager') }), { maxLength: 2 }), build: may(fields({ repo: fields({ url: fc.constant('https://git.example.com/shop/web.git'), branch: may(fc.constantFrom('main', 'next')), paths: may(fc.constant(['src/**'])) }), autoBuild: fields({ enabled: flag, interval: may(fc.constantFrom('1m', '30s')), coalesce: flag, command: fc.constant('npm ci && npm run build'), output: may(fc.constantFrom('.', 'dist')), timeout: may(fc.constant('5m')), role: may(fc.constant('big')) }) })), edge: fields({ auto: flag, select: may(select), approval: may(fields(approval)), soak: may(duration), name: may(fc.constant('to')) }), hold: flag,
  })
  .map((one) => ({ ...one, configs: verified(one) }))
  .map(({ apps, places, together, windows, workflows, configs, policies, head, notifications, build, edge, hold }) => {
    const environments = Array.from({ length: places }, (_, index) => ({
      name: `env-${index}`, targets: index === 0 ? 'env=alpha' : { env: 'x', zone: `z${index}` }, ...(hold === undefined ? {} : { windowsHoldRollback: hold }),
      ...(workflows.length > 0 && index % 2 === 0 ? { workflow: workflows[index % workflows.length]?.name } : {}), ...(configs.length > 0 ? { deployment: configs[index % configs.length]?.name } : {}), windows: windows.slice(0, index).map(({ name }) => name),
    }));
    const { name, ...rest } = edge;
    const later = environments.slice(1).map((_, index) => ({ from: { environment: `env-${index}` }, to: `env-${index + 1}`, ...rest, ...(typeof name === 'string' ? { name: `${name}-${index}` } : {}), ...(index > 1 ? { after: ['env-0'], apps: ['app-0'] } : {}) }));
    return {
      apiVersion: 'starling/v1', kind: 'Pipeline', metadata: { name: 'p', project: 'q', ...(apps > 1 ? { labels: { team: 'checkout', tier: '1' } } : {}) },
      spec: {
        ...head, apps: Array.from({ length: apps }, (_, index) => ({ name: `app-${index}`, ...(index === 1 ? build : { requires: [{ node: 'node-runtime', version: '>=22.3 <23' }].slice(0, places - 1) }) })), windows, workflows, deploymentConfigs: configs, policies: policies.map((one) => ({ ...one, appliesTo: { environments: ['env-0'] } })), notifications,
        stages: together ? [{ name: 'all', environments }] : environments.map((one, index) => ({ name: `stage-${index}`, environments: [one] })),
        promotions: [...Array.from({ length: apps }, (_, index) => ({ from: { app: `app-${index}` }, to: 'env-0', auto: true })), ...later],
      },
    };
  });

function readOne(text: string): PipelineFile {
  const { pipelines, problems } = readFileText('f', text);
  const [file] = pipelines;
  if (file === undefined) throw new Error(`${JSON.stringify(problems)}\n${text}`);
  return file;
}

describe('a pipeline that is exported', () => {
  test('reads as what it was, and changes nothing when it is applied', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(document, (written) => {
        const file = readOne(stringify(written));
        const { enabled, ...same } = readOne(pipelineYaml(file));
        const { enabled: was, ...before } = file;
        expect(same).toEqual(before);
        expect(enabled ?? true).toBe(was ?? true);
        const command = { kind: 'apply-pipeline', ...file } as const;
        const state = applied(initialState(), command, 1);
        if ('kind' in state) throw new Error(state.message);
        expect(planPipeline(state, { now: 2, lastSeen: new Map(), since: 0 }, { ...command, ...same })).toMatchObject({ kind: 'none' });
      }),
      { numRuns: 60 },
    );
  });
});

test('durations and days are written as what they are read from', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e10 }), (ms) => durationMs(durationText(ms)) === ms));
  fc.assert(fc.property(days, (on) => daysOf(daysText(daysOf(on).days)).days.join() === daysOf(on).days.join()));
  expect([durationText(90_000), durationText(7_200_000), durationText(0), daysText(daysOf('fri-mon').days), daysText(daysOf('mon,wed,thu,fri').days)]).toEqual(['90s', '2h', '0s', 'mon,fri-sun', 'mon,wed-fri']);
});
