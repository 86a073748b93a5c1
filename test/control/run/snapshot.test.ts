// When the state is written down.

import { expect, test } from 'vitest';
import { initialState } from '../../../control/core/evolve/evolve.ts';
import type { State } from '../../../control/core/model/model.ts';
import { keepSnapshots } from '../../../control/run/snapshot.ts';
import type { JournalEntry } from '../../../proto/events.ts';

function followed(saved: number, fails = false) {
  let state = initialState();
  let listener: (entries: readonly JournalEntry[]) => void = () => undefined;
  const heads: number[] = [];
  const warnings: object[] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (fields: object) => void warnings.push(fields), error: () => undefined, child: () => log };
  const snapshots = keepSnapshots({
    projection: { state: () => state, onChange: (heard) => ((listener = heard), () => void (listener = () => undefined)) },
    entryAt: async (seq) => ({ seq, at: 1, actor: 'system', event: { kind: 'app.created', app: 'web', project: 'shop' } }),
    save: async (entry: JournalEntry, { head }: State) => {
      expect(entry.seq).toBe(head);
      if (fails) throw new Error('no space left on device');
      heads.push(head);
    },
    saved,
    log,
  });
  const grow = async (head: number): Promise<void> => {
    state = { ...state, head };
    listener([]);
    await new Promise(setImmediate);
  };
  return { snapshots, grow, heads, warnings };
}

test('after every quarter of a million facts, counted from the newest, and at a stop that finds enough', async () => {
  const { snapshots, grow, heads } = followed(100_000);
  await grow(349_999);
  expect(heads).toEqual([]);
  await grow(350_000);
  await grow(370_000);
  expect(heads).toEqual([350_000]);
  await snapshots.close();
  expect(heads).toEqual([350_000, 370_000]);
});

test('a stop soon after makes none', async () => {
  const { snapshots, grow, heads } = followed(100_000);
  await grow(119_999);
  await snapshots.close();
  expect(heads).toEqual([]);
});

test('one that cannot be written is told, and hinders nothing', async () => {
  const { snapshots, grow, warnings } = followed(0, true);
  await grow(250_000);
  await grow(250_001);
  await snapshots.close();
  expect(warnings).toMatchObject([{ entries: 250_000 }]);
});
