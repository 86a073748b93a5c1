// Ed25519 signatures verified on the thread pool: one takes as long as all the rest of a member's request, and with ten thousand members the one thread on which
// everything is decided would do little else. Which key must have signed is jws.ts.

import { verify, type KeyObject } from 'node:crypto';

/**
 * Verifications given to the pool at once, and so how many requests a turn of the loop goes on with. When there is news for thousands, thousands of reports come
 * back: with half as many of those in a turn as there are members told in one (control/fleet/sync.ts), the last one has its news when half of the reports are in, not
 * when all are, and nobody waits long for an answer. With fewer the threads would rest until the loop has the next ones for them. The journal writes on the same four
 * threads: what waits for them is a millisecond of verifications. The others wait here in their order; there is one for each open request at most.
 */
export const verifiedTogether = 16;

/** Whether `signature` is that of `key` over `bytes`. */
export type VerifySoon = (key: KeyObject, bytes: Uint8Array, signature: Uint8Array) => Promise<boolean>;

/** A queue of its own. */
export function createVerifySoon(): VerifySoon {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  const begin = (start: () => void): void => {
    if (underWay >= verifiedTogether) waiting.push(start);
    else {
      underWay += 1;
      start();
    }
  };
  const end = (): void => {
    const next = waiting.shift();
    if (next === undefined) underWay -= 1;
    else next();
  };
  return async (key, bytes, signature) =>
    await new Promise<boolean>((resolve, reject) => {
      begin(() =>
        verify(null, bytes, key, signature, (error, isValid) => {
          end();
          if (error === null) resolve(isValid);
          else reject(error);
        }),
      );
    });
}
