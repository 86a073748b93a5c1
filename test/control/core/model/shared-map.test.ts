// A map made of another with changes is a copy with the changes in it, however many times and however large; the other stays as it was.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolve, evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import { editable, withChanges } from '../../../../control/core/model/shared-map.ts';
import { PipelineWorld } from '../../../support/pipeline-world.ts';

const key = fc.integer({ min: 0, max: 900 }).map((number) => `k${number}`);
const round = fc.array(fc.tuple(key, fc.option(fc.integer(), { nil: undefined })), { maxLength: 80 });

test('a map with changes has what a changed copy has', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 800 }), fc.array(round, { maxLength: 12 }), (size, rounds) => {
      const model = new Map(Array.from({ length: size }, (_, index) => [`k${index}`, index]));
      let map: ReadonlyMap<string, number> = new Map(model);
      for (const changes of rounds) {
        const before = [...map];
        const changed = new Map(changes);
        const next = withChanges(map, changed);
        expect([...map]).toEqual(before);
        for (const [name, value] of changed) {
          if (value === undefined) model.delete(name);
          else model.set(name, value);
        }
        map = next;
        expect(map.size).toBe(model.size);
        expect(new Map(map)).toEqual(model);
        expect(new Set(map.keys())).toEqual(new Set(model.keys()));
        expect([...map.values()].toSorted((a, b) => a - b)).toEqual([...model.values()].toSorted((a, b) => a - b));
        for (const [name] of changed) expect([map.has(name), map.get(name)]).toEqual([model.has(name), model.get(name)]);
      }
    }),
    { numRuns: 200 },
  );
});

test('an editable copy has what a changed copy has, and what it was made of stays as it was', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 800 }), fc.array(fc.array(fc.tuple(key, fc.integer()), { maxLength: 300 }), { maxLength: 6 }), (size, rounds) => {
      let model = new Map(Array.from({ length: size }, (_, index) => [`k${index}`, index]));
      let map: ReadonlyMap<string, number> = new Map(model);
      for (const entries of rounds) {
        const copy = editable(map);
        const changed = new Map(model);
        for (const [name, value] of entries) {
          copy.set(name, value);
          changed.set(name, value);
          expect([copy.get(name), copy.size]).toEqual([value, changed.size]);
        }
        expect([...copy]).toEqual([...changed]);
        expect([...map]).toEqual([...model]);
        [map, model] = [copy, changed];
      }
    }),
    { numRuns: 100 },
  );
});

test('two copies of one map that both grow know nothing of each other', () => {
  const base = editable(new Map(Array.from({ length: 600 }, (_, index) => [`k${index}`, index])));
  const [one, other] = [editable(base), editable(base)];
  for (let index = 0; index < 40; index += 1) {
    one.set(`one${index}`, index);
    other.set(`other${index}`, -index);
    other.set('k599', index);
  }
  expect([base.size, base.has('one0'), base.get('k599'), [...base.keys()].at(-1)]).toEqual([600, false, 599, 'k599']);
  expect([one.size, one.has('other0'), one.get('k599'), one.get('one39')]).toEqual([640, false, 599, 39]);
  expect([other.size, other.has('one0'), other.get('k599'), other.get('other39')]).toEqual([640, false, 39, -39]);
  expect([...other.keys()].slice(599, 602)).toEqual(['k599', 'other0', 'other1']);
});

test('entries put while one goes through an editable copy are seen', () => {
  const copy = editable(new Map(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, index])));
  for (const name of copy.keys()) copy.set(name, -1);
  expect(new Set(copy.values())).toEqual(new Set([-1]));
});

test('entries stay in their order while nothing is taken out', () => {
  const base = new Map(Array.from({ length: 600 }, (_, index) => [`k${index}`, index]));
  const map = withChanges(withChanges(base, new Map([['new', 1], ['k5', -5]])), new Map([['newer', 2]]));
  expect([...map.keys()]).toEqual([...base.keys(), 'new', 'newer']);
  expect(map.get('k5')).toBe(-5);
});

test('the state is the same whether facts are folded one by one or together', () => {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.push(1);
  world.promote('alpha', 1);
  world.settle();
  world.ask({ kind: 'revoke-member', member: 'alpha-1', reason: 'stolen' });
  const together = evolveAll(initialState(), world.journal);
  expect(together).toEqual(world.journal.reduce(evolve, initialState()));
  expect(together.agents.get('alpha')).toEqual(['alpha-2']);
});
