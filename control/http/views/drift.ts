// What is not as an environment has it: targets that run something else than its set or nothing, that are not healthy, or whose release
// was changed on their disk. Bringing them back is core's (control/core/evolve/adrift.ts); here it is only told.

import type { Drift } from '../../../proto/api/targets.ts';
import { isLate } from '../../core/evolve/adrift.ts';
import type { Environment, Member, State } from '../../core/model/model.ts';
import { revisionOf, targetsOf } from '../../core/model/select.ts';
import type { Presence } from '../../fleet/presence.ts';
import { refOf, targetView } from './views.ts';

/** The name and the application, by which they are in order. */
export function driftKey({ name, app }: Drift): string {
  return `${name}/${app}`;
}

/** By {@link driftKey}. An application that never succeeded there is not compared. */
export function driftOf(state: State, environment: Environment, presence: Presence): readonly Drift[] {
  return targetsOf(state, environment).flatMap((member) => {
    const seen = targetView(state, member, presence);
    return environment.apps.flatMap((app) => driftIn(state, environment, app, member, seen));
  }).toSorted((a, b) => (driftKey(a) < driftKey(b) ? -1 : 1));
}

function driftIn(state: State, environment: Environment, app: string, member: Member, { running: all, work, connectivity }: ReturnType<typeof targetView>): readonly Drift[] {
  const wanted = revisionOf(state, app, environment.slots[app]?.current ?? '');
  if (wanted === undefined) return [];
  const runs = all.find((one) => one.app === app);
  const running = runs === undefined ? undefined : revisionOf(state, app, runs.revision);
  const why = runs === undefined ? 'missing' : runs.revision !== wanted.revision ? 'other' : runs.healthy === false ? 'unhealthy' : runs.drifted !== undefined ? 'changed' : undefined;
  if (why === undefined) return [];
  const deployment = work.find((one) => one.app === app && !one.settled)?.deployment;
  return [
    {
      member: member.member,
      name: member.name,
      app,
      wanted: refOf(wanted),
      ...(running === undefined ? {} : { running: refOf(running) }),
      why,
      ...(runs?.drifted === undefined ? {} : { changed: runs.drifted }),
      ...(deployment === undefined ? {} : { deployment }),
      caughtUp: isLate(environment, app, member),
      connectivity,
    },
  ];
}
