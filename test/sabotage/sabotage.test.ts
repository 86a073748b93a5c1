// The table of sabotages is up to date: run.ts would find each text, and each test. What the tests notice is for run.ts to show.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { staleness } from './sabotage.ts';
import { sabotages } from './tables.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('each sabotage finds its text exactly once, and its test; change test/sabotage/table-*.ts with the check', () => {
  const stale = sabotages.flatMap((one) => staleness(one, existsSync(root + one.file) ? readFileSync(root + one.file, 'utf8') : undefined) ?? []);
  expect(stale).toEqual([]);
  expect(sabotages.filter((one) => !existsSync(root + one.test)).map((one) => one.test)).toEqual([]);
});

test('there are at least 40 sabotages, each once, of every kind of invariant that control/core keeps', () => {
  expect(new Set(sabotages.map((one) => one.id)).size).toBe(sabotages.length);
  expect(sabotages.length).toBeGreaterThanOrEqual(40);
  const kinds = new Set(sabotages.map((one) => one.invariant.slice(0, 1)));
  expect([...kinds].toSorted()).toEqual(expect.arrayContaining(['A', 'C', 'G', 'L', 'N', 'O', 'P', 'R', 'S', 'T', 'V']));
  expect(sabotages.filter((one) => !one.id.startsWith(one.invariant) || !/^([A-Z]-\d+|gate)$/.test(one.invariant))).toEqual([]);
});

test('a text that is gone, there twice, or replaced by itself is told', () => {
  const one = { id: 'X-1-y', invariant: 'X-1', file: 'a.ts', find: 'b', replace: 'c', test: 't' };
  expect(staleness(one, undefined)).toContain('is not there');
  expect(staleness(one, 'bb')).toContain('2 times');
  expect(staleness({ ...one, replace: 'b' }, 'b')).toContain('itself');
  expect(staleness(one, 'abc')).toBeUndefined();
});
