// What is promoted when nobody says which revision.

import { expect, test } from 'vitest';
import { digestOf, edge, pipeline, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Revision 1 runs in alpha; revision 2 was pushed, and nobody brought it there. */
function world(): PipelineWorld {
  const made = new PipelineWorld(['alpha', 'prod']);
  made.apply(pipeline({ edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })] }));
  made.push(1);
  return made;
}

const promoted = (made: PipelineWorld, environment: string, revision = 'source') => {
  const answer = made.try({ kind: 'promote', promotion: made.id('by-hand'), environment, revision });
  return answer.kind === 'refused' ? answer.message : made.facts('promotion.created').at(-1)?.revision;
};

test('it is what the environment runs from which it comes, not what was pushed last', () => {
  const made = world();
  made.promote('alpha', 1);
  made.settle();
  made.push(2);
  expect([promoted(made, 'prod'), promoted(made, 'alpha')]).toEqual([digestOf(1), digestOf(2)]);
  expect(promoted(world(), 'alpha', 'web@source')).toBe(digestOf(1));
});

test('while nothing runs there, that is said', () => {
  expect(promoted(world(), 'prod')).toBe("'alpha', from where 'prod' is promoted, has no revision yet; bring one there first, or name one");
});

test('where nothing leads to an environment it is what was pushed last', () => {
  const made = new PipelineWorld(['prod']);
  expect(promoted(made, 'prod')).toContain('push one first');
  made.push(1);
  made.push(2);
  expect(promoted(made, 'prod')).toBe(digestOf(2));
});

test('no revision may be called so', () => {
  const revision = { app: 'web', revision: digestOf(7), cid: 'cid7', manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' };
  expect(world().try({ kind: 'register-revision', ...revision, alias: 'source' })).toMatchObject({ kind: 'refused', message: expect.stringContaining("not 'latest' or 'source'") });
});
