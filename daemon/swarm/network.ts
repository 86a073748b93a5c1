// The network's port: admitted neighbours, and messages to and from them. Nothing here knows what a message means.
// Implementations: libp2p/libp2p.ts (TCP, Noise, yamux) and memory/memory-network.ts (links with rates, delays and faults, by any clock).
// What is said to whom when is decided in daemon/core and carried out by exchange/.

import type { ExchangeMessage } from '../../proto/exchange.ts';
import type { Certificate, Roster } from '../../proto/statement.ts';
import type { Buffers } from './buffers.ts';

/** Why a neighbour is no longer one. `revoked`, `replaced` and `shutdown` are ours or the roster's doing, the others the neighbour's or the wire's. */
export type CloseReason = 'gone' | 'revoked' | 'replaced' | 'protocol' | 'stalled' | 'banned' | 'shutdown';

/** An admitted member with an open exchange. There is at most one for each member at any time. */
export interface Neighbour {
  /** Its peer id, proven by the handshake and named by its certificate. */
  readonly member: string;
  readonly certificate: Certificate;
  /**
   * Queues one encoded message (the parts are not copied by the caller and must not change). Never blocks: keep {@link backlogBytes}
   * bounded with {@link drained}. After the close it does nothing. `onTaken` is called when the parts may change again, perhaps never.
   */
  send(parts: readonly Uint8Array[], onTaken?: () => void): void;
  /** Bytes queued here and not yet taken by the transport. */
  readonly backlogBytes: number;
  /** Resolves when the backlog has fallen under `below`, or else {@link backlogLowBytes}; at once when it is. @throws {DaemonError} PEER_GONE when it closes first. */
  drained(options: { readonly signal: AbortSignal; readonly below?: number }): Promise<void>;
  /**
   * The one receiver of messages. Answers to requests (`data`, `absent`, `elsewhere`) come in order, and so does everything else; the two may overtake each
   * other. What came before it was set is kept and delivered then.
   */
  onMessage(listener: (message: ExchangeMessage) => void): void;
  /** Told that answers on their way may have been lost, though the neighbour is still here: what was asked of it has to be asked again. */
  onInterrupted(listener: () => void): void;
  /** Called once; at once when it is closed already. */
  onClose(listener: (reason: CloseReason) => void): void;
  close(reason: CloseReason): void;
}

/** The members that can be reached, seen from one of them. */
export interface Network extends AsyncDisposable {
  /** Our own peer id. */
  readonly self: string;
  /** Where the bytes of `data` messages come from: whoever needs them no more may give them back. */
  readonly buffers: Buffers;
  /** Multiaddrs on which we accept connections. */
  addresses(): readonly string[];
  /**
   * Who may be met, and at which addresses. Closes the connections of members that it revokes or no longer names, and bars them in both directions.
   * Before the first roster nobody is admitted.
   */
  setRoster(roster: Roster): void;
  /**
   * A neighbour at one of the addresses that the roster gives; the present one when there is one. Resolves only when both sides have admitted each other.
   * @throws {DaemonError} PEER_REFUSED when either side does not admit the other, PEER_GONE when it cannot be reached.
   */
  dial(member: string, options: { readonly signal: AbortSignal }): Promise<Neighbour>;
  /** The one receiver of new neighbours, whoever dialled. It must set its listeners before it returns. */
  onNeighbour(listener: (neighbour: Neighbour) => void): void;
  close(): Promise<void>;
}

/** Under this {@link Neighbour.drained} resolves: enough that the wire does not run dry while the next chunk is read. */
export const backlogLowBytes = 256 * 1024;
/** A neighbour that lets more than this pile up does not read; it is closed as `stalled`. The largest bitmap and a chunk fit. */
export const backlogBytesMax = 6 * 1024 * 1024;
