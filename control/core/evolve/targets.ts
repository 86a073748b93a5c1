// The targets of each environment, kept in the state: gates ask for them in every environment at every decision, and to look up ten thousand
// machines each time was nearly all of its cost. Who is one is select.ts; here their lists are brought up to what has just been folded.

import type { Draft } from './draft.ts';
import type { Environment, Member } from '../model/model.ts';
import { isTarget } from '../model/select.ts';

/** Brings State.targets up to what has just been folded. An environment without targets has no entry, so that the state does not tell in how many steps it was folded. */
export function foldTargets(draft: Draft): void {
  const reselected = new Set(draft.reselected());
  const whole = new Set([...reselected, ...draft.relabelled()]);
  const changed = new Set(draft.members.changed());
  for (const id of whole) {
    const environment = draft.environments.get(id);
    const members = environment === undefined ? [] : targetsAmong(draft, environment, changed, reselected.has(id) ? [] : (draft.targeted.get(id) ?? []));
    keep(draft, id, members);
  }
  for (const id of draft.moved) {
    const member = draft.members.get(id);
    const before = draft.environmentsBefore(id);
    for (const name of new Set([...before, ...(member?.environments ?? [])])) if (!whole.has(name)) move(draft, name, id, member, before.includes(name));
  }
  for (const id of changed) {
    const member = draft.members.get(id);
    for (const name of member?.environments ?? []) if (member !== undefined && !whole.has(name)) replace(draft, name, member);
  }
}

function keep(draft: Draft, environment: string, members: readonly Member[]): void {
  if (members.length > 0) draft.targeted.set(environment, members);
  else draft.targeted.delete(environment);
}

/** Takes a member that joined or was revoked out of a list, if it `was` there, and puts it where it belongs: to look at all others for each of ten thousand that join would be most of its cost. */
function move(draft: Draft, name: string, id: string, member: Member | undefined, was: boolean): void {
  const environment = draft.environments.get(name);
  if (environment === undefined) return;
  const list = draft.targeted.edit(name) ?? draft.targeted.set(name, []);
  const at = was ? list.findIndex((one) => one.member === id) : -1;
  if (at >= 0) list.splice(at, 1);
  // As in the list of agents: of those with one name, who joined last comes first.
  if (member !== undefined && isTarget(member, environment)) list.splice(placeByName(list, member.name), 0, member);
  if (list.length === 0) draft.targeted.delete(name);
}

/**
 * The agents of an environment that are its targets, by name. Those of the list `before` that have not `changed` are taken as they are: where ten thousand join one
 * after the other, each would look up all.
 */
function targetsAmong(draft: Draft, environment: Environment, changed: ReadonlySet<string>, before: readonly Member[]): readonly Member[] {
  const targets: Member[] = [];
  let at = 0;
  for (const agent of draft.agents.get(environment.environment) ?? []) {
    for (let gone = before[at]; gone !== undefined && gone.member !== agent && changed.has(gone.member); gone = before[at]) at += 1;
    const known = before[at];
    const isKnown = known?.member === agent;
    if (isKnown) at += 1;
    const member = isKnown && !changed.has(agent) ? known : draft.members.get(agent);
    if (member !== undefined && (member === known || isTarget(member, environment))) targets.push(member);
  }
  return targets;
}

/** Puts a member as it is now where it is in the list, if it is there at all. */
function replace(draft: Draft, environment: string, member: Member): void {
  const list = draft.targeted.get(environment) ?? [];
  for (let at = placeByName(list, member.name); list[at]?.name === member.name; at += 1) {
    if (list[at]?.member !== member.member) continue;
    const own = draft.targeted.edit(environment);
    if (own !== undefined) own[at] = member;
    return;
  }
}

/** The first place in a list by name whose name is not before `name`. */
export function placeByName(list: readonly Pick<Member, 'name'>[], name: string): number {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((list[middle]?.name ?? '') < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
