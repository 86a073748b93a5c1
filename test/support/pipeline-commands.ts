// What people do to the pipeline of the simulations, at random: promote, vote, lock, freeze, pin, veto, switch off and on. The
// pipeline is alpha, beta and prod with a workflow, a window, soak and an approval; what must hold of it is pipeline-invariants.ts.

import type { Command } from '../../control/core/commands/command.ts';
import type { State } from '../../control/core/model/model.ts';
import type { AutomationScope, Scope } from '../../proto/events-pipeline.ts';
import type { PipelineSpec } from '../../proto/pipeline.ts';
import type { TimeWindow } from '../../proto/window.ts';
import { digestOf, edge, hourMs, pipeline, place } from './pipeline-world.ts';
import type { Random } from './random.ts';

/** What somebody who gives a command sees. */
export interface Seen {
  readonly state: State;
  readonly now: number;
  /** An id that nobody used. */
  id(what: string): string;
}

const everyDay = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const hours: TimeWindow = {
  window: 'hours', kind: 'allow', timeZone: 'UTC', onClose: 'pause', maxDeploysPerOccurrence: 2,
  schedule: { kind: 'weekly', rows: [{ days: everyDay, times: { from: '09:00', to: '16:00' } }] },
};
const smoke = { workflow: 'smoke', lock: 'stage', timeoutMs: 3 * hourMs, steps: [{ step: 'smoke', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false }] } as const;

/** The pipeline, with what may vary in it. */
export function randomPipeline(random: Random): PipelineSpec {
  return pipeline({
    executionMode: random.pick(['superseded', 'queued']),
    windows: [hours],
    workflows: [smoke],
    stages: [
      { stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] },
      { stage: 'beta', environments: [place('beta')] },
      { stage: 'prod', environments: [place('prod', { windows: ['hours'] })] },
    ],
    edges: [
      edge('web', 'alpha', { select: [{ by: random.pick<'number' | 'priority' | 'latest'>(['number', 'priority', 'latest']) }] }),
      edge('alpha', 'beta', { soakMs: random.pick([0, hourMs]) }),
      edge('beta', 'prod', { approval: { rules: [{ group: 'qa', count: 1 }, { group: 'product', count: 1 }], preventSelfApproval: true, expiresAfterMs: 48 * hourMs }, after: random.pick([[], ['alpha']]) }),
    ],
  });
}

/** Those of the pipeline, in order. */
export const environments = ['alpha', 'beta', 'prod'] as const;
type Person = readonly [string, readonly string[]];
const people: readonly [Person, ...Person[]] = [['quinn', ['qa']], ['pat', ['product']], ['ada', ['qa', 'product']], ['eve', []]];

/** Something that somebody asks for; undefined when there was nothing to do it to. */
export function randomCommand(world: Seen, random: Random): Command | undefined {
  const environment = random.pick(environments);
  const number = 1 + random.below(world.state.apps.get('web')?.revisions.length ?? 1);
  const revision = String(number);
  const on = random.chance(0.6);
  const id = world.id('x');
  const request = random.pick(['', ...openRequests(world.state)]);
  const [by, groups] = random.pick(people);
  const run = [...world.state.runs.values()].find((one) => one.phase === 'running')?.run;
  const lock = [...world.state.locks.values()].find((one) => one.mode === 'manual');
  const scope = random.pick<Scope>([{ kind: 'all' }, { kind: 'project', id: 'shop' }, { kind: 'stage', id: `shop/${environment}` }, { kind: 'environment', id: environment }]);
  const choices: readonly [number, () => Command | undefined][] = [
    [14, () => ({ kind: 'promote', promotion: id, environment, revision, ...(random.chance(0.2) ? { cause: 'hotfix', reason: 'now' } : {}) })],
    [6, () => ({ kind: 'rollback', promotion: id, environment })],
    [30, () => (request === '' ? undefined : { kind: 'vote', request, decision: random.chance(0.9) ? 'approve' : 'reject', by, groups, comment: 'because' })],
    [4, () => (request === '' ? undefined : { kind: 'revoke-vote', request: random.pick(['request-1', ...world.state.requests.keys()]), by, reason: 'no' })],
    [20, () => (run === undefined ? undefined : { kind: 'finish-workflow', run, phase: random.pick(['successful', 'successful', 'failed', 'inconclusive']) })],
    [3, () => ({ kind: 'start-workflow', run: id, environment: 'alpha' })],
    [4, () => (lock === undefined ? { kind: 'acquire-lock', lock: id, scope, holder: 'ada', reason: 'x', includeRollback: random.chance(0.3), ...(random.chance(0.5) ? { expiresAt: world.now + hourMs } : {}) } : { kind: 'release-lock', lock: lock.lock, holder: 'ada' })],
    [4, () => (world.state.freezes.size === 0 ? { kind: 'start-freeze', freeze: id, scope: { kind: 'all' }, reason: 'x', until: world.now + hourMs } : { kind: 'end-freeze', freeze: [...world.state.freezes.keys()][0] ?? '' })],
    [3, () => (world.state.pins.has(environment) ? { kind: 'remove-pin', environment } : { kind: 'place-pin', environment, revision, reason: 'x' })],
    [3, () => (world.state.vetoes.has(`web@${digestOf(number)}`) ? { kind: 'remove-veto', app: 'web', revision: digestOf(number) } : { kind: 'place-veto', app: 'web', revision, reason: 'x' })],
    [3, () => ({ kind: 'switch-pipeline', pipeline: 'shop', on })],
    [3, () => ({ kind: 'switch-edge', edge: 'shop/alpha-beta', on })],
    [4, () => ({ kind: 'set-automation', scope: random.pick<AutomationScope>([{ kind: 'edge', id: 'shop/beta-prod' }, { kind: 'environment', id: environment }, { kind: 'app', id: 'web' }]), on })],
    [6, () => ({ kind: 'release-hold', edge: [...world.state.holds.keys()][0] ?? '' })],
    [3, () => ({ kind: 'describe-revision', app: 'web', revision, description: { priority: random.below(3), changes: [{ commit: id, author: by, message: '', checkedInAt: world.now }] } })],
  ];
  let at = random.below(choices.reduce((total, [weight]) => total + weight, 0));
  for (const [weight, make] of choices) {
    at -= weight;
    if (at < 0) return make();
  }
  return undefined;
}

function openRequests(state: State): readonly string[] {
  return [...state.requests.values()].filter((request) => request.status === 'open').map((request) => request.request);
}
