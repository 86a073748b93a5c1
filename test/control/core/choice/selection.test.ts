// Which approved set goes on: every policy as a total order that does not depend on who asks, and what matching demands.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose, comparatorOf, isCompatible } from '../../../../control/core/choice/selection.ts';
import type { Option } from '../../../../control/core/choice/selection.ts';
import { canonicalText, setIdOf } from '../../../../control/core/model/sets.ts';
import type { Description } from '../../../../proto/events-pipeline.ts';
import type { SelectKey } from '../../../../proto/pipeline.ts';
import { PipelineWorld, digestOf } from '../../../support/pipeline-world.ts';

const revisions = 6;
/** Revisions of `api` have digests of their own. */
const api = (number: number): string => digestOf(100 + number);

function world(descriptions: Readonly<Record<number, Description>> = {}): PipelineWorld {
  const made = new PipelineWorld([]);
  made.ask({ kind: 'create-app', app: 'api', project: 'shop' });
  for (let number = 1; number <= revisions; number += 1) {
    made.now += 1000;
    made.push(number);
    made.ask({ kind: 'register-revision', app: 'api', revision: api(number), cid: `api${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }
  for (const [number, description] of Object.entries(descriptions)) {
    const own = Number(number) > 100 ? { app: 'api', revision: String(Number(number) - 100) } : { app: 'web', revision: number };
    made.ask({ kind: 'describe-revision', ...own, description });
  }
  return made;
}

const option = (number: number): Option => ({ carried: { web: digestOf(number) } });
const all = Array.from({ length: revisions }, (_, index) => option(index + 1));
const change = (commit: string, author: string, checkedInAt = 0) => ({ commit, author, message: '', checkedInAt });

function chosen(of: PipelineWorld, select: readonly SelectKey[], options: readonly Option[] = all, more: Partial<Parameters<typeof choose>[1]> = {}): number | string {
  const answer = choose(of.state, { select, options, destination: {}, mode: 'superseded', ...more });
  return answer.kind === 'chosen' ? Number(answer.option.carried['web']) : answer.kind;
}

describe('choose()', () => {
  it('takes the highest number, the newest change, the highest priority, the best tests, the first author, the first of a list', () => {
    const of = world({
      1: { changes: [change('a', 'ada', 9_999_999_999_999)] },
      2: { priority: 7 },
      3: { tests: { passed: 10, total: 10, score: 0.9 } },
      4: { tests: { passed: 10, total: 10, score: 0.5 } },
      5: { changes: [change('b', 'bob')] },
    });
    expect(chosen(of, [{ by: 'number' }])).toBe(6);
    expect(chosen(of, [{ by: 'latest' }])).toBe(1);
    expect(chosen(of, [{ by: 'priority' }])).toBe(2);
    expect(chosen(of, [{ by: 'testsPassed' }])).toBe(3);
    expect(chosen(of, [{ by: 'author', authors: ['bob', 'ada'] }])).toBe(5);
    expect(chosen(of, [{ by: 'list', revisions: [digestOf(4), digestOf(6)] }])).toBe(4);
    expect(chosen(of, [{ by: 'matchUpstream' }], all, { upstream: { web: digestOf(2) } })).toBe(2);
    expect(chosen(of, [{ by: 'number' }], all, { mode: 'queued' })).toBe(1);
    expect(chosen(of, [{ by: 'list', revisions: ['f'.repeat(64)] }])).toBe('none');
  });

  it('S-3 takes what matches the other applications of the destination, and says so when nothing does', () => {
    const of = world({ 1: { compat: ['v1'] }, 2: { compat: ['v2'] }, 101: { compat: ['v1'] }, 3: { changes: [change('shared', 'ada')] }, 102: { changes: [change('shared', 'ada')] } });
    const match: readonly SelectKey[] = [{ by: 'matchDestination' }];
    expect(chosen(of, match, all, { destination: { web: digestOf(1), api: api(1) } })).toBe(1);
    expect(chosen(of, match, all, { destination: { api: api(2) } })).toBe(3);
    expect(chosen(of, match, all, { destination: { api: api(5) } })).toBe('no-compatible-revision');
    expect(chosen(of, match, [], { destination: { api: api(5) } })).toBe('none');
    // Having run together at the source is proof enough.
    const together: Option = { carried: { web: digestOf(5) }, source: { web: digestOf(5), api: api(5) } };
    expect(chosen(of, match, [...all, together], { destination: { api: api(5) } })).toBe(5);
  });

  const selectKey: fc.Arbitrary<SelectKey> = fc.oneof(
    fc.constantFrom<SelectKey>({ by: 'latest' }, { by: 'number' }, { by: 'priority' }, { by: 'testsPassed' }, { by: 'matchUpstream' }, { by: 'matchDestination' }),
    fc.subarray(['ada', 'bob', 'eve']).map((authors): SelectKey => ({ by: 'author', authors })),
    fc.subarray([1, 2, 3, 4, 5, 6]).map((list): SelectKey => ({ by: 'list', revisions: list.map(digestOf) })),
  );
  const description: fc.Arbitrary<Description> = fc.record(
    {
      priority: fc.nat(2),
      tests: fc.record({ passed: fc.nat(2), total: fc.constant(2), score: fc.constantFrom(0, 0.5, 1) }),
      changes: fc.array(fc.record({ commit: fc.constantFrom('c1', 'c2'), author: fc.constantFrom('ada', 'bob', 'eve'), message: fc.constant(''), checkedInAt: fc.nat(2) }), { maxLength: 2 }),
      compat: fc.subarray(['v1', 'v2']),
    },
    { requiredKeys: [] },
  );
  const options = fc.uniqueArray(fc.record({ web: fc.integer({ min: 1, max: revisions }), api: fc.option(fc.integer({ min: 1, max: revisions }), { nil: undefined }) }), { minLength: 1, maxLength: 6, selector: (one) => `${one.web} ${one.api}` })
    .map((found) => found.map((one): Option => ({ carried: { web: digestOf(one.web), ...(one.api === undefined ? {} : { api: api(one.api) }) } })));
  const cases = fc.record({
    select: fc.array(selectKey, { maxLength: 3 }),
    descriptions: fc.dictionary(fc.constantFrom('1', '2', '3', '4', '101', '102'), description),
    options,
    destination: fc.constantFrom({}, { api: api(1) }, { api: api(2), web: digestOf(1) }),
    mode: fc.constantFrom<'superseded' | 'queued'>('superseded', 'queued'),
    seed: fc.integer(),
  });

  it('S-1 is a total order, and the answer does not depend on the order in which the options come', () => {
    fc.assert(fc.property(cases, ({ select, descriptions, options: found, destination, mode, seed }) => {
      const { state } = world(descriptions);
      const order = comparatorOf(state, select);
      for (const a of found) {
        for (const b of found) {
          const same = setIdOf(a.carried) === setIdOf(b.carried);
          expect(order(a, b) === 0).toBe(same);
          expect(Math.sign(order(a, b)) + Math.sign(order(b, a))).toBe(0);
          for (const c of found) {
            if (order(a, b) < 0 && order(b, c) < 0) expect(order(a, c)).toBeLessThan(0);
          }
        }
      }
      const shuffled = found.toSorted((a, b) => canonicalText([seed, a]).length - canonicalText([seed, b]).length || (setIdOf(a.carried) < setIdOf(b.carried) ? 1 : -1));
      const choice = { select, options: found, destination, mode };
      const answer = choose(state, choice);
      expect(choose(state, { ...choice, options: shuffled })).toEqual(answer);
      // S-3: whatever was chosen by matching does match.
      if (answer.kind === 'chosen' && select.some((key) => key.by === 'matchDestination')) {
        expect(isCompatible(state, answer.option.carried, destination, answer.option.source)).toBe(true);
      }
    }), { numRuns: 500 });
  });
});

describe('V-1 a set', () => {
  it('has the same name exactly when it has the same content, however it was put together', () => {
    const members = fc.dictionary(fc.constantFrom('web', 'api', 'db'), fc.constantFrom(digestOf(1), digestOf(2)));
    fc.assert(fc.property(members, members, (a, b) => {
      const same = Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([app, revision]) => b[app] === revision);
      expect(setIdOf(a) === setIdOf(b)).toBe(same);
      expect(setIdOf(Object.fromEntries(Object.entries(a).toReversed()))).toBe(setIdOf(a));
      expect(canonicalText({ a, b })).toBe(canonicalText(Object.fromEntries([['b', b], ['a', a]])));
    }));
  });
});
