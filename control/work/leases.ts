// How long workers may go on with what they have taken. Only in memory: who has taken what is in the journal, and after a restart
// each has a whole lease to be heard of again. A lease that has expired ends the attempt; its holder is fenced by core (L-4).

/** Without a word for this long a worker is lost, and its work is offered again. */
export const leaseMs = 30_000;

export class Leases {
  /** When each ends, by the monotonic clock: bounded by the work under way. */
  readonly #ends = new Map<string, number>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** A worker was heard of. */
  renew(lease: string): void {
    this.#ends.set(lease, this.#monotonic() + leaseMs);
  }

  /** Of the leases under way those that are over, and how long the next one has. Leases not heard of yet begin now; others are forgotten. */
  look(open: readonly string[]): { readonly expired: readonly string[]; readonly nextMs: number } {
    const now = this.#monotonic();
    const known = new Set(open);
    for (const lease of this.#ends.keys()) if (!known.has(lease)) this.#ends.delete(lease);
    const expired: string[] = [];
    let nextMs = Infinity;
    for (const lease of open) {
      const end = this.#ends.get(lease) ?? now + leaseMs;
      this.#ends.set(lease, end);
      if (end <= now) expired.push(lease);
      else nextMs = Math.min(nextMs, end - now);
    }
    return { expired, nextMs };
  }
}
