// Change progress by time, against a recomputation from the journal that knows nothing of how it is made.

import { describe, expect, it } from 'vitest';
import { checkInsOf, columnsOf, placeKey, progressOf, type Progress } from '../../../../control/core/history/changes.ts';
import type { State } from '../../../../control/core/model/model.ts';
import type { Observed } from '../../../../control/core/model/select.ts';
import { PipelineWorld, config, digestOf, edge, minuteMs, pipeline } from '../../../support/pipeline-world.ts';
import { someHistory } from './some-history.ts';

function everything(state: State, observed: Observed): readonly Progress[] {
  const progress = progressOf(state, observed, columnsOf(state));
  return checkInsOf(state, ['web']).map((one) => progress.cells(one));
}

interface Ran {
  readonly at: number;
  readonly number: number;
  readonly phase: string;
}

/** From raw facts: what ran when, what is under way, what waits, and what ended otherwise. */
function recomputed({ journal }: PipelineWorld) {
  const ran = new Map<string, Ran[]>();
  const started = new Map<string, { readonly environment: string; readonly number: number; readonly rollback: boolean; readonly promotion: string }>();
  const waiting = new Map<string, { readonly environment: string; readonly number: number }>();
  const ended = new Map<string, Ran[]>();
  const commits = new Map<string, number>();
  let pushed = 0;
  const described = new Map<string, readonly string[]>();
  for (const { at, event } of journal) {
    if (event.kind === 'revision.created') pushed = event.number;
    if (event.kind === 'revision.described') described.set(event.revision, (event.description.changes ?? []).map(({ commit }) => commit));
    if (event.kind === 'promotion.created') waiting.set(event.promotion, event);
    if (event.kind === 'promotion.finished') waiting.delete(event.promotion);
    if (event.kind === 'deployment.started' && event.type !== 'catch-up') {
      started.set(event.deployment, { environment: event.environment, number: event.number, rollback: event.type === 'rollback', promotion: event.promotion });
      waiting.delete(event.promotion);
    }
    const over = event.kind === 'deployment.finished' ? started.get(event.deployment) : undefined;
    if (event.kind !== 'deployment.finished' || over === undefined) continue;
    started.delete(event.deployment);
    const list = event.phase === 'succeeded' ? ran : ended;
    if (event.phase === 'succeeded' || !over.rollback) list.set(over.environment, [...(list.get(over.environment) ?? []), { at, number: over.number, phase: event.phase }]);
  }
  for (let number = 1; number <= pushed; number += 1) for (const commit of described.get(digestOf(number)) ?? [`web@${number}`]) if (!commits.has(commit)) commits.set(commit, number);
  return { ran, started, waiting, ended, commits };
}

function expectedOf(past: ReturnType<typeof recomputed>, environment: string, number: number): { readonly states: readonly string[]; readonly since?: number } {
  const ran = past.ran.get(environment) ?? [];
  if ((ran.at(-1)?.number ?? 0) >= number) {
    let since = 0;
    for (let at = ran.length - 1; at >= 0 && (ran[at]?.number ?? 0) >= number; at -= 1) since = ran[at]?.at ?? 0;
    return { states: ['there'], since };
  }
  const carries = (one: { readonly environment: string; readonly number: number }): boolean => one.environment === environment && one.number >= number;
  if ([...past.started.values()].some(carries)) return { states: ['deploying'] };
  if ([...past.waiting.values()].some(carries)) return { states: ['waiting'] };
  const failed = (past.ended.get(environment) ?? []).findLast((one) => one.number >= number);
  const was = ran.some((one) => one.number >= number);
  const source = { alpha: 'web', beta: 'alpha', prod: 'beta' }[environment] ?? '';
  const upstream = source === 'web' ? Infinity : (past.ran.get(source)?.at(-1)?.number ?? 0);
  const states = [...(upstream >= number ? ['waiting'] : []), ...(failed === undefined && !was ? [] : [failed !== undefined && failed.phase !== 'rolled-back' && !was ? 'failed' : 'rolled-back', ...(failed === undefined || failed.phase === 'rolled-back' ? [] : ['failed'])])];
  // What was left behind at the source may be chosen again.
  return { states: states.length === 0 ? ['absent', 'waiting'] : failed === undefined && !was ? states : [...states, 'waiting'] };
}

