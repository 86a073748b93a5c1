// Questions about the swarm: who is in which zone and fed whom, and how far a revision has spread. Answers come from what targets reported;
// nothing is decided here.

import type { CoverageZone, MapZone } from '../../../proto/api/swarm.ts';
import type { Feeder, TargetPhase } from '../../../proto/fleet.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Member, RevisionRecord, State } from '../model/model.ts';
import { findRevision, targetsOf } from '../model/select.ts';
import { zoneOf } from '../model/zones.ts';

/** Phases in which a target of a deployment has every chunk of its revision on disk. */
const holdingPhases: ReadonlySet<TargetPhase> = new Set(['downloaded', 'verified', 'staged', 'activating', 'health-checking', 'committed', 'already-current']);

/** Whether a target in this phase has all of its revision on disk. */
export function isHolding(phase: TargetPhase): boolean {
  return holdingPhases.has(phase);
}

export interface SwarmLinks {
  /** Who fed a member, most first, by the member fed. */
  readonly from: ReadonlyMap<string, readonly Feeder[]>;
  /** By who fed. */
  readonly fed: ReadonlyMap<string, { readonly bytes: number; readonly targets: number }>;
  /** Between zones, most first. */
  readonly zones: readonly { readonly from: string; readonly to: string; readonly bytes: number }[];
}

/** Members that are not revoked, by zone and then by name. */
export function mapMembers(state: State): readonly Member[] {
  return [...state.members.values()].filter(({ revoked }) => !revoked).toSorted((a, b) => (mapKey(a) < mapKey(b) ? -1 : 1));
}

/** What {@link mapMembers} are sorted by; unique. */
export function mapKey(member: Member): string {
  return `${zoneOf(member)} ${member.name} ${member.member}`;
}

/** Who fed whom in the newest deployment of each environment, as far as targets named them. */
export function swarmLinks(state: State): SwarmLinks {
  const from = new Map<string, readonly Feeder[]>();
  const fed = new Map<string, { bytes: number; targets: number }>();
  const zones = new Map<string, { from: string; to: string; bytes: number }>();
  const zone = (id: string): string => {
    const member = state.members.get(id);
    return member === undefined ? 'default' : zoneOf(member);
  };
  for (const { transfer, member } of newestDeployments(state).flatMap(({ targets }) => [...targets.values()])) {
    if (transfer?.from === undefined || transfer.from.length === 0) continue;
    from.set(member, transfer.from);
    for (const link of transfer.from) {
      const sum = fed.get(link.member) ?? { bytes: 0, targets: 0 };
      fed.set(link.member, { bytes: sum.bytes + link.bytes, targets: sum.targets + 1 });
      const ends = { from: zone(link.member), to: zone(member) };
      const key = `${ends.from} ${ends.to}`;
      zones.set(key, { ...ends, bytes: (zones.get(key)?.bytes ?? 0) + link.bytes });
    }
  }
  return { from, fed, zones: [...zones.values()].toSorted((a, b) => b.bytes - a.bytes) };
}

/** Zones with what is in them, by name. */
export function mapZones(members: readonly Member[], isOnline: (member: string) => boolean): readonly MapZone[] {
  const zones = new Map<string, { zone: string; agents: number; seeds: number; online: number }>();
  for (const member of members) {
    const zone = zoneOf(member);
    const sum = zones.get(zone) ?? { zone, agents: 0, seeds: 0, online: 0 };
    if (member.roles.includes('agent')) sum.agents += 1;
    if (isSeed(member)) sum.seeds += 1;
    if (isOnline(member.member)) sum.online += 1;
    zones.set(zone, sum);
  }
  return [...zones.values()].toSorted((a, b) => (a.zone < b.zone ? -1 : 1));
}

/** The revision that a text names with its application (`web@41`) or alone, when it is a digest or a CID. */
export function revisionNamed(state: State, text: string): RevisionRecord | undefined {
  const at = text.indexOf('@');
  if (at > 0) return findRevision(state, text.slice(0, at), text.slice(at + 1));
  for (const { revisions } of state.apps.values()) {
    const found = revisions.find(({ revision, cid }) => revision === text || cid === text);
    if (found !== undefined) return found;
  }
  return undefined;
}

