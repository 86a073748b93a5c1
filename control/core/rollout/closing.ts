// What closed windows ask of a deployment under way. One that passed closed windows when it started, by an override or as
// a rollback, is not asked anything by them afterwards.

import { edgeOf, placeOf, windowsOf } from '../gates/place.ts';
import type { Deployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { closingOf } from '../windows/closing.ts';
import type { Closing } from '../windows/closing.ts';

/** What the windows ask of `deployment` now; undefined when they are open, or say that it may finish. */
export function closingFor(state: State, deployment: Deployment, now: number): Closing | undefined {
  const { environment, app, type, exemptions, startedAt } = deployment;
  const place = placeOf(state, environment);
  if (place === undefined || type === 'rollback' || type === 'catch-up') return undefined;
  if (exemptions?.some((one) => one.gate === 'window') === true) return undefined;
  const windows = windowsOf(place, edgeOf(state, environment, app));
  if (windows.length === 0) return undefined;
  const closing = closingOf(windows, { environment, starts: [], lifted: new Set() }, startedAt, now);
  return closing?.action === 'finish' ? undefined : closing;
}
