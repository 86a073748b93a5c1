// Late joiners and targets that drifted: brought to what runs by a deployment of their own, never during another
// one, never again to a set that already failed on them, and never while they cannot be heard: everybody else would wait for that to end.

import { broughtTo, isLate } from '../evolve/adrift.ts';
import { inTurn } from '../batches/arithmetic.ts';
import { quietAfterOf } from '../batches/batches.ts';
import { evaluateGates, leavesNone } from '../gates/gates.ts';
import type { Environment, State } from '../model/model.ts';
import { isServing } from '../model/phases.ts';
import { isSilent, revisionOf, deployableTargets } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { seenBy } from './seen.ts';
import { nothing } from './step.ts';
import type { Step } from './step.ts';

/** The fact that starts a catch-up, when a target that can be heard lacks the current revision of an application. */
export function catchUp(state: State, environment: Environment, observed: Observed): Step {
  if ((state.adrift.get(environment.environment) ?? []).length === 0) return nothing;
  let nextCheckAt = Infinity;
  for (const app of environment.apps) {
    const step = catchUpApp(state, environment, app, observed);
    if (step.events.length > 0) return step;
    nextCheckAt = Math.min(nextCheckAt, step.nextCheckAt ?? Infinity);
  }
  return nextCheckAt === Infinity ? nothing : { ...nothing, nextCheckAt };
}

function catchUpApp(state: State, environment: Environment, app: string, observed: Observed): Step {
  const slot = environment.slots[app];
  const wanted = slot === undefined ? undefined : broughtTo(slot);
  const record = wanted === undefined ? undefined : revisionOf(state, app, wanted);
  const promotion = wanted === slot?.current ? slot?.currentPromotion : slot?.stablePromotion;
  if (record === undefined || promotion === undefined) return nothing;
  const targets = deployableTargets(state, environment);
  const late = targets.filter((member) => isLate(environment, app, member) && !isSilent(observed, member.member, quietAfterOf(environment.config)));
  if (late.length === 0) return nothing;
  // Late joiners pass closed windows, never locks, vetoes or pins (control-plane.md 1.5).
  const candidate = { environment: environment.environment, app, revision: record.revision, number: record.number, trigger: 'manual', catchUp: true, createdAt: observed.now } as const;
  const gates = evaluateGates(state, candidate, observed);
  if (gates.blockers.length > 0) return gates.nextCheckAt === undefined ? nothing : { ...nothing, nextCheckAt: gates.nextCheckAt };
  const lateIds = new Set(late.map((member) => member.member));
  // Those that are there already are in the snapshot, so that its shares are those of the whole environment.
  const snapshot = targets.filter((member) => lateIds.has(member.member) || member.running[app]?.revision === record.revision);
  if (leavesNone(environment.config, snapshot.length) && late.some((member) => isServing(member, app))) return nothing;
  return {
    events: [
      {
        kind: 'deployment.started',
        deployment: `${environment.environment}-${environment.seq + 1}`,
        promotion,
        environment: environment.environment,
        app,
        type: 'catch-up',
        seq: environment.seq + 1,
        to: record.revision,
        number: record.number,
        config: environment.config,
        batches: [inTurn(snapshot, app, environment.config)],
        ...(slot?.stable === undefined ? {} : { from: slot.stable }),
        ...(gates.exemptions.length === 0 ? {} : { exemptions: gates.exemptions }),
        seen: seenBy(state, environment, observed, quietAfterOf(environment.config)),
      },
    ],
    effects: [],
  };
}
