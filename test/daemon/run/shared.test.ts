// Work that several wait for, and who may leave it when.

import { expect, it } from 'vitest';
import { createShared } from '../../../daemon/run/shared.ts';

function works() {
  const begun: { readonly all: AbortSignal; readonly end: PromiseWithResolvers<string> }[] = [];
  const work = async (all: AbortSignal): Promise<string> => {
    const end = Promise.withResolvers<string>();
    all.addEventListener('abort', () => end.reject(new Error('stopped')), { once: true });
    begun.push({ all, end });
    return await end.promise;
  };
  return { begun, work };
}

it('is done once for all who wait, and ends for all of them', async () => {
  const { begun, work } = works();
  const shared = createShared<string, string>();
  const { signal } = new AbortController();
  const all = [shared.join('a', signal, work), shared.join('a', signal, work), shared.join('b', signal, work)];
  expect(begun).toHaveLength(2);
  begun[0]?.end.resolve('one');
  begun[1]?.end.resolve('two');
  expect(await Promise.all(all)).toEqual(['one', 'one', 'two']);
  const again = shared.join('a', signal, work);
  begun[2]?.end.resolve('three');
  expect(await again).toBe('three');
});

it('goes on for those who came later when the first one leaves', async () => {
  const { begun, work } = works();
  const shared = createShared<string, string>();
  const first = new AbortController();
  const left = shared.join('a', first.signal, work);
  const stays = shared.join('a', new AbortController().signal, work);
  first.abort(new Error('the first one left'));
  await expect(left).rejects.toThrow('the first one left');
  expect(begun[0]?.all.aborted).toBe(false);
  begun[0]?.end.resolve('done');
  expect(await stays).toBe('done');
});

it('is stopped when nobody waits any more; who comes then waits for its end and begins anew', async () => {
  const { begun, work } = works();
  const shared = createShared<string, string>();
  const callers = [new AbortController(), new AbortController()];
  const waits = callers.map(async ({ signal }) => await shared.join('a', signal, work).then(() => 'done', (error: unknown) => String(error)));
  for (const [at, caller] of callers.entries()) caller.abort(new Error(`caller ${at} left`));
  const late = shared.join('a', new AbortController().signal, work);
  expect(await Promise.all(waits)).toEqual(['Error: caller 0 left', 'Error: stopped']);
  await expect.poll(() => begun.length).toBe(2);
  begun[1]?.end.resolve('anew');
  expect(await late).toBe('anew');
});

it('begins nothing for a caller whose signal has fired already', async () => {
  const { begun, work } = works();
  await expect(createShared<string, string>().join('a', AbortSignal.abort(new Error('too late')), work)).rejects.toThrow('too late');
  expect(begun).toEqual([]);
});
