// Long polls: each ends for one reason, at its time, and ten thousand of them wait on one timer.

import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Polls, type Woken } from '../../../control/fleet/polls.ts';
import { SteppedClock } from './stepped-clock.ts';

class Stage {
  readonly clock = new SteppedClock();
  readonly stopping = new AbortController();
  readonly polls = new Polls(this.clock, this.stopping.signal);
  readonly ended = new Map<string, Woken>();

  /** Opens a poll and waits; `name` for what came of it. */
  poll(member: string, ms: number, { name = member, signal = new AbortController().signal }: { readonly name?: string; readonly signal?: AbortSignal } = {}): void {
    const poll = this.polls.open(member);
    void poll.wait(ms, { signal }).then((woken) => {
      this.ended.set(name, woken);
      poll.end();
    });
  }
}

test('each ends when its time has come, whichever began first, on one timer', async () => {
  const stage = new Stage();
  stage.poll('late', 60_000);
  stage.poll('soon', 1_000);
  for (let index = 0; index < 1_000; index += 1) stage.poll(`m${index}`, 30_000);
  await setImmediate();
  expect(stage.clock.waits).toBe(1);
  await stage.clock.pass(1_020);
  expect([...stage.ended]).toEqual([['soon', 'timeout']]);
  await stage.clock.pass(29_000);
  expect(stage.ended.size).toBe(1_001);
  await stage.clock.pass(30_000);
  expect(stage.ended.get('late')).toBe('timeout');
  expect(stage.clock.waits).toBe(0);
});

test('ends with news, with a newer poll, when its member hangs up, and when the control plane stops', async () => {
  const stage = new Stage();
  const hanging = new AbortController();
  stage.poll('told', 60_000);
  stage.poll('again', 60_000, { name: 'older' });
  stage.poll('again', 60_000);
  stage.poll('gone', 60_000, { signal: hanging.signal });
  stage.polls.wake('told');
  hanging.abort();
  await setImmediate();
  expect(Object.fromEntries(stage.ended)).toEqual({ told: 'news', older: 'replaced', gone: 'gone' });
  expect([...stage.polls.members()]).toEqual(['again']);
  stage.stopping.abort();
  await setImmediate();
  expect(stage.ended.get('again')).toBe('gone');
  expect(stage.clock.waits).toBe(0);
  stage.poll('afterwards', 60_000);
  await setImmediate();
  expect(stage.ended.get('afterwards')).toBe('gone');
});

test('news that came between two waits of a poll is not lost', async () => {
  const stage = new Stage();
  const poll = stage.polls.open('m');
  stage.polls.wake('m');
  expect(await poll.wait(60_000, { signal: new AbortController().signal })).toBe('news');
});
