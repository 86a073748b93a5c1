// The queue before the scheduler: what one turn of the event loop brings is taken in its order, and followed by one look at what to ask for.

import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../../daemon/clock.ts';
import { createSchedule } from '../../../../daemon/core/schedule/schedule.ts';
import type { Effect, ScheduleEvent } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { createTurns } from '../../../../daemon/swarm/exchange/turns.ts';

const stored = (ordinal: number): ScheduleEvent => ({ kind: 'stored', topic: 1, ordinal, bytes: 1 });

/** A scheduler that writes down what it is asked, and answers the event of an ordinal with the effects given for it. */
function writtenDown(answers: ReadonlyMap<number, Effect> = new Map()) {
  const asked: string[] = [];
  const schedule = {
    ...createSchedule({ self: { member: 'a', origin: false, environments: [] }, random: () => 0 }),
    take(event: ScheduleEvent): readonly Effect[] {
      const ordinal = event.kind === 'stored' ? event.ordinal : -1;
      asked.push(`take ${ordinal}`);
      const answer = answers.get(ordinal);
      return answer === undefined ? [] : [answer];
    },
    settle(): readonly Effect[] {
      asked.push('settle');
      return [];
    },
  };
  return { asked, schedule };
}

describe('events for the scheduler', () => {
  test('of one turn are taken in their order and looked at once, when the turn is over', () => {
    const { asked, schedule } = writtenDown();
    const looks: (() => void)[] = [];
    const turns = createTurns({ schedule, clock: systemClock, soon: (look) => void looks.push(look), perform: () => undefined, onLooked: () => void asked.push('looked') });
    for (const ordinal of [3, 1, 2]) turns.tell(stored(ordinal));
    expect([asked, looks.length]).toEqual([[], 1]);
    looks[0]?.();
    expect(asked).toEqual(['take 3', 'take 1', 'take 2', 'settle', 'looked']);
    turns.tell(stored(4));
    expect(looks).toHaveLength(2);
  });

  test('that carrying out an effect brings about are taken in the same look, after those that came before; a chunk keeps its bytes', () => {
    const bytes = Uint8Array.of(7);
    const { asked, schedule } = writtenDown(new Map([[1, { kind: 'done', topic: 1, fetch: 1 }]]));
    const performed: (Uint8Array | undefined)[] = [];
    const looks: (() => void)[] = [];
    const turns = createTurns({
      schedule, clock: systemClock, soon: (look) => void looks.push(look), onLooked: () => undefined,
      perform: (_, of) => {
        performed.push(of);
        turns.tell(stored(9));
      },
    });
    turns.tell(stored(1), bytes);
    turns.tell(stored(2));
    looks[0]?.();
    expect(asked).toEqual(['take 1', 'take 2', 'take 9', 'settle']);
    expect([performed, looks.length]).toEqual([[bytes], 1]);
  });

  test('are taken at once where nobody says when', () => {
    const { asked, schedule } = writtenDown();
    const turns = createTurns({ schedule, clock: systemClock, perform: () => undefined, onLooked: () => undefined });
    turns.tell(stored(1));
    turns.tell(stored(2));
    expect(asked).toEqual(['take 1', 'settle', 'take 2', 'settle']);
  });
});
