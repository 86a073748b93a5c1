// Ed25519 signatures verified on the thread pool: one takes as long as all the rest of a member's request, and with ten thousand members the one thread on which
// everything is decided would do little else. Which key must have signed is jws.ts.

import { verify, type KeyObject } from 'node:crypto';

/**
 * Verifications given to the pool at once. The journal writes on the same four threads: what waits for them is some milliseconds of verifications, not as many as
 * there are requests. With fewer the threads would rest until the loop, busy with other things, has the next ones for them. The others wait here in their order;
 * there is one for each open request at most.
 */
export const verifiedTogether = 128;

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
