// The network in memory: members on one hub, links with rates and delays by whatever clock is handed in, and faults that a simulation puts between them.
// Frames are encoded and decoded as on a wire. Admission is by the rosters alone; certificates are as each member brought them.

import { createFrameReader, encodeMessage } from '../../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../../proto/exchange.ts';
import type { Certificate, Roster } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import { DaemonError } from '../../errors.ts';
import { freshBuffers } from '../buffers.ts';
import { MemoryNeighbour, type Wire } from './memory-neighbour.ts';
import type { CloseReason, Neighbour, Network } from '../network.ts';

/** What a link does to a message: other messages in its place, none for a loss, and a delay on top of the link's own. */
export interface Fault {
  readonly messages: readonly ExchangeMessage[];
  readonly delayMs: number;
}

export interface MemoryHubOptions {
  readonly clock: Clock;
  /** One way, in milliseconds. */
  readonly latencyMs: number;
  /** What one member can send, in bytes a millisecond, shared by its links message by message. */
  readonly uplink: (member: string) => number;
  /** Asked for each message; `undefined` lets it pass. */
  readonly fault?: (from: string, to: string, message: ExchangeMessage) => Fault | undefined;
  /** Asked for each dial; see {@link MemoryHub.cut}. */
  readonly reachable?: (from: string, to: string) => boolean;
}

export interface MemoryHub {
  /** A member's network. Its addresses are `/memory/<member>`. */
  join(member: string, certificate: Certificate): Network;
  /** The member is gone without a word: its neighbours notice after the latency, and nobody reaches it. */
  kill(member: string): void;
  /** Ends the links between members that do not reach each other now: the beginning of a partition. */
  cut(): void;
}

interface Node {
  readonly member: string;
  readonly certificate: Certificate;
  readonly links: Map<string, Link>;
  /** Links with something to send, in turn. */
  readonly turn: Link[];
  roster: Roster | undefined;
  isSending: boolean;
  isClosed: boolean;
  announce: ((neighbour: Neighbour) => void) | undefined;
}

/** One direction-pair between two nodes, as one of them sees it. */
interface Link {
  readonly from: Node;
  readonly to: Node;
  readonly queue: Uint8Array[];
  readonly neighbour: MemoryNeighbour;
  other: Link | undefined;
  /** Nothing overtakes on one link. */
  lastArrival: number;
}

/** A hub without members. Its members' networks are closed one by one; the hub itself holds nothing open. */
export function createMemoryHub(options: MemoryHubOptions): MemoryHub {
  const hub = new Hub(options);
  return {
    join(member, certificate) {
      const node: Node = { member, certificate, links: new Map(), turn: [], roster: undefined, isSending: false, isClosed: false, announce: undefined };
      hub.nodes.set(member, node);
      return new MemoryNetwork(hub, node);
    },
    kill(member) {
      const node = hub.nodes.get(member);
      if (node === undefined) return;
      node.isClosed = true;
      for (const link of node.links.values()) hub.sever(link, 'gone', options.latencyMs);
    },
    cut() {
      for (const { links } of hub.nodes.values()) {
        for (const link of links.values()) if (options.reachable?.(link.from.member, link.to.member) === false) hub.sever(link, 'gone', options.latencyMs);
      }
    },
  };
}

class Hub {
  readonly options: MemoryHubOptions;
  readonly nodes = new Map<string, Node>();
  readonly #never = new AbortController().signal;

  constructor(options: MemoryHubOptions) {
    this.options = options;
  }

  connect(from: Node, to: Node): Link {
    const link = this.#half(from, to);
    const other = this.#half(to, from);
    link.other = other;
    other.other = link;
    from.links.set(to.member, link);
    to.links.set(from.member, other);
    to.announce?.(other.neighbour);
    from.announce?.(link.neighbour);
    return link;
  }

  sever(link: Link, reason: CloseReason, delayMs: number): void {
    if (link.from.links.get(link.to.member) === link) link.from.links.delete(link.to.member);
    link.queue.length = 0;
    link.neighbour.finish(reason);
    const { other } = link;
    if (other === undefined) return;
    link.other = undefined;
    this.#later(delayMs, () => this.sever(other, 'gone', 0));
  }

