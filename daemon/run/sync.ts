// The conversation with the control plane: one long poll after the other. What comes back is checked by trust and handed on;
// a control plane that is away changes nothing here but the wait until the next try.

import { createHash } from 'node:crypto';
import type { RefusedOrder, SyncReply, SyncRequest } from '../../proto/fleet.ts';
import { limits } from '../../proto/limits.ts';
import type { Order, Roster } from '../../proto/statement.ts';
import type { Clock } from '../clock.ts';
import { DaemonError } from '../errors.ts';
import type { Link } from '../link/link.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import type { Audience, Trust } from '../trust/trust.ts';
import type { Ride } from './reports.ts';

/** Waits after failures: doubled each time up to the longest, then a random part of it, so that a fleet does not return as one. */
const retry = { firstMs: 500, longestMs: 30_000 } as const;
/** How soon an order that was refused is looked at again; it comes back with every sync until its deployment ends. */
const refusedPauseMs = 2_000;
/** A member that cannot keep this pace with news would only burn its processor. */
const pauseMsMin = 20;
/** Reports do not wait longer for the next request to ride with it. */
const rideAfterMsMax = 100;

/** What the loop needs. */
export interface SyncDeps {
  readonly link: Link;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  audience(): Audience;
  /** What this member says of itself now, the trust part apart. */
  describe(): Promise<Pick<SyncRequest, 'addresses' | 'uploadUrl' | 'running' | 'progress' | 'rates' | 'version'>>;
  onRoster(roster: Roster): void;
  onCertificate(compact: string): Promise<void>;
  /** Reports that ride along; absent where nothing is reported. */
  readonly ride?: Ride;
  /** Manifests that came with orders, encoded and of no worth before they have been hashed. */
  onManifests(manifests: readonly Uint8Array[]): void;
  /** Metadata changed: what environments authorise may be other revisions. */
  onMetadata(): void;
  /** What keeps the control plane from answering, said at each failure; undefined when it answers. */
  onAnswer?(trouble: Error | undefined): void;
  /** A verified order, not yet accepted. */
  onOrder(order: Order): Promise<void>;
}

/** Runs until the signal fires. Never throws: a failure is logged, counted, and tried again. */
export async function syncLoop(deps: SyncDeps, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let wholeRoster = false;
  let refusals: readonly RefusedOrder[] = [];
  while (!signal.aborted) {
    let pauseMs: number;
    try {
      const reply = await deps.link.sync(await request(deps, wholeRoster, refusals), { signal });
      await deps.ride?.arrived();
      if (failures > 0) deps.log.info({}, 'the control plane answers again');
      failures = 0;
      deps.metrics.controlConnected.set(1);
      deps.onAnswer?.(undefined);
      deps.metrics.lastSync.set(deps.clock.now() / 1000);
      const taken = await take(deps, reply);
      ({ wholeRoster, refusals } = taken);
      pauseMs = Math.max(taken.refused ? refusedPauseMs : pauseMsMin, Math.min(reply.pollAfterMs, limits.syncWaitMs));
      if (pauseMs > rideAfterMsMax) deps.ride?.missed();
    } catch (cause) {
      if (signal.aborted) return;
      deps.ride?.missed();
      // An older control plane does not understand them: the conversation matters more.
      refusals = [];
      failures += 1;
      deps.metrics.controlConnected.set(0);
      deps.onAnswer?.(cause instanceof Error ? cause : new Error(String(cause)));
      deps.metrics.failures.inc({ component: 'sync' });
      if (failures === 1) deps.log.warn({ err: cause }, refused(cause) ? 'the control plane refuses this daemon; trying again with growing pauses' : 'the control plane does not answer; trying again with growing pauses');
      pauseMs = deps.random() * Math.min(retry.longestMs, retry.firstMs * 2 ** Math.min(failures, 10));
    }
    if (failures === 0) await deps.clock.wait(pauseMs, { signal }).catch(() => undefined);
    else await untilAnswered(deps, pauseMs, signal);
  }
}

/** Ends early when reports have been taken: a control plane that is back has orders for who else waits up to half a minute for them. */
async function untilAnswered({ clock, ride }: SyncDeps, ms: number, signal: AbortSignal): Promise<void> {
  const answers = new AbortController();
  ride?.onTaken(() => answers.abort());
  await clock.wait(ms, { signal: AbortSignal.any([signal, answers.signal]) }).catch(() => undefined);
}

