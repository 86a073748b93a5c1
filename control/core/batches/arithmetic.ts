// The arithmetic of a roll-out (control-plane.md 1.7): shares of targets, the order in which they go, the cut into
// batches, the failure threshold, and how many may change at once. When a roll-out acts on it is decide.ts.

import type { DeploymentConfig } from '../../../proto/events.ts';
import type { FineConfig, Share } from '../../../proto/rollout-config.ts';
import { isInFlight, isServing, isWayBack } from '../model/phases.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Member, State } from '../model/model.ts';
import { valuesOf } from '../model/shared-map.ts';
import { zoneOf } from '../model/zones.ts';

/** Percent of a share; undefined when it is a number of targets. */
export function percentOf(share: Share): number | undefined {
  return typeof share === 'string' ? Number(share.slice(0, -1)) : undefined;
}

/** `maxParallel` of `total` targets: a share rounds down, at least 1. */
export function maxParallelOf(config: DeploymentConfig, total: number): number {
  const percent = percentOf(config.maxParallel);
  return Math.max(1, percent === undefined ? Number(config.maxParallel) : Math.floor((total * percent) / 100));
}

/**
 * `minHealthy` of `total` targets: a share rounds up, but not to all of them, as no small environment could ever be changed then: of three, one may
 * change at 75 %, and of one, that one. Only what is written as all of them (100 %, or a number) is.
 */
export function minHealthyOf(config: DeploymentConfig, total: number): number {
  const percent = percentOf(config.minHealthy);
  if (percent === undefined) return Number(config.minHealthy);
  return percent === 100 ? total : Math.min(Math.ceil((total * percent) / 100), Math.max(0, total - 1));
}

/** How many of `total` targets may be lost without counting as failed: a share rounds down. */
export function toleratedOf({ unreachable }: DeploymentConfig, total: number): number {
  if (unreachable === undefined) return 0;
  const percent = percentOf(unreachable.tolerate);
  return percent === undefined ? Number(unreachable.tolerate) : Math.floor((total * percent) / 100);
}

/** How many failed targets stop a deployment of `total`: the count or the share, whichever is reached first; at least 1. */
export function failuresToStop(config: DeploymentConfig, total: number): number {
  const { count, percent } = config.failureThreshold;
  return Math.max(1, Math.min(count, Math.ceil((total * percent) / 100)));
}

/** Cuts targets, in the order in which they go, into batches; the last batch takes the rest, and none is empty. */
export function cutBatches(members: readonly string[], sizes: readonly Share[]): readonly (readonly string[])[] {
  const batches: (readonly string[])[] = [];
  let from = 0;
  for (const [index, size] of sizes.entries()) {
    const percent = percentOf(size);
    const wanted = Math.max(1, percent === undefined ? Number(size) : Math.floor((members.length * percent) / 100));
    const to = index === sizes.length - 1 ? members.length : Math.min(members.length, from + wanted);
    if (to > from) batches.push(members.slice(from, to));
    from = to;
  }
  if (from < members.length) batches.push(members.slice(from));
  return batches;
}

/**
 * The order in which members go: those that do not serve first, then the rest, unless the configuration has it the other way round; in
 * each group one from every zone in turn, so that a batch never takes a whole zone while another is untouched. Independent of the order
 * given. `stripeBy`: another label than the zone's to take turns by.
 */
export function inTurn(members: readonly Member[], app: string, { stripeBy = 'zone', order }: Pick<FineConfig, 'stripeBy' | 'order'> = {}): readonly string[] {
  const serving = striped(members.filter((member) => isServing(member, app)), stripeBy);
  const others = striped(members.filter((member) => !isServing(member, app)), stripeBy);
  return (servingFirst(order) ? [serving, others] : [others, serving]).flat().map((member) => member.member);
}

function servingFirst(order: FineConfig['order']): boolean {
  return order?.[0] === 'outdated';
}

function striped(members: readonly Member[], stripeBy: string): readonly Member[] {
  const zones = new Map<string, Member[]>();
  for (const member of members.toSorted(byName)) {
    const zone = stripeBy === 'zone' ? zoneOf(member) : (member.labels[stripeBy] ?? '');
    const list = zones.get(zone);
    if (list === undefined) zones.set(zone, [member]);
    else list.push(member);
  }
  const lists = [...zones].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list);
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list.slice(index, index + 1))).flat();
}

function byName(a: Member, b: Member): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.member < b.member ? -1 : 1;
}

