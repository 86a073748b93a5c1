// What a measured number means to the step that asked for it. How it is measured is control/work/prometheus.ts.

import type { Verdict } from '../../../proto/events-pipeline.ts';
import { meets } from './condition.ts';
import type { StepSettings } from './settings.ts';

/** What `result` is to a step: of a bake, the number of samples so far; of an analysis, what its conditions are about. */
export function verdictOf(settings: StepSettings, result: number): Verdict {
  if (Number.isNaN(result)) return 'error';
  if (settings.kind === 'bake') return result >= (settings.samples?.count ?? 0) ? 'success' : 'inconclusive';
  if (settings.kind !== 'analysis') return 'error';
  const { success, failure } = settings;
  if (failure !== undefined && meets(failure, result)) return 'failure';
  if (success !== undefined && meets(success, result)) return 'success';
  // With one condition only, what does not meet it is the other thing; between two of them a person decides.
  if (success === undefined) return 'success';
  return failure === undefined ? 'failure' : 'inconclusive';
}
