// The system's clock: what becomes of a wait that is cut short.

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { systemClock } from '../../control/clock.ts';

test('a wait that is cut short rejects with the signal\'s very reason, and one that begins afterwards does at once', async () => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const waiting = systemClock.wait(60_000, { signal });
  stopping.abort('roused');
  await expect(waiting).rejects.toBe('roused');
  await expect(systemClock.wait(60_000, { signal })).rejects.toBe('roused');
});

test('a wait that comes to its end leaves nothing with its signal', async () => {
  const { signal } = new AbortController();
  await systemClock.wait(0, { signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
