// Nonces for enrolment: each is good once and for a minute. They carry their own proof of origin, so that asking for
// many of them fills nothing; what is remembered is only those that a valid enrolment used.

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { ControlError } from '../errors.ts';
import type { RandomBytes } from '../random.ts';

/** How long a challenge may be answered. */
export const nonceLifeMs = 60_000;
/** Enrolments that may succeed in that time: above it newcomers are told to wait. */
export const usedNoncesMax = 20_000;

export class Nonces {
  readonly #used = new Map<string, number>();
  readonly #key: KeyObject;
  readonly #random: RandomBytes;
  readonly #now: () => number;

  constructor(random: RandomBytes, now: () => number) {
    this.#key = createSecretKey(random(32));
    this.#random = random;
    this.#now = now;
  }

  issue(): string {
    const body = `${this.#now().toString(36)}.${Buffer.from(this.#random(16)).toString('hex')}`;
    return `${body}.${this.#mac(body)}`;
  }

  /** @throws {ControlError} UNAUTHENTICATED when it is not ours, too old, or used. */
  check(nonce: string): void {
    const cut = nonce.lastIndexOf('.');
    const body = nonce.slice(0, Math.max(0, cut));
    const expected = Buffer.from(this.#mac(body));
    const found = Buffer.from(nonce.slice(cut + 1));
    const issuedAt = Number.parseInt(body.split('.')[0] ?? '', 36);
    const whole = cut > 0 && found.length === expected.length && timingSafeEqual(found, expected);
    if (!whole || Math.abs(this.#now() - issuedAt) > nonceLifeMs || this.#used.has(nonce)) {
      throw new ControlError('UNAUTHENTICATED', 'this challenge is not ours, older than a minute, or used already: ask for a new one and try again');
    }
  }

  /** Uses it up; call only when the rest of the enrolment's proof has held. @throws {ControlError} UNAUTHENTICATED, TOO_MANY_REQUESTS. */
  use(nonce: string): void {
    this.check(nonce);
    const now = this.#now();
    for (const [old, usedAt] of this.#used) {
      if (Math.abs(now - usedAt) <= 2 * nonceLifeMs) break;
      this.#used.delete(old);
    }
    if (this.#used.size >= usedNoncesMax) throw new ControlError('TOO_MANY_REQUESTS', `${usedNoncesMax} machines enrolled within two minutes: try again in a moment`);
    this.#used.set(nonce, now);
  }

  #mac(body: string): string {
    return createHmac('sha256', this.#key).update(body).digest('hex').slice(0, 32);
  }
}
