// The messages of /starling/exchange/1: one long-lived stream per neighbour and direction of opening.
// Their bytes are in exchange-codec.ts; who sends what when is decided in daemon/core.
//
// A *topic* is a number that the sender of `open` gives to a blob that both may hold: the tree of a revision
// (its distinct chunks by ordinal) or the index of that tree (its chunks by position). Each side opens its own topics for what it
// holds or wants; requests and data name the topic number of the side that *opened* with its holdings, so a request
// carries the server's number.

import type { Digest } from './cid.ts';

/** Which blob a topic is about: of a revision, or the payload of a delta set, in whose topic `revision` is the digest of the set's descriptor. */
export type TopicKind = 'tree' | 'index' | 'delta';

/** A half-open range of ordinals. */
export interface OrdinalRange {
  readonly from: number;
  readonly to: number;
}

/** "I take part in this blob, and hold these ordinals" (bit `n` of byte `n >> 3`, least significant first). */
export interface OpenMessage {
  readonly kind: 'open';
  readonly topic: number;
  readonly blob: TopicKind;
  readonly revision: Digest;
  /** Empty when nothing is held yet. */
  readonly held: Uint8Array;
}

/** "I no longer take part." Outstanding requests on it get no answer. */
export interface CloseMessage {
  readonly kind: 'close';
  readonly topic: number;
}

/** "I hold these too, now." */
export interface HaveMessage {
  readonly kind: 'have';
  readonly topic: number;
  readonly ranges: readonly OrdinalRange[];
}

/** "Ask me for these": an origin's, of what nobody has asked it for although its line is short. The topic is its own; nobody needs to. */
export interface SuggestMessage {
  readonly kind: 'suggest';
  readonly topic: number;
  readonly ranges: readonly OrdinalRange[];
}

/** "Send me these." Answered by one `data`, `busy`, `absent` or `elsewhere` per ordinal or range. */
export interface RequestMessage {
  readonly kind: 'request';
  readonly topic: number;
  readonly request: number;
  readonly ranges: readonly OrdinalRange[];
}

/** One whole chunk, or its zstd form when that is announced. */
export interface DataMessage {
  readonly kind: 'data';
  readonly topic: number;
  readonly request: number;
  readonly ordinal: number;
  readonly compression: 'none' | 'zstd';
  readonly bytes: Uint8Array;
}

/** "Not now": the whole request is dropped, ask again after this time. */
export interface BusyMessage {
  readonly kind: 'busy';
  readonly request: number;
  readonly retryAfterMs: number;
}

/** "I do not hold these", the same for what is absent and for what the asker may not see. */
export interface AbsentMessage {
  readonly kind: 'absent';
  readonly request: number;
  readonly ranges: readonly OrdinalRange[];
}

/** The origin's answer that spares its egress: these members hold it (peer ids); the request is dropped. */
export interface ElsewhereMessage {
  readonly kind: 'elsewhere';
  readonly request: number;
  readonly holders: readonly string[];
}

/** "No longer needed": what has not been sent yet need not be. */
export interface CancelMessage {
  readonly kind: 'cancel';
  readonly request: number;
}

/** "Send me the revision manifest with this digest"; answered by `manifest`. */
export interface WantManifestMessage {
  readonly kind: 'want-manifest';
  readonly request: number;
  readonly revision: Digest;
}

/** The encoded revision manifest, or empty bytes when it is not held. */
export interface ManifestMessage {
  readonly kind: 'manifest';
  readonly request: number;
  readonly bytes: Uint8Array;
}

/** "Have you a delta set that makes revision `to` from one of these?"; answered by `delta`. */
export interface WantDeltaMessage {
  readonly kind: 'want-delta';
  readonly request: number;
  readonly to: Digest;
  /** 1 to `limits.deltaBasesMax`, dearest first. */
  readonly bases: readonly Digest[];
}

/** A set's descriptor and the statement about it, or neither. Its parts are had in a topic of kind `delta`. */
export interface DeltaMessage {
  readonly kind: 'delta';
  readonly request: number;
  /** When a set, or one that makes more than this, is expected; 0 when none is being made. */
  readonly etaMs: number;
  /** Compact form (proto/statement.ts); empty with the descriptor. */
  readonly statement: string;
  readonly descriptor: Uint8Array;
}

/**
 * "Open the bulk channel to me at this port, with this token." With port 0 and no token: "there is none between us, nor what it still carried;
 * invite me if you can." The network's own words: they end in daemon/swarm, where the channel is kept.
 */
export interface BulkMessage {
  readonly kind: 'bulk';
  readonly port: number;
  /** Good for one opening by the neighbour it was sent to. */
  readonly token: Uint8Array;
}

/**
 * "What follows here and is no answer is numbered from this on." Every message but answers and the network's own words has a number on each side of an exchange:
 * from 0, in the order of sending, whichever way it travels. On the stream they begin with 0; a bulk channel begins with a mark.
 */
export interface MarkMessage {
  readonly kind: 'mark';
  /** Below 2^53. */
  readonly number: number;
}

/** "I have all of yours before this number": what a bulk channel carried need not be kept in case that it ends. */
export interface TakenMessage {
  readonly kind: 'taken';
  readonly number: number;
}

/** What members say to one another about how they are connected: it ends in daemon/swarm. */
export type NetworkMessage = BulkMessage | MarkMessage | TakenMessage;

export type ExchangeMessage =
  | OpenMessage
  | CloseMessage
  | HaveMessage
  | SuggestMessage
  | RequestMessage
  | DataMessage
  | BusyMessage
  | AbsentMessage
  | ElsewhereMessage
  | CancelMessage
  | WantManifestMessage
  | ManifestMessage
  | WantDeltaMessage
  | DeltaMessage
  | NetworkMessage;

/** The libp2p protocol of the exchange. */
export const exchangeProtocol = '/starling/exchange/1';
/** The libp2p protocol of the greeting that decides admission. */
export const helloProtocol = '/starling/hello/1';
