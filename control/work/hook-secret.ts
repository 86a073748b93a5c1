// The secrets with which repositories sign what they tell: one for each application, all made of one key in the data directory, so
// that none is in the journal. Removing the file and starting again makes others.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** How GitHub and those who copied it call the header: HMAC-SHA256 of the raw body, as `sha256=<hex>`. */
export const signatureHeader = 'x-hub-signature-256';

/** The secret of an application, in hex: what a person puts into the repository's settings. */
export function hookSecret(key: Uint8Array, app: string): string {
  return createHmac('sha256', key).update(`build-hook/${app}`).digest('hex');
}

/** Whether these very bytes were signed with the secret. */
export function isSigned(secret: string, body: Uint8Array, signature: string | undefined): boolean {
  const expected = createHmac('sha256', secret).update(body).digest();
  const hex = /^sha256=([0-9a-f]{64})$/.exec(signature ?? '')?.[1];
  // Compared also when there is none, so that time says nothing.
  const given = Buffer.from(hex ?? '0'.repeat(64), 'hex');
  return timingSafeEqual(expected, given) && hex !== undefined;
}
