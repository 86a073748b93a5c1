// Whose turn it is, by chance but by a seed: everything that waits in a simulation waits here, and one at a time goes on. The
// same seed gives the same order.

import { setImmediate } from 'node:timers/promises';
import type { Random } from './random.ts';

interface Waiting {
  readonly owner: object;
  readonly go: () => void;
}

export class Turns {
  readonly #random: Random;
  #waiting: Waiting[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when it is the owner's turn: never, once the owner is forgotten. */
  async turn(owner: object): Promise<void> {
    await new Promise<void>((go) => this.#waiting.push({ owner, go }));
  }

  /** What the owner waits for never comes. */
  forget(owner: object): void {
    this.#waiting = this.#waiting.filter((one) => one.owner !== owner);
  }

  /** Lets up to `most` go on, one after the other; `before` may forget the owner instead. */
  async run(most: number, before: (owner: object) => void = () => undefined): Promise<void> {
    await setImmediate();
    for (let count = 0; count < most && this.#waiting.length > 0; count += 1) {
      const next = this.#waiting[this.#random.below(this.#waiting.length)];
      if (next === undefined) return;
      before(next.owner);
      if (!this.#waiting.includes(next)) continue;
      this.#waiting = this.#waiting.filter((one) => one !== next);
      next.go();
      // Everything that follows from it without waiting here happens before the next turn.
      await setImmediate();
    }
  }
}
