// Questions about the state: which revision a text names, which members are an environment's targets, how far a deployment is.
// Nothing is decided here.

import { isDigest } from '../../../proto/cid.ts';
import type { Digest } from '../../../proto/cid.ts';
import type { Labels } from '../../../proto/events.ts';
import type { TargetPhase } from '../../../proto/fleet.ts';
import type { Role } from '../../../proto/statement.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { Deployment } from './deployment.ts';
import type { Environment, Member, Promotion, RevisionRecord, State } from './model.ts';
import { revisionKey, vetoKey } from './pipeline.ts';
import { valuesOf } from './shared-map.ts';
import { hasFailed, isDone, isInFlight } from './phases.ts';
import type { DeploymentProgress } from './progress.ts';

/** What the shell observed and no journal holds. Milliseconds since 1970. */
export interface Observed {
  readonly now: number;
  /** When each member was last heard. */
  readonly lastSeen: ReadonlyMap<string, number>;
  /** When this process began to listen: before `since + lostAfterMs` silence proves nothing. */
  readonly since: number;
  /** Members that are refused because their clock is wrong, with by how much it is ahead; below zero: behind. Absent: none is known. */
  readonly misset?: ReadonlyMap<string, { readonly aheadMs: number }>;
  /** How far content has spread, by environment and name of the set with a space between them; what is not in it is not known. */
  readonly coverage?: ReadonlyMap<string, Coverage>;
}

/** How far the content of a set has spread among an environment's targets. */
export interface Coverage {
  /** Share of the targets that hold all of it, from 0 to 1. */
  readonly coverage: number;
  /** Whole copies in the zone that has fewest. */
  readonly copiesPerZoneMin: number;
}

/**
 * The revision that `text` names in an application: `latest`, a number (`41` or `web@41`), a digest in hex, a CID, or an alias;
 * undefined when there is none.
 */
export function findRevision(state: State, app: string, text: string): RevisionRecord | undefined {
  const revisions = state.apps.get(app)?.revisions ?? [];
  const name = text.startsWith(`${app}@`) ? text.slice(app.length + 1) : text;
  if (name === 'latest') return revisions.at(-1);
  if (/^[0-9]{1,15}$/.test(name)) return revisions[Number(name) - 1];
  if (isDigest(name)) return revisions.find((revision) => revision.revision === name);
  return revisions.find((revision) => revision.alias === name || revision.cid === name);
}

/** The whole that a promotion brings: one revision of each application that it changes. */
export function membersOf({ app, revision, members }: Pick<Promotion, 'app' | 'revision' | 'members'>): SetMembers {
  return members ?? { [app]: revision };
}

/**
 * The revisions that `text` names for an environment: `web@41`, several joined by `+` or `,`, or whatever {@link findRevision} understands,
 * which for several applications `latest` alone does. A sentence when it names none.
 */
export function findSet(state: State, environment: Environment, text: string): { readonly members: SetMembers } | { readonly problem: string } {
  const [only = ''] = environment.apps;
  // An alias such as `1.4.0+build.7` holds what joins the members of a set.
  const whole = environment.apps.length === 1 ? findRevision(state, only, text) : undefined;
  if (whole !== undefined) return { members: { [only]: whole.revision } };
  const parts = text.split(/[+,]/).map((part) => part.trim());
  const named = text === 'latest' ? environment.apps.map((app) => `${app}@latest`) : parts;
  const members: Record<string, Digest> = {};
  for (const part of named) {
    const prefix = part.split('@')[0] ?? '';
    const app = environment.apps.length === 1 && !(part.includes('@') && state.apps.has(prefix)) ? only : prefix;
    const list = environment.apps.join(', ');
    if (!part.includes('@') && environment.apps.length > 1) return { problem: `'${part}' may be of ${list}: say whose, such as '${environment.apps[0]}@${part}'` };
    if (!environment.apps.includes(app)) return { problem: `environment '${environment.environment}' does not run application '${app}'; it runs ${list}` };
    if (members[app] !== undefined) return { problem: `'${text}' names application '${app}' twice` };
    const record = findRevision(state, app, part);
    const latest = state.apps.get(app)?.revisions.at(-1);
    if (record !== undefined) members[app] = record.revision;
    else if (latest !== undefined) return { problem: `application '${app}' has no revision '${part}'; the latest is ${app}@${latest.number}` };
    else if (text !== 'latest' || environment.apps.length === 1) return { problem: `application '${app}' has no revisions yet; push one first: \`starling push DIRECTORY --app ${app}\`` };
  }
  if (Object.keys(members).length === 0) return { problem: `none of ${environment.apps.join(', ')} has a revision yet; push one first: \`starling push DIRECTORY --app ${environment.apps[0]}\`` };
  return { members };
}

