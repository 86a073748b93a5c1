// Our choice of ciphers against the package's own, in WebAssembly: what one seals the other opens.

import { randomBytes } from 'node:crypto';
import { asCrypto } from '@chainsafe/libp2p-noise/crypto';
import { describe, expect, test } from 'vitest';
import { noiseCrypto } from '../../../../daemon/swarm/libp2p/noise-crypto.ts';

const [key, nonce, additional] = [randomBytes(32), randomBytes(12), randomBytes(32)];

describe.each([0, 1, 100, 1_200, 65_519])('a frame of %d bytes', (bytes) => {
  const text = randomBytes(bytes);

  test('is opened by either side', () => {
    const ours = noiseCrypto.chaCha20Poly1305Encrypt(text, nonce, additional, key).subarray();
    expect(Buffer.compare(ours, asCrypto.chaCha20Poly1305Encrypt(text, nonce, additional, key).subarray())).toBe(0);
    expect(Buffer.compare(noiseCrypto.chaCha20Poly1305Decrypt(ours, nonce, additional, key).subarray(), text)).toBe(0);
  });

  test('is refused when a bit of it, or of what goes with it, is another', () => {
    const sealed = noiseCrypto.chaCha20Poly1305Encrypt(text, nonce, additional, key).subarray();
    for (const at of [0, sealed.length - 1]) {
      const other = Uint8Array.from(sealed);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(() => noiseCrypto.chaCha20Poly1305Decrypt(other, nonce, additional, key)).toThrow('unable to authenticate');
    }
    expect(() => noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, new Uint8Array(32), key)).toThrow('unable to authenticate');
  });
});
