// Between which revisions deltas are made, and what several fetches come to.

import { expect, test } from 'vitest';
import { createDeltaPairs } from '../../../../daemon/run/delta/pairs.ts';
import { mergeTransfers } from '../../../../daemon/run/delta/transfer.ts';

const web = (revision: string) => ({ app: 'web', revision });

test('deltas are wanted to what was published, from what environments run and from what was published before', () => {
  const pairs = createDeltaPairs();
  pairs.name([web('one')]);
  pairs.publish('web', 'two');
  pairs.publish('web', 'three');
  expect(pairs.wanted()).toEqual([{ from: 'one', to: 'three' }, { from: 'two', to: 'three' }]);
});

test('what an environment named before stays a base: targets run it until they have the new one', () => {
  const pairs = createDeltaPairs();
  pairs.name([web('one')]);
  pairs.name([web('two')]);
  expect(pairs.wanted()).toEqual([{ from: 'one', to: 'two' }]);
  expect([...pairs.targets()]).toEqual(['two']);
});

test('a revision has at most four bases, the newest', () => {
  const pairs = createDeltaPairs();
  for (const revision of ['one', 'two', 'three', 'four', 'five', 'six']) pairs.name([web(revision)]);
  expect(pairs.wanted().map(({ from }) => from)).toEqual(['five', 'four', 'three', 'two']);
});

test('applications have their turns: none waits for all sets of another', () => {
  const pairs = createDeltaPairs();
  for (const revision of ['one', 'two', 'three']) pairs.name([web(revision), { app: 'db', revision: `db-${revision}` }]);
  expect(pairs.wanted()).toEqual([{ from: 'two', to: 'three' }, { from: 'db-two', to: 'db-three' }, { from: 'one', to: 'three' }, { from: 'db-one', to: 'db-three' }]);
});

test('applications are not mixed, and sets that are there tell what was a base', () => {
  const pairs = createDeltaPairs();
  pairs.remember('web', { from: 'one', to: 'two' });
  pairs.name([{ app: 'db', revision: 'other' }]);
  expect(pairs.wanted()).toEqual([{ from: 'one', to: 'two' }]);
});

const timing = (totalMs: number) => ({ totalMs, firstByteMs: 5, waitMs: 1, storeMs: 0, throttledMs: 0, strikes: 0 });

test('mergeTransfers() adds bytes, and times as they passed', () => {
  const one = { originBytes: 1, peerBytes: 2, reusedBytes: 0, wastedBytes: 3, from: [{ member: 'a', bytes: 1 }], timing: timing(100) };
  const two = { originBytes: 10, peerBytes: 0, reusedBytes: 0, wastedBytes: 0, from: [{ member: 'b', bytes: 9 }, { member: 'a', bytes: 1 }], timing: timing(40) };
  expect(mergeTransfers(one, two, 'together')).toEqual({ originBytes: 11, peerBytes: 2, reusedBytes: 0, wastedBytes: 3, from: [{ member: 'b', bytes: 9 }, { member: 'a', bytes: 2 }], timing: timing(100) });
  expect(mergeTransfers(one, two, 'sequence').timing).toEqual({ ...timing(140), waitMs: 2 });
});
