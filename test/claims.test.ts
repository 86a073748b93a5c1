// The claims file has the right shape and names only ids of the design, and the comparison that the reporter makes at
// the end of every run finds each way in which a claim can be empty.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isClaimId, shapeProblems, unshownClaims } from './support/claims-check.ts';
import type { Coverage, TestState } from './support/claims-check.ts';

const root = new URL('../', import.meta.url);
const claims: unknown = JSON.parse(readFileSync(new URL('test/claims.json', root), 'utf8'));

describe('test/claims.json', () => {
  test('maps known ids to lists of tests', () => {
    expect(shapeProblems(claims)).toEqual([]);
  });

  test('names only test files that exist', () => {
    const paths = Object.values(claims as Record<string, string[]>).flatMap((tests) =>
      tests.map((name) => name.slice(0, name.indexOf(' > '))),
    );
    expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });
});

describe('isClaimId()', () => {
  test.each(['INC-6', 'CAP-7', 'MSG-3', 'UPG-1', 'CDS-20', 'inv:P-1', 'threat:S9', 'fault:1', 'fault:50'])(
    'knows %s',
    (id) => {
      expect(isClaimId(id)).toBe(true);
    },
  );

  test.each(['INC-7', 'INC-0', 'CAP-8', 'CDS-21', 'inv:p-1', 'threat:9', 'fault:0', 'fault:51', 'inc-6', 'INC-6 '])(
    'refuses %s',
    (id) => {
      expect(isClaimId(id)).toBe(false);
    },
  );
});

describe('shapeProblems()', () => {
  test.each([
    ['a list', []],
    ['an unknown id', { 'INC-9': ['test/a.test.ts > b'] }],
    ['an empty list', { 'INC-1': [] }],
    ['a bare string', { 'INC-1': 'test/a.test.ts > b' }],
    ['a path without a name', { 'INC-1': ['test/a.test.ts'] }],
    ['a path outside test/', { 'INC-1': ['daemon/a.test.ts > b'] }],
    ['a test named twice', { 'INC-1': ['test/a.test.ts > b', 'test/a.test.ts > b'] }],
  ])('refuses %s', (_what, value) => {
    expect(shapeProblems(value)).toHaveLength(1);
  });
});

describe('unshownClaims()', () => {
  const claim = { 'INC-6': ['test/a.test.ts > suite > works'] };
  const ran = (states: readonly TestState[], name = 'suite > works') =>
    new Map([['test/a.test.ts', new Map([[name, states]])]]);
  const covering = (full: boolean, exists: boolean): Coverage => ({ full, exists: () => exists });

  test('is content with a test that ran', () => {
    expect(unshownClaims(claim, ran(['passed']), covering(true, true))).toEqual([]);
  });

  test('names a test that the file does not have', () => {
    const problems = unshownClaims(claim, ran(['passed'], 'suite > other'), covering(true, true));
    expect(problems).toEqual([
      'INC-6: "test/a.test.ts > suite > works" does not exist: test/a.test.ts has no test of that name',
    ]);
  });

  test('names a test that was skipped, also when only one of two of that name was', () => {
    expect(unshownClaims(claim, ran(['skipped']), covering(true, true))).toHaveLength(1);
    expect(unshownClaims(claim, ran(['passed', 'skipped']), covering(true, true))).toHaveLength(1);
  });

  test('names a file that does not exist, in a partial run too', () => {
    expect(unshownClaims(claim, new Map(), covering(false, false))).toHaveLength(1);
  });

  test('asks for files outside the run only when the run is full', () => {
    expect(unshownClaims(claim, new Map(), covering(false, true))).toEqual([]);
    expect(unshownClaims(claim, new Map(), covering(true, true))).toHaveLength(1);
  });
});
