// What the rest of the daemon asks of the swarm: take part in a blob, fetch what is missing of it, fetch a manifest.
// exchange/exchange.ts implements it on a Network (network.ts); the decisions are in daemon/core.

import type { Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import type { TopicKind } from '../../proto/exchange.ts';
import type { Rates, Transfer } from '../../proto/fleet.ts';
import type { Roster } from '../../proto/statement.ts';
import type { ChunkRef } from '../../proto/tree.ts';
import type { ReadOptions, ReadRun } from '../content/store.ts';
import type { Direction, RateGate } from '../core/rate.ts';

/** A blob that members exchange: the tree or the index of a revision by chunk ordinal, or the parts of a delta set, whose digest `revision` is then. */
export interface Topic {
  readonly revision: Digest;
  readonly blob: TopicKind;
  readonly chunkCount: number;
  /** What `ordinal` is; decides whether bytes that arrive are right. Called often: keep it cheap. */
  chunk(ordinal: number): ChunkRef;
  /** Agents see it when their certificate names one of these. Seeds and proxies see everything. */
  readonly environments: readonly string[];
}

/** What this member holds of a topic. */
export interface Holdings {
  /** The ordinals held now. Copied; tell later ones by {@link Sharing.gained}. */
  readonly held: Bitmap;
  /** The bytes of a held ordinal, those that a fetch wrote included; `undefined` when it is gone or found damaged: it then counts as not held. */
  read(ordinal: number, options: ReadOptions): Promise<Uint8Array | undefined>;
  /** The same of ordinals that follow one another. */
  readonly readRun?: ReadRun<number>;
}

export interface FetchOptions {
  /** The ordinals to bring; those already held are left out. Copied. */
  readonly wanted: Bitmap;
  /**
   * Keeps verified bytes; called once for each ordinal, several at a time. Resolves when there is room for more. It may call `placed` before that, as soon as `read` finds
   * them: neighbours then need not wait for our disk.
   */
  write(ordinal: number, bytes: Uint8Array, placed: () => void): Promise<void>;
  /** When `write` has called `placed`, or resolved, nobody that it gave the bytes to looks at them any more: their buffer is then used again. */
  readonly borrows?: boolean;
  readonly signal: AbortSignal;
  /** Given: nobody waits for it until this fires; it takes what caps leave to the background class. */
  readonly urgent?: AbortSignal;
  onProgress?(progress: { readonly haveBytes: number; readonly totalBytes: number }): void;
}

/** Taking part in one topic, until it is closed. */
export interface Sharing extends Disposable {
  /** Announces ordinals that are held now, other than by {@link fetch}. */
  gained(ordinals: Iterable<number>): void;
  /** Takes ordinals back that turned out to be damaged or gone: a {@link fetch} may bring them again. */
  lost(ordinals: Iterable<number>): void;
  /**
   * Brings what is wanted, rarest first, from peers before the origin; waits for holders as long as the signal allows. One at a time for a topic.
   * `reusedBytes` of the result is 0: the caller knows what it did not ask for.
   * @throws {DaemonError} ABORTED when the signal fires, and whatever `write` rejects with; what was written stays.
   */
  fetch(options: FetchOptions): Promise<Transfer>;
  /** Stops taking part; a fetch under way is aborted. */
  close(): void;
}

export interface Swarm extends AsyncDisposable {
  readonly self: string;
  /** Multiaddrs on which we accept connections. */
  addresses(): readonly string[];
  /** Who may be met, and by that whom to connect to. The newest epoch counts; the same one again is nothing. */
  setRoster(roster: Roster): void;
  /** Takes part in a topic as a holder. One at a time for each (revision, blob); a second one is a programmer's mistake. */
  share(topic: Topic, holdings: Holdings): Sharing;
  /**
   * The encoded revision manifest with this digest, checked against it, from any neighbour; waits for one that has it as long as the signal allows.
   * @throws {DaemonError} ABORTED
   */
  fetchManifest(revision: Digest, options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
  /** Asks neighbours for a delta set, peers a little before origins, once. What they offer is believed by nobody yet. Never rejects; ends early with the signal. */
  askDelta(question: DeltaQuestion, options: { readonly signal: AbortSignal }): Promise<DeltaAnswers>;
  /** The admitted neighbours, in ascending order of member id. */
  neighbours(): readonly { readonly member: string; readonly name: string; readonly origin: boolean }[];
  close(): Promise<void>;
}

/** Where asked-for manifests come from: `undefined` when it is not held. Called with digests that strangers to it made up. */
export type ManifestSource = (
  revision: Digest,
  options: { readonly signal: AbortSignal },
) => Promise<{ readonly bytes: Uint8Array; readonly environments: readonly string[] } | undefined>;

export type WasteReason = 'duplicate' | 'corrupt' | 'unexpected';
/** Why a member gets a strike. Three of `corrupt-chunk` are a ban of an hour. */
export type StrikeReason = 'corrupt-chunk' | 'timeouts' | 'protocol' | 'stalled' | 'not-admitted';

/** The revision wanted, and 1 to `limits.deltaBasesMax` that are at hand. */
export interface DeltaQuestion {
  readonly to: Digest;
  readonly bases: readonly Digest[];
}

/** What a neighbour answered: a set, or when there will be one (`etaMs` > 0), or both when a better one is being made. */
export interface DeltaOffer {
  readonly member: string;
  readonly origin: boolean;
  readonly etaMs: number;
  readonly statement: string;
  readonly descriptor: Uint8Array;
}

/** What neighbours answered. */
export interface DeltaAnswers {
  readonly offers: readonly DeltaOffer[];
  /** All origins have said that no better set is being made: there is no use in asking again. */
  readonly isLast: boolean;
}

/** Where offers come from: the best set for the question, and who may have it. Called with digests that strangers to it made up. */
export type DeltaSource = (
  question: DeltaQuestion,
  options: { readonly signal: AbortSignal },
) => Promise<(Pick<DeltaOffer, 'etaMs' | 'statement' | 'descriptor'> & { readonly environments: readonly string[] }) | undefined>;

/** Our own caps, and what they amount to. */
export interface SwarmRates {
  readonly send?: RateGate;
  readonly receive?: RateGate;
  /** For the receipt. */
  declared(): Rates;
  /** A counter: time in which our own cap held bytes back. */
  throttled(direction: Direction, ms: number): void;
}

/** What the swarm counts. daemon/metrics.ts binds it to a registry. All are counters unless a word says otherwise. */
export interface SwarmMetrics {
  receivedBytes(source: 'origin' | 'peer', bytes: number): void;
  sentBytes(bytes: number): void;
  /** What chunks that were sent compressed were shorter by. */
  packedBytes(saved: number): void;
  /** Chunk bytes, by what they travelled on. */
  carried(path: 'bulk' | 'stream', direction: 'sent' | 'received', bytes: number): void;
  /** Gauge: bulk channels opened (1) and ended (-1). */
  bulkChannels(change: 1 | -1): void;
  wastedBytes(reason: WasteReason, bytes: number): void;
  chunkVerifyFailed(member: string): void;
  strike(reason: StrikeReason): void;
  ban(member: string): void;
  /** Gauge: admitted neighbours. */
  peers(count: number): void;
  dial(outcome: 'ok' | 'refused' | 'failed'): void;
  /** Gauge: chunk requests awaiting an answer. */
  requestsInFlight(count: number): void;
}
