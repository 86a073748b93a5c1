// Whether a freeze or a lock reaches into a pipeline. Pure.

import type { Reach } from '../../../proto/api/restraints.ts';
import type { Graph } from '../../../proto/api/pipelines.ts';

/** Whether something of the pipeline lies within the scope. A stage is `pipeline/stage`. */
export function reaches({ kind, id = '' }: Reach, { pipeline, project, stages }: Pick<Graph, 'pipeline' | 'project' | 'stages'>): boolean {
  switch (kind) {
    case 'all':
      return true;
    case 'project':
      return id === project;
    case 'pipeline':
      return id === pipeline;
    case 'stage':
      return stages.some(({ stage }) => id === `${pipeline}/${stage}`);
    case 'environment':
      return stages.some(({ environments }) => environments.some(({ environment }) => environment === id));
    default:
      return kind satisfies never;
  }
}
