// What the scheduler is told and what it asks for, as data. schedule.ts is the step between the two; daemon/swarm/exchange/exchange.ts carries it out.

import type { Bitmap } from '../../../../proto/bitmap.ts';
import type { Digest } from '../../../../proto/cid.ts';
import type { DataMessage, DeltaMessage, ExchangeMessage, ManifestMessage, NetworkMessage, TopicKind, WantDeltaMessage, WantManifestMessage } from '../../../../proto/exchange.ts';
import type { TrafficClass } from '../../rate.ts';

/** A topic as the scheduler needs it. */
export interface TopicInfo {
  readonly revision: Digest;
  readonly blob: TopicKind;
  readonly chunkCount: number;
  /** Length of a chunk in bytes. */
  lengthOf(ordinal: number): number;
  readonly environments: readonly string[];
}

/** What the scheduler is told about who asks and answers. */
export interface PeerInfo {
  readonly member: string;
  /** Whether its bytes count as the origin's (roles seed or proxy). */
  readonly origin: boolean;
  readonly environments: readonly string[];
}

/** Messages that the scheduler decides on; chunk bytes and manifests stay in the shell. */
export type ScheduledMessage = Exclude<ExchangeMessage, DataMessage | WantManifestMessage | ManifestMessage | WantDeltaMessage | DeltaMessage | NetworkMessage>;

export type ScheduleEvent =
  | { readonly kind: 'joined'; readonly peer: PeerInfo }
  | { readonly kind: 'gone'; readonly member: string }
  /** What the member was sending may be lost, though it is still here. */
  | { readonly kind: 'interrupted'; readonly member: string }
  /** The agents of the roster, ourselves included: who may be the one to fetch a piece from the origin. And the zone of each member, where that is known. */
  | { readonly kind: 'roster'; readonly agents: readonly PeerInfo[]; readonly zones?: ReadonlyMap<string, string> }
  /** `topic` is our number for it, not used before. */
  | { readonly kind: 'share'; readonly topic: number; readonly info: TopicInfo; readonly held: Bitmap }
  | { readonly kind: 'unshare'; readonly topic: number }
  /** `fetch` is our number for it, not used before: what is stored and done for it says so. */
  | { readonly kind: 'want'; readonly topic: number; readonly fetch: number; readonly wanted: Bitmap }
  | { readonly kind: 'unwant'; readonly topic: number }
  /** How urgent a topic is from now on; `rollout` when it is shared. */
  | { readonly kind: 'traffic'; readonly topic: number; readonly traffic: TrafficClass }
  | { readonly kind: 'gained'; readonly topic: number; readonly ordinals: Iterable<number> }
  /** Ordinals that were held and are not any more; whoever still believes so is told when it asks. */
  | { readonly kind: 'lost'; readonly topic: number; readonly ordinals: Iterable<number> }
  | { readonly kind: 'message'; readonly member: string; readonly message: ScheduledMessage }
  /** A `data` message, whose bytes the shell has compared with the chunk's id. `topic` is the sender's number. */
  | { readonly kind: 'chunk'; readonly member: string; readonly topic: number; readonly request: number; readonly ordinal: number; readonly bytes: number; readonly good: boolean }
  /** What a `store` effect asked for can be read from now on; it still waits for the disk, until `room`. */
  | { readonly kind: 'placed'; readonly topic: number; readonly ordinal: number }
  /** What a `store` effect asked for waits for the disk no longer, however that ended. `bytes` is its length. */
  | { readonly kind: 'room'; readonly topic: number; readonly bytes: number }
  /** Both in one. */
  | { readonly kind: 'stored'; readonly topic: number; readonly ordinal: number; readonly bytes: number }
  /** A `serve` effect is done with; `absent` ordinals turned out not to be held. */
  | { readonly kind: 'served'; readonly upload: number; readonly absent: readonly number[] }
  | { readonly kind: 'tick' };

export type Effect =
  | { readonly kind: 'send'; readonly member: string; readonly message: ScheduledMessage }
  /** Keep the bytes of the `chunk` event that this answers. Asked once for each ordinal of a fetch. */
  | { readonly kind: 'store'; readonly topic: number; readonly fetch: number; readonly ordinal: number }
  /** Send these, in order, as `data` with this topic and request; then report `served`. */
  | { readonly kind: 'serve'; readonly upload: number; readonly member: string; readonly topic: number; readonly request: number; readonly ordinals: readonly number[] }
  /** No longer wanted: end that `serve`. */
  | { readonly kind: 'stop-serving'; readonly upload: number }
  | { readonly kind: 'done'; readonly topic: number; readonly fetch: number }
  | { readonly kind: 'received'; readonly topic: number; readonly source: 'origin' | 'peer'; readonly member: string; readonly bytes: number }
  /** Bytes that came for nothing; of no topic when they belong to none of ours. */
  | { readonly kind: 'wasted'; readonly topic: number | undefined; readonly reason: 'duplicate' | 'corrupt' | 'unexpected'; readonly bytes: number }
  | { readonly kind: 'strike'; readonly member: string; readonly reason: 'corrupt-chunk' | 'timeouts' | 'protocol'; readonly detail: string }
  | { readonly kind: 'banned'; readonly member: string; readonly until: number }
  | { readonly kind: 'close'; readonly member: string; readonly reason: 'protocol' | 'banned' };
