// Guessing made slow: after many failed proofs an address is refused for a while before anything is looked at (threats.md, H4).

import { isIPv6 } from 'node:net';

/** Failures of one address in a minute before it is refused. A person mistypes a few times; a fleet behind one address fails rarely. */
export const failuresMax = 100;
export const windowMs = 60_000;
/** Addresses remembered; beyond it the oldest are forgotten, which only makes guessing cheaper for who owns that many. */
const addressesMax = 10_000;

interface Failures {
  count: number;
  readonly until: number;
}

export class Throttle {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  /** `now` in milliseconds, never going back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Milliseconds for which the address is refused; 0 when it may try. */
  refusedFor(address: string): number {
    const found = this.#failures.get(network(address));
    if (found === undefined || found.count < failuresMax) return 0;
    return Math.max(0, found.until - this.#now());
  }

  failed(address: string): void {
    const key = network(address);
    const found = this.#failures.get(key);
    if (found !== undefined && found.until > this.#now()) {
      found.count += 1;
      return;
    }
    this.#failures.delete(key);
    this.#failures.set(key, { count: 1, until: this.#now() + windowMs });
    if (this.#failures.size <= addressesMax) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      break;
    }
  }
}

/** An IPv6 customer has a /64: one host there is as good as another. Groups of zeros may be left out of an address, so these are put in first. */
function network(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [before = [], after = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  return [...before, ...Array.from({ length: Math.max(0, groups - before.length - after.length) }, () => '0'), ...after].slice(0, groups / 2).join(':');
}

/** Of an IPv6 address. */
const groups = 8;
