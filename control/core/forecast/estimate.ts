// Estimates from what was measured before: bytes that each target would fetch, and how long batches would take. Which chunks a
// target lacks is known where the chunks are, not here: each figure says what it rests on, and what nothing tells is absent.

import type { Event } from '../../../proto/events.ts';
import { maxParallelOf } from '../batches/arithmetic.ts';
import { verifyOf } from '../rollout/batch-verification.ts';
import { bakeMsOf, specOf } from '../batches/batches.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment, RevisionRecord, State } from '../model/model.ts';
import { receiptOf } from '../swarm/receipt.ts';
import { revisionOf, deployableTargets } from '../model/select.ts';

/**
 * What a figure of bytes rests on: the targets run it already; the same change was brought to targets before, and this is the median of
 * what these fetched; the sum of what was uploaded of the revisions between; or the whole revision, since nothing of it may be there.
 */
export type BytesBasis = 'runs-it' | 'measured' | 'uploads' | 'whole';

/** Targets that run the same, and what each would fetch. */
export interface BytesGroup {
  /** The revision that they run; absent: none. */
  readonly from?: number;
  readonly targets: number;
  readonly bytesEach: number;
  readonly basis: BytesBasis;
  /** The deployment in which it was measured. */
  readonly evidence?: string;
}

export interface BytesForecast {
  /** Most targets first. */
  readonly groups: readonly BytesGroup[];
  readonly bytes: number;
  /** Of these, what would leave seeds and proxies, going by the newest receipt here. */
  readonly originBytes?: number;
  readonly evidence?: string;
}

/** Deployments that an estimate goes by: the newest say most of what is to come. */
const evidenceMax = 5;

/** What the targets of an environment would fetch of `to`. */
export function bytesOf(state: State, environment: Environment, app: string, to: string): BytesForecast {
  const counts = new Map<string, number>();
  for (const member of deployableTargets(state, environment)) {
    const from = member.running[app]?.revision ?? '';
    counts.set(from, (counts.get(from) ?? 0) + 1);
  }
  const groups = [...counts].map(([from, targets]) => groupOf(state, app, revisionOf(state, app, from), revisionOf(state, app, to), targets)).toSorted((a, b) => b.targets - a.targets || (a.from ?? 0) - (b.from ?? 0));
  const bytes = groups.reduce((sum, group) => sum + group.targets * group.bytesEach, 0);
  const receipt = pastOf(state, environment.environment, app).map((one) => receiptOf(state, one, () => undefined)).find(({ originCopies }) => originCopies !== undefined);
  if (receipt?.originCopies === undefined) return { groups, bytes };
  const most = Math.max(0, ...groups.map(({ bytesEach }) => bytesEach));
  return { groups, bytes, originBytes: Math.min(bytes, Math.round(receipt.originCopies * most)), evidence: receipt.deployment };
}

function groupOf(state: State, app: string, from: RevisionRecord | undefined, to: RevisionRecord | undefined, targets: number): BytesGroup {
  const head = { ...(from === undefined ? {} : { from: from.number }), targets };
  const whole = to?.bytes ?? 0;
  if (to === undefined || from === undefined) return { ...head, bytesEach: whole, basis: 'whole' };
  if (from.revision === to.revision) return { ...head, bytesEach: 0, basis: 'runs-it' };
  const measured = measuredOf(state, app, from, to);
  if (measured !== undefined) return { ...head, ...measured, basis: 'measured' };
  if (to.number < from.number) return { ...head, bytesEach: whole, basis: 'whole' };
  const between = (state.apps.get(app)?.revisions ?? []).slice(from.number, to.number);
  return { ...head, bytesEach: Math.min(whole, between.reduce((sum, record) => sum + record.uploadedBytes, 0)), basis: 'uploads' };
}

/** What the same change cost targets anywhere, the newest time that it was brought. */
function measuredOf(state: State, app: string, from: RevisionRecord, to: RevisionRecord): { readonly bytesEach: number; readonly evidence: string } | undefined {
  const same = [...state.deployments.values()].filter((one) => one.app === app && one.to === to.revision && one.from === from.revision && one.type !== 'prefetch').toReversed();
  for (const { deployment, targets } of same) {
    const fetched = [...targets.values()].flatMap(({ transfer }) => (transfer === undefined ? [] : [transfer.originBytes + transfer.peerBytes]));
    if (fetched.length > 0) return { bytesEach: median(fetched), evidence: deployment };
  }
  return undefined;
}

