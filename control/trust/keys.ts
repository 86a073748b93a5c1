// The keys on this machine: Ed25519, one PEM file each, made once and never overwritten. All of them are development keys: root and
// targets belong on other people's machines (trust.md, section 2), and nobody has carried them there yet.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { Key } from '@tufjs/models';
import { canonicalize } from 'json-canonicalize';
import type { Digest } from '../../proto/cid.ts';
import { ControlError } from '../errors.ts';
import { createFileOnce, makeDirectory, readText } from './durable.ts';

/** Keys that every control plane has; the key of an environment is `env-<name>`. */
export const keyNames = ['root', 'targets', 'snapshot', 'timestamp', 'membership', 'orders'] as const;
export type KeyName = (typeof keyNames)[number] | `env-${string}`;

/** A key that can sign. */
export interface SigningKey {
  /** sha2-256 of the canonical JSON of the public key, as TUF has it. */
  readonly id: Digest;
  /** The public key's 32 bytes in hex. */
  readonly publicHex: string;
  readonly publicKey: KeyObject;
  sign(bytes: Uint8Array): Buffer;
}

/** The public half as TUF metadata writes it. */
export function tufKeyJson(publicHex: string) {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicHex } };
}

/** TUF's id of a public key. */
export function keyIdOf(publicHex: string): Digest {
  return createHash('sha256').update(canonicalize(tufKeyJson(publicHex))).digest('hex');
}

/** The public half as `@tufjs/models` wants it. */
export function tufKey(key: SigningKey): Key {
  return new Key({ keyID: key.id, keyType: 'ed25519', scheme: 'ed25519', keyVal: { public: key.publicHex } });
}

/** Wraps a private key. */
export function signingKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  const publicHex = publicHexOf(publicKey);
  return { id: keyIdOf(publicHex), publicHex, publicKey, sign: (bytes) => sign(null, bytes, privateKey) };
}

/** The key whose 32 bytes these are. */
export function publicKeyOf(publicHex: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicHex, 'hex').toString('base64url') }, format: 'jwk' });
}

/** Opens the key `name`, and makes it when there is none. */
export type Keyring = (name: KeyName) => Promise<SigningKey>;

const notice = `The keys in this directory were made by this machine at its first start: they are development keys.
Whoever can read them can sign everything that your targets believe, the trust root included.
They are made once and never replaced; back them up with the rest of the data directory, and keep the backup secret.
`;

/** The keys in `directory`. @throws {ControlError} STORAGE_FAILED; the ring throws CONFIG_INVALID for a file that holds no such key. */
export async function openKeyring(directory: string): Promise<Keyring> {
  await makeDirectory(directory);
  await createFileOnce(join(directory, 'README'), notice, 'new');
  const held = new Map<KeyName, SigningKey>();
  return async (name) => {
    const known = held.get(name);
    if (known !== undefined) return known;
    const key = await loadOrMake(join(directory, `${name}.pem`));
    held.set(name, key);
    return key;
  };
}

async function loadOrMake(path: string): Promise<SigningKey> {
  const found = await readText(path);
  if (found !== undefined) return parse(path, found);
  const { privateKey } = generateKeyPairSync('ed25519');
  const made = signingKey(privateKey);
  // The id makes the draft's name this process's own, should two start at once.
  const created = await createFileOnce(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), made.id.slice(0, 16));
  if (created) return made;
  return parse(path, (await readText(path)) ?? '');
}

function parse(path: string, pem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new ControlError('CONFIG_INVALID', `${path} is not a private key in PEM: restore it from a backup`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new ControlError('CONFIG_INVALID', `${path} holds a key of type ${key.asymmetricKeyType}, expected ed25519: restore it from a backup`);
  }
  return signingKey(key);
}

function publicHexOf(key: KeyObject): string {
  const { x } = key.export({ format: 'jwk' });
  if (x === undefined) throw new ControlError('CONFIG_INVALID', 'a public key without a curve point is not ed25519');
  return Buffer.from(x, 'base64url').toString('hex');
}
