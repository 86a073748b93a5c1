// Which targets lack what their environment runs: late joiners, and those that drifted. Kept in the state, since asking ten thousand
// machines at every decision would be most of its cost; what is done about them is rollout/catch-up.ts.

import type { Draft } from './draft.ts';
import type { Environment, Member, Slot } from '../model/model.ts';
import { isFailure } from '../model/phases.ts';
import { isTarget } from '../model/select.ts';

/** What late joiners are brought to: what runs, but not what somebody took back where not all came along; then what was gone back to. */
export function broughtTo({ current, desired, stable }: Slot): Slot['current'] {
  return desired === stable ? (stable ?? current) : current;
}

/**
 * Whether a target should be brought to what its environment runs of an application. One that runs what was wanted last, or what was taken back, though that did
 * not succeed, is left to people: a deployment that failed or was aborted without a rollback stays where it stopped.
 */
export function isLate(environment: Environment, app: string, member: Member): boolean {
  const slot = environment.slots[app];
  const wanted = slot === undefined ? undefined : broughtTo(slot);
  if (slot?.current === undefined || wanted === undefined) return false;
  const { current, desired } = slot;
  const running = member.running[app]?.revision;
  if (running !== undefined && (running === wanted || running === current || running === desired)) return false;
  const work = member.work[app];
  if (work === undefined) return true;
  if (work.revision === wanted && isFailure(work.phase)) return false;
  // One that runs nothing because the set that failed was its first is left to people too, unless another set is wanted now.
  return !(desired !== wanted && work.revision === desired);
}

/** Brings State.adrift up to what has just been folded. While a deployment is under way an environment has none: nobody is brought anywhere meanwhile. */
export function foldAdrift(draft: Draft): void {
  const whole = new Set(draft.environments.changed());
  for (const id of whole) {
    const environment = draft.environments.get(id);
    const ids = environment === undefined || environment.activeDeployment !== undefined ? [] : (draft.agents.get(id) ?? []).filter((agent) => isAdrift(draft.members.get(agent), environment));
    keep(draft, id, ids.toSorted());
  }
  for (const id of draft.members.changed()) {
    const member = draft.members.get(id);
    for (const name of member?.environments ?? []) {
      const environment = draft.environments.get(name);
      if (whole.has(name) || environment === undefined || environment.activeDeployment !== undefined) continue;
      const known = draft.adrift.get(name) ?? [];
      const adrift = isAdrift(member, environment);
      if (known.includes(id) === adrift) continue;
      keep(draft, name, adrift ? [...known, id].toSorted() : known.filter((one) => one !== id));
    }
  }
}

/** An environment of which nobody is adrift has no entry: so the state does not tell in how many steps it was folded. */
function keep(draft: Draft, environment: string, ids: readonly string[]): void {
  if (ids.length > 0) draft.adrift.set(environment, ids);
  else draft.adrift.delete(environment);
}

function isAdrift(member: Member | undefined, environment: Environment): boolean {
  return member !== undefined && member.cordoned === undefined && isTarget(member, environment) && environment.apps.some((app) => isLate(environment, app, member));
}