/** How fast it went here before. */
export interface Paces {
  /** A target, from its order to its end, content being there. */
  readonly switchMs?: number;
  /** A fetch, for each byte of what one target fetched. */
  readonly fetchMsPerByte?: number;
  /** Deployments that say so. */
  readonly evidence: readonly string[];
}

/** Deployments of an application that succeeded in an environment, newest first. */
function pastOf(state: State, environment: string, app: string): readonly Deployment[] {
  const wanted = (one: Deployment): boolean => one.environment === environment && one.app === app && one.phase === 'succeeded' && one.type !== 'prefetch' && one.type !== 'catch-up' && one.targets.size > 0;
  return [...state.deployments.values()].filter(wanted).toReversed().slice(0, evidenceMax);
}

export function pacesOf(state: State, environment: string, app: string): Paces {
  const past = pastOf(state, environment, app);
  const switches: number[] = [];
  const fetches: number[] = [];
  for (const one of past) {
    const transfers = [...one.targets.values()].flatMap(({ transfer }) => transfer ?? []);
    const fetchMs = Math.max(0, ...transfers.map(({ timing }) => timing?.totalMs ?? 0));
    const most = Math.max(0, ...transfers.map(({ originBytes, peerBytes }) => originBytes + peerBytes));
    if (most > 0 && fetchMs > 0) fetches.push(fetchMs / most);
    one.batches.forEach((batch, index) => {
      const end = batch.bakingSince ?? batch.finishedAt;
      if (batch.startedAt === undefined || end === undefined || batch.targets.length === 0) return;
      // While the first batch fetches, the others do too.
      const activeMs = Math.max(0, end - batch.startedAt - (index === 0 ? fetchMs : 0));
      switches.push(activeMs / roundsOf(one.config, batch.targets.length, one.targets.size));
    });
  }
  return {
    ...(switches.length === 0 ? {} : { switchMs: median(switches) }),
    ...(fetches.length === 0 ? {} : { fetchMsPerByte: median(fetches) }),
    evidence: past.map(({ deployment }) => deployment),
  };
}

/** One batch as it would go. */
export interface BatchForecast {
  readonly name?: string;
  readonly canary?: true;
  readonly targets: readonly string[];
  /** Until its last target has come to an end; absent when nothing tells. */
  readonly activeMs?: number;
  readonly bakeMs: number;
  /** Whether a person must say that it goes on after it. */
  readonly pause?: true;
  /** The workflow that looks at it, and the samples that its bake must see; for how long nobody knows. */
  readonly verify?: string;
  readonly samples?: number;
}

export interface TimesForecast {
  readonly batches: readonly BatchForecast[];
  /** From the start to the end, without pauses and closed windows; absent when nothing tells. */
  readonly totalMs?: number;
  readonly evidence: readonly string[];
}

/** How long a deployment would take. */
export function timesOf(started: Extract<Event, { readonly kind: 'deployment.started' }>, { groups }: BytesForecast, { switchMs, fetchMsPerByte, evidence }: Paces): TimesForecast {
  const { type, config } = started;
  const total = started.batches.reduce((sum, members) => sum + members.length, 0);
  const most = Math.max(0, ...groups.map(({ bytesEach }) => bytesEach));
  const shape = { type, config, batches: started.batches.map((targets) => ({ targets, phase: 'pending' as const, open: targets.length })) };
  const batches = started.batches.map((targets, index): BatchForecast => {
    const { name, canary, pause, minSamples } = specOf(shape, index);
    const verify = verifyOf(shape, index);
    const fetchMs = index === 0 ? most * (fetchMsPerByte ?? 0) : 0;
    const activeMs = switchMs === undefined ? undefined : Math.round(fetchMs + switchMs * roundsOf(config, targets.length, total));
    return {
      targets,
      bakeMs: bakeMsOf(shape, index),
      ...(name === undefined ? {} : { name }),
      ...(canary === true ? { canary } : {}),
      ...(pause === true ? { pause } : {}),
      ...(verify === undefined ? {} : { verify }),
      ...(minSamples === undefined || type === 'rollback' ? {} : { samples: minSamples.count }),
      ...(activeMs === undefined ? {} : { activeMs }),
    };
  });
  const known = batches.every(({ activeMs }) => activeMs !== undefined);
  return { batches, evidence, ...(known ? { totalMs: batches.reduce((sum, { activeMs = 0, bakeMs }) => sum + activeMs + bakeMs, 0) } : {}) };
}

/** How often targets of a batch must take turns. */
function roundsOf(config: Deployment['config'], targets: number, total: number): number {
  return Math.max(1, Math.ceil(targets / maxParallelOf(config, total)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
