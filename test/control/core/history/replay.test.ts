// Every start of simulated histories is decided again from the journal alone, and comes out the same, byte for byte.

import { describe, expect, it } from 'vitest';
import { evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import { stepOf } from '../../../../control/core/decide.ts';
import { isReproduced, recordedIn, replay } from '../../../../control/core/history/replay.ts';
import { canonicalText } from '../../../../control/core/model/sets.ts';
import type { Observed } from '../../../../control/core/model/select.ts';
import type { JournalEntry } from '../../../../proto/events.ts';
import { PipelineWorld, dayMs, edge, pipeline } from '../../../support/pipeline-world.ts';
import { seeded } from '../../../support/random.ts';
import { someHistory } from './some-history.ts';

/** A fleet of which now this and now that machine is not heard for a day. */
class QuietWorld extends PipelineWorld {
  #random = seeded(7);

  override get observed(): Observed {
    const heard = [...this.state.members.keys()].map((member) => [member, this.#random.chance(0.2) ? this.now - 2 * dayMs : this.now] as const);
    return { ...super.observed, lastSeen: new Map(heard) };
  }
}

function starts(journal: readonly JournalEntry[]): readonly JournalEntry[] {
  return journal.filter(({ event }) => event.kind === 'deployment.started');
}

/** The decision that led to an entry, from the journal up to where it was made. */
function again(journal: readonly JournalEntry[], entry: JournalEntry) {
  const recorded = recordedIn(entry);
  if (recorded === undefined || entry.event.kind !== 'deployment.started') throw new Error('nothing was recorded');
  const state = evolveAll(initialState(), journal.slice(0, recorded.head));
  return replay({ state, ...recorded }, { environment: entry.event.environment });
}

function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('nothing there');
  return value;
}

describe('a decision made again', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('C-2 T-2 is the one that is on record, byte for byte, for each start of a history, seed %i', (seed) => {
    const { journal } = someHistory(seed, 120, { world: (environments) => new QuietWorld(environments) });
    const entries = starts(journal);
    expect(entries.length).toBeGreaterThan(3);
    for (const entry of entries) {
      const decision = again(journal, entry);
      expect(isReproduced(entry, decision), `entry ${entry.seq}`).toBe(true);
      expect(canonicalText(again(journal, entry))).toBe(canonicalText(decision));
    }
  });

  it('leaves out of a catch-up whoever was silent then', () => {
    const world = new PipelineWorld(['prod']);
    world.push(1);
    world.promote('prod', 1);
    world.settle();
    const { state, now: at, journal } = world;
    const late = ['late-1', 'late-2'].flatMap((member): readonly JournalEntry['event'][] => [
      { kind: 'member.enrolled', member, name: member, publicKey: member, roles: ['agent'], environments: ['prod'], labels: { env: 'prod' }, attributes: {}, serial: 9, token: 'x' },
    ]);
    world.append(late, 'system');
    const seen = { ...world.observed, lastSeen: new Map([...world.observed.lastSeen].filter(([member]) => member !== 'late-1')) };
    world.append(stepOf(world.state, found(world.state.environments.get('prod')), seen).events, 'system');
    const entry = found(starts(journal).at(-1));
    expect([state.head < entry.seq, recordedIn(entry)]).toEqual([true, { head: entry.seq - 1, at, silent: ['late-1'] }]);
    expect(isReproduced(entry, again(journal, entry))).toBe(true);
    const { event } = entry;
    if (event.kind !== 'deployment.started') throw new Error('no start');
    expect([event.type, event.batches.flat().toSorted()]).toEqual(['catch-up', ['late-2', 'prod-1', 'prod-2']]);
  });

  it('is another when the journal says something else', () => {
    const { journal } = someHistory(2, 60);
    const [entry] = starts(journal);
    if (entry === undefined || entry.event.kind !== 'deployment.started') throw new Error('nothing started');
    expect(isReproduced({ ...entry, event: { ...entry.event, number: 99 } }, again(journal, entry))).toBe(false);
  });

  it('goes by the machines that were silent then', () => {
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(pipeline({ edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })] }));
    world.push(1);
    world.promote('alpha', 1, { cause: 'hotfix', reason: 'x' });
    const { state, now: at } = world;
    expect(replay({ state, at }).events).toMatchObject([{ kind: 'deployment.started' }]);
    const quiet = replay({ state, at, silent: ['alpha-1', 'alpha-2'] });
    expect([quiet.events, quiet.promotions[0]?.gates.blockers.map(({ type }) => type)]).toEqual([[], ['targets-offline']]);
  });
});