describe('O-4 CDS-16 change progress', () => {
  it.each(Array.from({ length: 12 }, (_, index) => index + 1))('equals a recomputation from raw deployments at any time, each change once, seed %i', (seed) => {
    const seen = new Set<string>();
    someHistory(seed, 80, { look: (world) => {
      const past = recomputed(world);
      const rows = everything(world.state, world.observed);
      const names = rows.map(({ commit, number }) => commit ?? `web@${number}`);
      expect(Object.fromEntries(rows.map((row, index) => [names[index], row.number]))).toEqual(Object.fromEntries(past.commits));
      expect(new Set(names).size).toBe(names.length);
      for (const { number, cells, inFlight } of rows) {
        expect(cells.map(({ environment }) => environment)).toEqual(['alpha', 'beta', 'prod']);
        for (const cell of cells) {
          const expected = expectedOf(past, cell.environment, number);
          expect(expected.states, `web@${number} in ${cell.environment}`).toContain(cell.state);
          if (cell.state === 'there') expect(cell.since).toBe(expected.since);
          if (cell.state === 'waiting') expect(cell.reason).not.toBe('');
          seen.add(cell.state);
        }
        expect(inFlight).toBe(cells.some(({ state }) => state !== 'there'));
      }
    } });
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(['deploying', 'there', 'waiting']));
  });

  it('is in the order of check-in, newest first, whatever was pushed when', () => {
    const world = someHistory(5, 80);
    const keys = checkInsOf(world.state, ['web']).map(placeKey);
    expect(keys).toEqual(keys.toSorted());
    const times = checkInsOf(world.state, ['web']).map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  it('tells of a bad revision where it failed, and why the next one waits', () => {
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { auto: false })] }));
    world.push(1);
    world.settle();
    world.promote('prod', 1, { cause: 'hotfix', reason: 'the first' });
    world.settle();
    world.push(2);
    world.bad.add(digestOf(2));
    world.wait(minuteMs);
    const [second, first] = everything(world.state, world.observed);
    expect(first?.cells.map(({ state }) => state)).toEqual(['there', 'there']);
    expect(second?.cells).toMatchObject([{ state: 'rolled-back', number: 2, reason: expect.stringContaining('alpha-1 rolled-back') }, { state: 'absent' }]);
    world.bad.clear();
    world.promote('alpha', 2);
    world.settle();
    expect(everything(world.state, world.observed)[0]?.cells).toMatchObject([{ state: 'there' }, { state: 'waiting', number: 2, reason: expect.stringContaining('waits for the approval') }]);
  });

  it('does not take content that is brought near for what runs', () => {
    const world = new PipelineWorld(['prod']);
    world.push(1);
    world.promote('prod', 1);
    world.settle();
    world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, prefetch: { enabled: true } } });
    world.ask({ kind: 'acquire-lock', lock: 'quiet', scope: { kind: 'environment', id: 'prod' }, holder: 'ann', reason: 'a demonstration', includeRollback: false });
    world.push(2);
    world.promote('prod', 2);
    world.settle();
    expect([...world.state.deployments.values()].some(({ type }) => type === 'prefetch')).toBe(true);
    expect(everything(world.state, world.observed)[0]?.cells).toMatchObject([{ state: 'waiting', reason: expect.stringContaining('a demonstration') }]);
    world.ask({ kind: 'release-lock', lock: 'quiet', holder: 'ann' });
    world.settle();
    const [started] = world.journal.filter(({ event }) => event.kind === 'deployment.finished').slice(-1);
    expect(everything(world.state, world.observed)[0]?.cells).toMatchObject([{ state: 'there', since: started?.at }]);
  });

  it('tells of the newest of 10,000 revisions as of those of ten', () => {
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(pipeline({ edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })] }));
    const [app] = world.state.apps.values();
    if (app === undefined) throw new Error('no application');
    world.push(1);
    const record = world.state.apps.get('web')?.revisions[0];
    if (record === undefined) throw new Error('no revision');
    const revisions = Array.from({ length: 10_000 }, (_, index) => ({ ...record, number: index + 1, revision: digestOf(index + 1), createdAt: index }));
    const state: State = { ...world.state, apps: new Map([['web', { ...app, revisions }]]) };
    const progress = progressOf(state, world.observed, columnsOf(state));
    const rows = checkInsOf(state, ['web']).filter(progress.inFlight).slice(0, 500).map(progress.cells);
    expect(rows.map(({ number }) => number).slice(0, 3)).toEqual([10_000, 9_999, 9_998]);
    expect(rows[0]?.cells.map(({ state: cell }) => cell)).toEqual(['waiting', 'absent']);
  });
});