/** Who, of a deployment's targets, serves and who is being changed at this moment. */
export interface Balance {
  readonly total: number;
  readonly serving: ReadonlySet<string>;
  /** Told to change by this deployment, and not done. */
  readonly inFlight: ReadonlySet<string>;
  /** Told to change by an earlier one, which was aborted before they had said how that ended. */
  readonly inherited: ReadonlySet<string>;
  /**
   * On the way back: how many do not serve because they change, or because the way back told them to. Who was down before it is not counted against `minHealthy` there, as
   * replacing what is bad cannot make that worse, and to wait for a machine that is dead would leave the bad release where it serves. Forward, everybody counts who does not serve.
   */
  readonly takenDown?: number;
  /** When the next target that came up has been up for long enough to count as serving. */
  readonly matureAt?: number;
}

/** Counts a deployment's targets. A lost target does not serve and is not being changed: nobody knows. One that has just come up does not serve yet. */
export function balanceOf(state: State, deployment: Deployment, now: number): Balance {
  const serving = new Set<string>();
  const inFlight = new Set<string>();
  const inherited = new Set<string>();
  const targets = valuesOf(deployment.targets);
  let [matureAt, takenDown] = [Infinity, 0];
  for (const target of targets) {
    const member = state.members.get(target.member);
    if (member === undefined) continue;
    const upAt = healthyAt(deployment, target);
    if (target.phase !== 'lost' && isServing(member, deployment.app)) {
      if (upAt <= now) serving.add(target.member);
      else matureAt = Math.min(matureAt, upAt);
    }
    if (isInFlight(target)) inFlight.add(target.member);
    else if (isInherited(target, member, deployment)) inherited.add(target.member);
    if (!serving.has(target.member) && (inFlight.has(target.member) || inherited.has(target.member) || target.order?.served === true)) takenDown += 1;
  }
  return { total: targets.length, serving, inFlight, inherited, ...(isWayBack(deployment) ? { takenDown } : {}), ...(matureAt === Infinity ? {} : { matureAt }) };
}

/** When a target that this deployment switched has been up for long enough (`minHealthyTimeMs`). */
function healthyAt({ config }: Deployment, target: TargetDeployment): number {
  const switched = target.settled && (target.order?.action === 'activate' || target.order?.action === 'rollback');
  return switched ? target.reportedAt + (config.minHealthyTimeMs ?? 0) : 0;
}

/** Whether a deployment before this one told the target to change, and it has not said how that ended. */
export function isInherited(target: TargetDeployment, member: Member, deployment: Deployment): boolean {
  const work = member.work[deployment.app];
  return work !== undefined && !work.settled && work.deployment !== deployment.deployment && target.phase !== 'lost' && !member.revoked;
}

/** How many that serve may be taken down now. */
function spareOf({ config }: Deployment, balance: Balance): number {
  const { total, serving, takenDown } = balance;
  return takenDown === undefined ? serving.size - minHealthyOf(config, total) : downAtOnceOf(config, balance) - takenDown;
}

/** How many may be down at once on the way back: what `minHealthy` leaves of those who were up, and one at least, unless none ever may. */
export function downAtOnceOf(config: DeploymentConfig, { total, serving, takenDown = 0 }: Balance): number {
  const up = serving.size + takenDown;
  return Math.min(total - minHealthyOf(config, total), Math.max(1, up - minHealthyOf(config, up)));
}

/**
 * Who of `candidates` may be changed now, in their order but those that do not serve first, or last where the configuration says so: at
 * most `maxParallel` at once in all, and never so that fewer than `minHealthy` serve. One that changes already, by this deployment or by one before it,
 * adds nothing to those who change; but the deployment never has more than `maxParallel` of its own.
 */
export function allowed(deployment: Deployment, balance: Balance, candidates: readonly string[]): readonly string[] {
  const { serving, inFlight, inherited } = balance;
  const most = maxParallelOf(deployment.config, balance.total);
  let spare = spareOf(deployment, balance);
  const again: string[] = [];
  const takenOver: string[] = [];
  const standing: string[] = [];
  const others: string[] = [];
  // Looked up once each: ten thousand are asked about.
  for (const member of candidates) {
    if (inFlight.has(member)) again.push(member);
    else if (inherited.has(member)) takenOver.push(member);
    else if (serving.has(member)) standing.push(member);
    else others.push(member);
  }
  const chosen = [...again, ...takenOver.slice(0, Math.max(0, most - inFlight.size))];
  let room = most - inFlight.size - inherited.size;
  for (const group of servingFirst(deployment.config.order) ? [standing, others] : [others, standing]) {
    const serves = group === standing;
    for (const member of group) {
      if (room <= 0) break;
      // Whoever does not serve may always be changed, and may be what the others wait for.
      if (serves && spare <= 0) continue;
      room -= 1;
      if (serves) spare -= 1;
      chosen.push(member);
    }
  }
  return chosen;
}
