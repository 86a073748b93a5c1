// The picture of a pipeline: columns in the order of the stages, nothing on top of anything else, and nothing that moves.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pathThrough, picture, type Box, type Shape } from '../../../control/web/graph/layout.ts';

type Edge = Shape['edges'][number];

const environment = (name: string) => ({ environment: name, apps: ['web'], current: [], desired: [], targets: 1, waiting: [], locks: [], pinned: false, windows: { names: [], open: true } });
const shape = (stages: readonly (readonly string[])[], edges: readonly Edge[], apps: readonly string[] = ['web']): Shape => ({
  apps: apps.map((app) => ({ app, revisions: 0 })),
  stages: stages.map((names, at) => ({ stage: `stage-${at}`, environments: names.map(environment) })),
  edges: [...edges],
});
const fromApp = (to: string, app = 'web'): Edge => ({ edge: `shop/${app}-to-${to}`, from: { app }, to });
const between = (from: string, to: string): Edge => ({ edge: `shop/${from}-to-${to}`, from: { environment: from }, to });

const shop = shape([['alpha'], ['beta'], ['na', 'eu', 'ap']], [fromApp('alpha'), between('alpha', 'beta'), between('beta', 'na'), between('beta', 'eu'), between('beta', 'ap')]);

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Pipelines of up to four stages with up to four environments, each fed by one of an earlier stage or by the application. */
const pipelines = fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }).map((stages) => {
  const names = stages.map((sources, at) => sources.map((_, row) => `e${at}-${row}`));
  const edges = stages.flatMap((sources, at) => sources.map((source, row) => {
    const earlier = names.slice(0, at).flat();
    const from = earlier[source % (earlier.length + 1)];
    return from === undefined ? fromApp(`e${at}-${row}`) : between(from, `e${at}-${row}`);
  }));
  return shape(names, edges);
});

describe('picture()', () => {
  test('has a column for each stage, in order, with its environments as they are written', () => {
    const { nodes, stages } = picture(shop);
    const x = (name: string): number | undefined => nodes.find((node) => node.name === name)?.x;
    expect([x('na'), x('ap')]).toEqual([x('eu'), x('eu')]);
    expect(nodes.map(({ name }) => name)).toEqual(['web', 'alpha', 'beta', 'na', 'eu', 'ap']);
    expect(stages.map(({ stage }) => stage)).toEqual(['stage-0', 'stage-1', 'stage-2']);
    expect(stages.map((one) => one.x)).toEqual(stages.map((one) => one.x).toSorted((a, b) => a - b));
  });

  test('keeps the column of an environment that nothing leads to, and of one that a stage is skipped for', () => {
    const { nodes } = picture(shape([['alpha'], ['beta', 'lonely'], ['prod']], [fromApp('alpha'), between('alpha', 'prod'), between('alpha', 'beta')]));
    const at = (name: string): number => nodes.find((node) => node.name === name)?.x ?? 0;
    expect(at('lonely')).toBe(at('beta'));
    expect(at('prod')).toBeGreaterThan(at('beta'));
  });

  test('bears a promotion inside a stage, and one whose source is not there', () => {
    const { edges, nodes } = picture(shape([['a', 'b']], [between('a', 'b'), between('gone', 'b')]));
    expect(edges.map(({ edge }) => edge)).toEqual(['shop/a-to-b']);
    expect(nodes).toHaveLength(3);
  });

  test('is the same each time, puts nothing on anything else, and begins at the margin', () => {
    fc.assert(
      fc.property(pipelines, (pipeline) => {
        const drawn = picture(pipeline);
        expect(picture(pipeline)).toEqual(drawn);
        const boxes: readonly Box[] = [...drawn.nodes, ...drawn.edges.map(({ button }) => button)];
        for (const [at, box] of boxes.entries()) {
          expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= drawn.width && box.y + box.height <= drawn.height).toBe(true);
          for (const other of boxes.slice(at + 1)) expect([box, other, overlap(box, other)]).toEqual([box, other, false]);
        }
        for (const stage of pipeline.stages) {
          const columns = new Set(stage.environments.map((one) => drawn.nodes.find(({ name }) => name === one.environment)?.x));
          expect(columns.size).toBe(1);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('of nothing is empty', () => {
    expect(picture(shape([], [], []))).toMatchObject({ nodes: [], edges: [], stages: [] });
  });
});

test('pathThrough() goes from the first point to the last', () => {
  expect(pathThrough([{ x: 0, y: 1 }, { x: 10, y: 1 }, { x: 20, y: 5 }])).toBe('M 0 1 Q 10 1 15 3 L 20 5');
  expect(pathThrough([{ x: 0, y: 1 }])).toBe('');
});
