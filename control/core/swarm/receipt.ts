// The receipt of a deployment: what its targets reported of their fetches, added up and held against what would have been possible.
// Recorded is what targets reported (evolve/report.ts); this is only the sum. Rates of seeds are observations, and handed in.

import type { Receipt, ReceiptTarget } from '../../../proto/api/swarm.ts';
import type { Rates, Transfer } from '../../../proto/fleet.ts';
import { fluidBound } from './fluid-bound.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isDone } from '../model/phases.ts';
import { slownessOf } from './slowness.ts';
import { zoneOf } from '../model/zones.ts';

/** The receipt without its page of targets. */
export type ReceiptSummary = Omit<Receipt, 'items' | 'next'>;

/** What members declare now, where anything is known of it. */
export type RatesNow = (member: string) => Rates | undefined;

const feedersMax = 16;
const noBytes = { originBytes: 0, peerBytes: 0, reusedBytes: 0, wastedBytes: 0, deltaBytes: 0, savedBytes: 0, zonePeerBytes: 0, crossZoneBytes: 0 };
const byteKeys = ['originBytes', 'peerBytes', 'reusedBytes', 'wastedBytes', 'deltaBytes', 'savedBytes', 'zonePeerBytes', 'crossZoneBytes'] as const;

/** Adds a deployment's targets up. */
export function receiptOf(state: State, deployment: Deployment, ratesNow: RatesNow): ReceiptSummary {
  const targets = [...deployment.targets.values()];
  const first = firstStart(deployment);
  const lines = targets.map((target) => receiptTarget(state, target, first));
  const fetched = lines.filter(({ state: how }) => how === 'fetched');
  const bytes = { ...noBytes };
  for (const line of fetched) for (const key of byteKeys) bytes[key] += line[key];
  const fetchBytes = Math.max(0, ...fetched.map(fetchedBytes));
  const saidZones = targets.some(({ transfer }) => transfer?.crossZoneBytes !== undefined);
  const slowest = fetched.filter((line) => fetchedBytes(line) > 0).toSorted((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0) || (a.name < b.name ? -1 : 1))[0];
  return {
    deployment: deployment.deployment,
    environment: deployment.environment,
    app: deployment.app,
    number: deployment.number,
    to: deployment.to,
    phase: deployment.phase,
    targets: {
      total: lines.length,
      fetched: fetched.length,
      fetching: lines.filter(({ state: how }) => how === 'fetching').length,
      silent: lines.filter(({ state: how }) => how === 'silent').length,
    },
    bytes,
    fetchBytes,
    ...(fetchBytes === 0 ? {} : { originCopies: ratio(bytes.originBytes, fetchBytes) }),
    ...(fetchBytes === 0 || !saidZones ? {} : { crossZoneCopies: ratio(bytes.crossZoneBytes, fetchBytes) }),
    zones: new Set(lines.map(({ zone }) => zone)).size,
    savedEgressBytes: bytes.peerBytes,
    time: timeOf(state, deployment, fetched, ratesNow),
    ...(slowest === undefined ? {} : { slowest }),
    feeders: feedersOf(state, targets),
  };
}

/** One target's line. `first` is when the deployment's first fetch began. */
export function receiptTarget(state: State, target: TargetDeployment, first: number | undefined): ReceiptTarget {
  const { transfer, phase, member: id } = target;
  const member = state.members.get(id);
  const fetching = !isDone(target) && phase === 'downloading';
  const head = { member: id, name: member?.name ?? id, zone: member === undefined ? 'default' : zoneOf(member), phase };
  if (transfer === undefined) return { ...head, state: fetching ? 'fetching' : 'silent', ...noBytes, from: [] };
  const line = { ...head, state: 'fetched' as const, ...bytesOf(transfer), from: (transfer.from ?? []).map((link) => ({ ...link, name: nameOf(state, link.member) })) };
  const startedAt = startOf(target);
  const finishedAt = target.fetchedAt;
  if (startedAt === undefined || finishedAt === undefined) return line;
  const durationMs = finishedAt - startedAt;
  const times = { startedAt, finishedAt, durationMs };
  if (fetchedBytes(line) === 0) return { ...line, ...times };
  return { ...line, ...times, ...slownessOf({ transfer, durationMs, lateMs: startedAt - (first ?? startedAt) }) };
}