  #half(from: Node, to: Node): Link {
    const wire: Wire = {
      send: (bytes) => this.#enqueue(link, bytes),
      close: (reason) => this.sever(link, reason, this.options.latencyMs),
    };
    const link: Link = { from, to, queue: [], other: undefined, lastArrival: 0, neighbour: new MemoryNeighbour(to.member, to.certificate, wire) };
    return link;
  }

  #enqueue(link: Link, bytes: Uint8Array): void {
    link.queue.push(bytes);
    if (link.queue.length === 1) link.from.turn.push(link);
    if (!link.from.isSending) this.#transmit(link.from);
  }

  /** One message after the other, from each link in turn: a bulk transfer holds up a word to another neighbour by one frame at most. */
  #transmit(node: Node): void {
    const link = node.turn.shift();
    if (link === undefined) {
      node.isSending = false;
      return;
    }
    const bytes = link.queue.shift();
    // The link was cut while it waited for its turn.
    if (bytes === undefined) return this.#transmit(node);
    node.isSending = true;
    if (link.queue.length > 0) node.turn.push(link);
    this.#later(bytes.length / this.options.uplink(node.member), () => {
      link.neighbour.sent(bytes.length);
      this.#propagate(link, bytes);
      this.#transmit(node);
    });
  }

  #propagate(link: Link, bytes: Uint8Array): void {
    const { clock, fault, latencyMs } = this.options;
    for (const message of createFrameReader().push(bytes)) {
      const { messages, delayMs } = fault?.(link.from.member, link.to.member, message) ?? { messages: [message], delayMs: 0 };
      const now = clock.monotonic();
      link.lastArrival = Math.max(link.lastArrival, now + latencyMs + delayMs);
      const read = messages.map((each) => (each === message ? each : decoded(each)));
      this.#later(link.lastArrival - now, () => {
        for (const each of read) link.other?.neighbour.receive(each);
      });
    }
  }

  #later(ms: number, act: () => void): void {
    this.options.clock.wait(ms, { signal: this.#never }).then(act, () => undefined);
  }
}

class MemoryNetwork implements Network {
  readonly buffers = freshBuffers;
  readonly self: string;
  readonly #hub: Hub;
  readonly #node: Node;

  constructor(hub: Hub, node: Node) {
    this.self = node.member;
    this.#hub = hub;
    this.#node = node;
  }

  addresses(): readonly string[] {
    return [`/memory/${this.self}`];
  }

  setRoster(roster: Roster): void {
    this.#node.roster = roster;
    for (const [member, { neighbour }] of this.#node.links) {
      if (!admits(roster, member)) neighbour.close('revoked');
    }
  }

  async dial(member: string, { signal }: { readonly signal: AbortSignal }): Promise<Neighbour> {
    const node = this.#node;
    const present = node.links.get(member);
    if (present !== undefined) return present.neighbour;
    signal.throwIfAborted();
    if (!admits(node.roster, member)) throw new DaemonError('PEER_REFUSED', `${member} is not in the roster, or revoked`);
    await this.#hub.options.clock.wait(2 * this.#hub.options.latencyMs, { signal });
    const other = this.#hub.nodes.get(member);
    const isReachable = this.#hub.options.reachable?.(this.self, member) ?? true;
    if (other === undefined || other.isClosed || node.isClosed || !isReachable) throw new DaemonError('PEER_GONE', `${member} cannot be reached`);
    if (!admits(other.roster, this.self) || !admits(node.roster, member)) throw new DaemonError('PEER_REFUSED', `${member} and this member did not admit each other`);
    return (node.links.get(member) ?? this.#hub.connect(node, other)).neighbour;
  }

  onNeighbour(listener: (neighbour: Neighbour) => void): void {
    this.#node.announce = listener;
    for (const { neighbour } of this.#node.links.values()) listener(neighbour);
  }

  async close(): Promise<void> {
    this.#node.isClosed = true;
    for (const { neighbour } of this.#node.links.values()) neighbour.close('shutdown');
    await Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function admits(roster: Roster | undefined, member: string): boolean {
  return roster !== undefined && !roster.revoked.includes(member) && roster.members.some((entry) => entry.member === member);
}

/** What a changed message looks like to the one who reads it off the wire. */
function decoded(message: ExchangeMessage): ExchangeMessage {
  const [first] = createFrameReader().push(Buffer.concat(encodeMessage(message)));
  return first ?? message;
}