export interface Spread {
  readonly zones: readonly CoverageZone[];
  readonly targets: number;
  readonly holding: number;
  readonly fetching: number;
  readonly seeds: number;
}

/** How far a revision has spread over the targets of its application's environments, or of one of them. */
export function spreadOf(state: State, { app, revision }: RevisionRecord, environment?: string): Spread {
  const zones = new Map<string, CoverageZone>();
  const add = (zone: string, more: Partial<Omit<CoverageZone, 'zone'>>): void => {
    const sum = zones.get(zone) ?? { zone, targets: 0, holding: 0, fetching: 0, copies: 0 };
    const { targets = 0, holding = 0, fetching = 0, copies = 0 } = more;
    zones.set(zone, { zone, targets: sum.targets + targets, holding: sum.holding + holding, fetching: sum.fetching + fetching, copies: sum.copies + copies });
  };
  const deployments = [...state.deployments.values()].filter((deployment) => deployment.to === revision && deployment.app === app);
  const counted = new Set<string>();
  for (const one of state.environments.values()) {
    if (!one.apps.includes(app) || (environment !== undefined && one.environment !== environment)) continue;
    for (const member of targetsOf(state, one)) {
      // Nothing is fetched where nothing is deployed: it would hold for ever whoever waits for all.
      if (counted.has(member.member) || member.cordoned !== undefined) continue;
      counted.add(member.member);
      const how = howFar(member, app, revision, deployments);
      add(zoneOf(member), { targets: 1, ...(how === 'holding' ? { holding: 1, copies: 1 } : how === 'fetching' ? { fetching: 1 } : {}) });
    }
  }
  const seeds = [...state.members.values()].filter((member) => !member.revoked && isSeed(member));
  for (const seed of seeds) add(zoneOf(seed), { copies: 1 });
  const found = [...zones.values()].toSorted((a, b) => (a.zone < b.zone ? -1 : 1));
  const sum = (key: 'targets' | 'holding' | 'fetching'): number => found.reduce((all, zone) => all + zone[key], 0);
  return { zones: found, targets: sum('targets'), holding: sum('holding'), fetching: sum('fetching'), seeds: seeds.length };
}

/** A member that has a revision's content, or is getting it. */
export interface Holder {
  readonly member: Member;
  readonly has: 'keeps' | 'runs' | 'holds' | 'fetching';
}

/** Who has the content of a revision, by {@link mapKey}. What a seed was told to forget is not known here. */
export function holdersOf(state: State, { app, revision }: RevisionRecord): readonly Holder[] {
  const deployments = [...state.deployments.values()].filter((deployment) => deployment.to === revision && deployment.app === app);
  return mapMembers(state).flatMap((member): readonly Holder[] => {
    if (isSeed(member)) return [{ member, has: 'keeps' }];
    if (member.running[app]?.revision === revision) return [{ member, has: 'runs' }];
    const how = howFar(member, app, revision, deployments);
    return how === 'nothing' ? [] : [{ member, has: how === 'holding' ? 'holds' : 'fetching' }];
  });
}

function howFar(member: Member, app: string, revision: string, deployments: readonly Deployment[]): 'holding' | 'fetching' | 'nothing' {
  if (member.running[app]?.revision === revision) return 'holding';
  // The newest word counts: what was staged long ago may have been cleaned up.
  const target = deployments.findLast(({ targets }) => targets.has(member.member))?.targets.get(member.member);
  if (target === undefined) return 'nothing';
  if (isHolding(target.phase)) return 'holding';
  return target.phase === 'downloading' ? 'fetching' : 'nothing';
}

function newestDeployments(state: State): readonly Deployment[] {
  return [...state.environments.values()].flatMap(({ newestDeployment }) => (newestDeployment === undefined ? [] : (state.deployments.get(newestDeployment) ?? [])));
}

function isSeed({ roles }: Member): boolean {
  return roles.includes('seed') || roles.includes('proxy');
}
