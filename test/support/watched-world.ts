// A deployment that is watched: prod with two targets, one in each batch; web@1 runs there, and web@2 is on its way.

import type { DeploymentConfig } from '../../proto/events.ts';
import { config, edge, minuteMs, pipeline, PipelineWorld, place } from './pipeline-world.ts';

/** The world in which it has begun; `more`: what the environment's configuration says beside a bake of ten minutes. */
export function watchedWorld(more: Partial<DeploymentConfig>): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.apply(pipeline({ stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] }));
  made.settle();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, bakeMs: 10 * minuteMs, ...more } });
  made.push(2);
  made.settle();
  return made;
}