/** When the first fetch of a deployment began. */
export function firstStart(deployment: Deployment): number | undefined {
  const starts = [...deployment.targets.values()].flatMap((target) => (isFetch(target) ? (startOf(target) ?? []) : []));
  return starts.length === 0 ? undefined : Math.min(...starts);
}

/** The end by our clock, less what the target says that it took by its own: no two clocks are compared. */
function startOf({ fetchedAt, transfer }: TargetDeployment): number | undefined {
  return fetchedAt === undefined ? undefined : fetchedAt - (transfer?.timing?.totalMs ?? 0);
}

function isFetch({ transfer }: TargetDeployment): boolean {
  return transfer !== undefined && fetchedBytes(transfer) > 0;
}

function fetchedBytes({ originBytes, peerBytes }: { readonly originBytes: number; readonly peerBytes: number }): number {
  return originBytes + peerBytes;
}

function bytesOf(transfer: Transfer): typeof noBytes {
  const bytes = { ...noBytes };
  for (const key of byteKeys) bytes[key] = transfer[key] ?? 0;
  return bytes;
}

function timeOf(state: State, deployment: Deployment, fetched: readonly ReceiptTarget[], ratesNow: RatesNow): Receipt['time'] {
  const startedAt = firstStart(deployment);
  const ends = fetched.flatMap((line) => (fetchedBytes(line) > 0 ? (line.finishedAt ?? []) : []));
  const origins = [...state.members.values()].filter(({ roles, revoked }) => !revoked && (roles.includes('seed') || roles.includes('proxy')));
  const { boundMs, boundBy, unknown } = fluidBound({
    targets: fetched.map((line) => {
      const rates = deployment.targets.get(line.member)?.transfer?.rates ?? ratesNow(line.member);
      return { bytes: fetchedBytes(line), send: rates?.send, receive: rates?.receive };
    }),
    origins: origins.map(({ member }) => ratesNow(member)?.send),
  });
  const known = { ...(boundMs === undefined ? {} : { boundMs }), ...(boundBy === undefined ? {} : { boundBy }), unknown: [...unknown] };
  if (startedAt === undefined || ends.length === 0) return known;
  const finishedAt = Math.max(...ends);
  const durationMs = finishedAt - startedAt;
  return { startedAt, finishedAt, durationMs, ...known, ...(boundMs === undefined || boundMs === 0 ? {} : { ratio: ratio(durationMs, boundMs) }) };
}

/** Who sent most, as far as targets named them. */
function feedersOf(state: State, targets: readonly TargetDeployment[]): Receipt['feeders'] {
  const sums = new Map<string, { bytes: number; targets: number }>();
  for (const { transfer } of targets) {
    for (const { member, bytes } of transfer?.from ?? []) {
      const sum = sums.get(member) ?? { bytes: 0, targets: 0 };
      sums.set(member, { bytes: sum.bytes + bytes, targets: sum.targets + 1 });
    }
  }
  return [...sums]
    .toSorted(([a, most], [b, least]) => least.bytes - most.bytes || (a < b ? -1 : 1))
    .slice(0, feedersMax)
    .map(([member, sum]) => ({ member, name: nameOf(state, member), origin: state.members.get(member)?.roles.some((role) => role !== 'agent') ?? false, ...sum }));
}

function nameOf(state: State, member: string): string {
  return state.members.get(member)?.name ?? member;
}

/** Three digits after the point: what a copy is told in. */
function ratio(part: number, whole: number): number {
  return Math.round((1000 * part) / whole) / 1000;
}
