// Who this machine is: one Ed25519 key, made once on the machine and never sent anywhere.
// The member id is the libp2p peer id of the same key, so that a connection proves a membership.

import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { canonicalize } from 'json-canonicalize';
import type { Digest } from '../../../proto/cid.ts';
import { DaemonError } from '../../errors.ts';
import { createFileOnce, makeDirectory, readBytes } from '../durable.ts';

export interface Identity {
  /** The libp2p peer id. */
  readonly member: string;
  /** The 32 bytes that the private key comes from, for libp2p. Secret. */
  readonly seed: Uint8Array;
  /** 32 bytes in hex. */
  readonly publicKey: string;
  /** sha2-256 of the canonical JSON of the public key as TUF writes keys: the `kid` of what it signs. */
  readonly keyId: Digest;
  /** Ed25519. */
  sign(bytes: Uint8Array): Buffer;
}

const seedBytes = 32;
/** DER of an Ed25519 private key in PKCS#8, up to the seed (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The identity kept in `<dataDir>/identity.key`, made when there is none. One process at a time.
 * @throws {DaemonError} STORAGE_FAILED; CORRUPT_STATE when the file is not a key.
 */
export async function createIdentity(dataDir: string): Promise<Identity> {
  await makeDirectory(dataDir);
  const path = join(dataDir, 'identity.key');
  const found = await readBytes(path);
  if (found !== undefined) return await identityOf(path, found);
  const { d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  await createFileOnce(path, Buffer.from(d ?? '', 'base64url'));
  // Read back rather than kept: what counts is the key that the next start will find.
  return await identityOf(path, (await readBytes(path)) ?? Buffer.alloc(0));
}

/** TUF's id of an Ed25519 public key of 32 bytes in hex. */
export function keyIdOf(publicKey: string): Digest {
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicKey } };
  return createHash('sha256').update(canonicalize(key)).digest('hex');
}

async function identityOf(path: string, seed: Buffer): Promise<Identity> {
  if (seed.length !== seedBytes) {
    throw new DaemonError('CORRUPT_STATE', `${path} has ${seed.length} bytes, a key has ${seedBytes}: restore it, or remove it and join again as a new member`);
  }
  const libp2pKey = await generateKeyPairFromSeed('Ed25519', seed);
  const publicKey = Buffer.from(libp2pKey.publicKey.raw).toString('hex');
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  return {
    member: peerIdFromPrivateKey(libp2pKey).toString(),
    seed,
    publicKey,
    keyId: keyIdOf(publicKey),
    sign: (bytes) => sign(null, bytes, privateKey),
  };
}
