// The cables of a simulated fleet: each host sends and receives at its rates, zones have a border with a rate of its own. A chunk holds a cable from its first
// bit to its last, one after the other; what comes in faster than a cable takes waits in front of it.

/** What the network holds of a transfer that its receiver's cable does not take yet. */
const bufferBytes = 256 * 1024;

export interface HostLine {
  /** Bytes a millisecond. */
  readonly up: number;
  readonly down: number;
  readonly zone: number;
}

export interface LinesOptions {
  readonly hosts: readonly HostLine[];
  /** One way, within a zone and across a border. */
  readonly latencyMs: number;
  readonly crossMs: number;
  /** Bytes a millisecond that leave a zone, and that enter it; absent: no limit but the hosts'. */
  readonly border?: number;
}

export class Lines {
  /** Of the last chunk that was given to {@link leave}: when it has left its sender, and when its first and its last bit come to its receiver's cable. */
  sentAt = 0;
  firstAt = 0;
  lastAt = 0;
  readonly #options: LinesOptions;
  readonly #zones: Int32Array;
  readonly #upFreeAt: Float64Array;
  readonly #downFreeAt: Float64Array;
  readonly #outFreeAt: Float64Array;
  readonly #inFreeAt: Float64Array;

  constructor(options: LinesOptions) {
    this.#options = options;
    this.#zones = Int32Array.from(options.hosts, ({ zone }) => zone);
    const zones = 1 + Math.max(0, ...options.hosts.map(({ zone }) => zone));
    this.#upFreeAt = new Float64Array(options.hosts.length);
    this.#downFreeAt = new Float64Array(options.hosts.length);
    this.#outFreeAt = new Float64Array(zones);
    this.#inFreeAt = new Float64Array(zones);
  }

  isCrossing(from: number, to: number): boolean {
    return this.#zones[from] !== this.#zones[to];
  }

  latencyMs(from: number, to: number): number {
    return this.isCrossing(from, to) ? this.#options.crossMs : this.#options.latencyMs;
  }

  /** Whether a chunk waits for others at the border: then its receiver's cable is taken when it comes there, not when it leaves. */
  hasBorder(from: number, to: number): boolean {
    return this.#options.border !== undefined && this.isCrossing(from, to);
  }

  /** One chunk leaves; when it has left, and when its first and last bits come to its receiver's cable, are in the fields. */
  leave(from: number, to: number, bytes: number, now: number): void {
    const { hosts, border } = this.#options;
    const [sender, receiver] = [hosts[from], hosts[to]];
    if (sender === undefined || receiver === undefined) throw new RangeError(`no line from host ${from} to host ${to}`);
    let first = Math.max(now, this.#upFreeAt[from] ?? 0);
    let last = first + bytes / sender.up;
    this.#upFreeAt[from] = last;
    this.sentAt = last;
    if (border !== undefined && sender.zone !== receiver.zone) {
      [first, last] = through(this.#outFreeAt, sender.zone, border, bytes, first, last);
      [first, last] = through(this.#inFreeAt, receiver.zone, border, bytes, first, last);
    }
    const latency = this.latencyMs(from, to);
    this.firstAt = first + latency;
    this.lastAt = last + latency;
  }

  /** It comes to its receiver's cable, its bits between these times: when it has arrived. */
  enter(to: number, bytes: number, firstAt: number, lastAt: number): number {
    const [, arrivesAt] = through(this.#downFreeAt, to, this.#options.hosts[to]?.down ?? 1, bytes, firstAt, lastAt);
    return arrivesAt;
  }

  /** When the network has room for more of a transfer of which a chunk arrives then. */
  readyAt(from: number, to: number, arrivesAt: number): number {
    return arrivesAt - this.latencyMs(from, to) - bufferBytes / (this.#options.hosts[to]?.down ?? 1);
  }
}

/**
 * A chunk whose bits come between `first` and `last` through one more cable: when its first bit leaves it, and its last. What trickles in takes no more of a cable
 * than its bytes need: others come between.
 */
function through(freeAt: Float64Array, cable: number, rate: number, bytes: number, first: number, last: number): [number, number] {
  const begin = Math.max(first, freeAt[cable] ?? 0);
  const end = Math.max(begin + bytes / rate, last);
  freeAt[cable] = begin + bytes / rate;
  return [begin, end];
}