/** The record of a digest in an application. */
export function revisionOf(state: State, app: string, digest: Digest): RevisionRecord | undefined {
  return state.apps.get(app)?.revisions.find((revision) => revision.revision === digest);
}

/** Whether every label of the selector has that value. An empty selector matches everything. */
export function matches(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** Whether a member is a target: an agent, not revoked, certified for the environment, with the labels that select it (N-7: labels only). */
export function isTarget(member: Member, environment: Environment): boolean {
  return (
    !member.revoked &&
    member.roles.includes('agent') &&
    member.environments.includes(environment.environment) &&
    matches(member.labels, environment.selector)
  );
}

/** The targets of an environment, by name. Dear for one that is not in the state as it is. */
export function targetsOf(state: State, environment: Environment): readonly Member[] {
  if (state.environments.get(environment.environment)?.selector === environment.selector) return state.targets.get(environment.environment) ?? [];
  return (state.agents.get(environment.environment) ?? []).flatMap((id) => {
    const member = state.members.get(id);
    return member !== undefined && isTarget(member, environment) ? [member] : [];
  });
}

/** The targets with which something may begin: all but those that somebody cordoned. */
export function deployableTargets(state: State, environment: Environment): readonly Member[] {
  const targets = targetsOf(state, environment);
  return targets.some(({ cordoned }) => cordoned !== undefined) ? targets.filter(({ cordoned }) => cordoned === undefined) : targets;
}

/** When a member was last heard, as far as that proves silence: at least when this process began to listen. */
export function heardAt(observed: Observed, member: string): number {
  return Math.max(observed.since, observed.lastSeen.get(member) ?? 0);
}

/** Whether nothing was heard of a member for `lostAfterMs`. */
export function isSilent(observed: Observed, member: string, lostAfterMs: number): boolean {
  return observed.now - heardAt(observed, member) >= lostAfterMs;
}

export interface FleetFilter {
  readonly environment?: string;
  readonly labels?: Labels;
  readonly role?: Role;
  /** Also members that were revoked. */
  readonly revoked?: boolean;
}

/** Members that pass the filter, in no order. */
export function fleet(state: State, filter: FleetFilter): readonly Member[] {
  return valuesOf(state.members).filter((member) => isOfFleet(member, filter));
}

/** Whether a member passes the filter. */
export function isOfFleet(member: Member, { revoked, role, environment, labels }: FleetFilter): boolean {
  if (revoked !== true && member.revoked) return false;
  if (role !== undefined && !member.roles.includes(role)) return false;
  return (environment === undefined || member.environments.includes(environment)) && (labels === undefined || matches(member.labels, labels));
}

/** Counts the targets of a deployment. */
export function deploymentProgress(deployment: Deployment): DeploymentProgress {
  if (deployment.archived !== undefined) return deployment.archived.progress;
  const targets = valuesOf(deployment.targets);
  const byPhase: Partial<Record<TargetPhase, number>> = {};
  const transfer = { originBytes: 0, peerBytes: 0, reusedBytes: 0, wastedBytes: 0 };
  let [done, failed, inFlight] = [0, 0, 0];
  for (const target of targets) {
    byPhase[target.phase] = (byPhase[target.phase] ?? 0) + 1;
    done += Number(isDone(target));
    failed += Number(hasFailed(target));
    inFlight += Number(isInFlight(target));
    if (target.transfer === undefined) continue;
    transfer.originBytes += target.transfer.originBytes;
    transfer.peerBytes += target.transfer.peerBytes;
    transfer.reusedBytes += target.transfer.reusedBytes;
    transfer.wastedBytes += target.transfer.wastedBytes;
  }
  const open = deployment.batches.findIndex((batch) => batch.phase === 'pending' || batch.phase === 'running' || batch.phase === 'baking');
  return {
    total: targets.length,
    done,
    failed,
    inFlight,
    ...(deployment.revoked === undefined ? {} : { revoked: deployment.revoked.length }),
    byPhase,
    batch: open < 0 ? deployment.batches.length : open,
    batches: deployment.batches.length,
    transfer,
  };
}

/** Revisions of an application that succeeded in an environment, in the order in which they last did: what it may go back to. */
export function succeededHere(state: State, environment: string, app: string): ReadonlySet<string> {
  const good = new Set<string>();
  for (const one of state.deployments.values()) {
    if (one.environment !== environment || one.app !== app || one.phase !== 'succeeded' || one.type === 'prefetch' || one.type === 'catch-up') continue;
    good.delete(one.to);
    good.add(one.to);
  }
  return good;
}

/** Whether a revision may not run in an environment any more: vetoed there or everywhere, or expired. */
export function isWithdrawn(state: State, environment: string, app: string, revision: string): boolean {
  return state.vetoes.has(vetoKey(app, revision)) || state.vetoes.has(vetoKey(app, revision, environment)) || state.descriptions.get(revisionKey(app, revision))?.expired === true;
}
