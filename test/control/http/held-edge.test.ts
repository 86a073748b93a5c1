// What the picture of a pipeline says of an arrow along which something bad came and went back.

import { expect, test } from 'vitest';
import { graphView } from '../../../control/http/views/pipelines.ts';
import { edgeStanding } from '../../../control/web/attention.ts';
import { digestOf, edge, pipeline, PipelineWorld, place } from '../../support/pipeline-world.ts';

test('an arrow is on hold while what went back is next, and no longer when something newer is', () => {
  const made = new PipelineWorld(['prod']);
  made.apply(pipeline({ stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] }));
  made.push(1);
  made.settle();
  made.bad.add(digestOf(2));
  made.push(2);
  made.settle();
  const shop = made.state.pipelines.get('shop');
  if (shop === undefined) throw new Error('there is no pipeline');
  const shown = () => graphView(made.state, made.observed, shop).edges[0];
  expect(shown()).toMatchObject({ candidate: [{ number: 2 }], held: expect.stringContaining('rolled back') });
  made.push(3);
  const arrow = shown();
  expect(arrow).toMatchObject({ candidate: [{ number: 3 }], blockers: [] });
  expect([arrow?.held, arrow === undefined ? undefined : edgeStanding(arrow).text]).toEqual([undefined, 'going']);
});