/** It answers, but not with what was asked for: another matter than a network that is down. */
function refused(cause: unknown): boolean {
  return cause instanceof DaemonError && cause.code === 'CONTROL_REFUSED';
}

async function request(deps: SyncDeps, wholeRoster: boolean, refusals: readonly RefusedOrder[]): Promise<SyncRequest> {
  const said = await deps.describe();
  const reports = deps.ride?.board() ?? [];
  return {
    ...said,
    ...(reports.length === 0 ? {} : { reports }),
    ...(refusals.length === 0 ? {} : { refused: [...refusals] }),
    manifests: true,
    seqSeen: { ...deps.trust.seqSeen() },
    metadata: { ...deps.trust.versions() },
    rosterEpoch: wholeRoster ? 0 : (deps.trust.roster()?.epoch ?? 0),
    waitMs: limits.syncWaitMs,
  };
}

interface Taken {
  /** Whether something was refused that will come again. */
  readonly refused: boolean;
  /** Orders that were refused: said with the next request, since nobody else reads this machine's log. */
  readonly refusals: readonly RefusedOrder[];
  /** Whether the roster held is of no use to make the new one of. */
  readonly wholeRoster: boolean;
}

/** Takes each part for itself, so that a bad one does not hide the others. */
async function take(deps: SyncDeps, reply: SyncReply): Promise<Taken> {
  const badMetadata = Object.keys(reply.metadata).length > 0 ? await takeMetadata(deps, reply.metadata) : undefined;
  if (reply.certificate !== undefined) await attempt(deps, 'certificate', async () => await deps.onCertificate(reply.certificate ?? ''));
  const wholeRoster = !(await takeRoster(deps, reply));
  if (reply.manifests !== undefined) deps.onManifests(reply.manifests.map((text) => Buffer.from(text, 'base64')));
  const refusals: RefusedOrder[] = [];
  for (const compact of reply.orders) {
    try {
      await deps.onOrder(await deps.trust.verifyOrder(compact, deps.audience()));
    } catch (cause) {
      if (!(cause instanceof DaemonError)) throw cause;
      deps.metrics.manifestFailures.inc({ reason: cause.code });
      deps.log.warn({ code: cause.code, reason: cause.message }, 'an order was refused');
      refusals.push(refusalOf(compact, cause, badMetadata));
    }
  }
  return { refused: badMetadata !== undefined || refusals.length > 0, refusals: refusals.slice(0, limits.syncRefusalsMax), wholeRoster };
}

/** An order that does not fit what is held mostly follows from metadata that was not taken: that is the cause. */
function refusalOf(compact: string, { code, message }: DaemonError, badMetadata: DaemonError | undefined): RefusedOrder {
  const detail = badMetadata === undefined ? message : `${message}; and the metadata that came with it was refused: ${badMetadata.message}`;
  return { order: createHash('sha256').update(compact).digest('hex'), code: badMetadata?.code ?? code, detail: detail.slice(0, limits.refusalCharsMax) };
}

/** Returns false when a change does not lead from the roster held to one that is signed: then it is asked for as a whole. */
async function takeRoster(deps: SyncDeps, { roster, rosterChange }: SyncReply): Promise<boolean> {
  if (roster !== undefined) await attempt(deps, 'roster', async () => deps.onRoster(await deps.trust.acceptRoster(roster)));
  return rosterChange === undefined || (await attempt(deps, 'roster', async () => deps.onRoster(await deps.trust.acceptRosterChange(rosterChange))));
}

async function takeMetadata(deps: SyncDeps, files: Readonly<Record<string, string>>): Promise<DaemonError | undefined> {
  const { changed, refused } = await deps.trust.update(files);
  if (refused !== undefined) {
    deps.metrics.manifestFailures.inc({ reason: refused.code });
    deps.log.warn({ err: refused }, 'metadata was refused; what was verified before stays in force');
  }
  if (changed.length > 0) deps.onMetadata();
  return refused;
}

async function attempt(deps: SyncDeps, what: string, action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (cause) {
    if (!(cause instanceof DaemonError)) throw cause;
    deps.metrics.manifestFailures.inc({ reason: cause.code });
    deps.log.warn({ err: cause, what }, 'a statement of the control plane was refused');
    return false;
  }
}
