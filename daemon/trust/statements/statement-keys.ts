// Whose statements count: the public keys in the TUF target trust/keys.json, which the targets role names by hash.

import { createPublicKey, type KeyObject } from 'node:crypto';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { DaemonError } from '../../errors.ts';
import { keyIdOf } from '../identity/identity.ts';
import { parseStrictJson } from '../strict-json.ts';

/** Path of the TUF target, and its name among the files of a SyncReply. */
export const keysFile = 'trust/keys.json';
/** A few keys of 200 bytes; more than one of a kind only while one takes over from another. */
export const keysBytesMax = 16 * 1024;

/** Keys by key id, and the organisation that they speak for. */
export interface StatementKeys {
  readonly text: string;
  readonly org: string;
  readonly membership: ReadonlyMap<string, KeyObject>;
  readonly orders: ReadonlyMap<string, KeyObject>;
}

const strict = { additionalProperties: false } as const;
const KeySchema = Type.Object(
  {
    keytype: Type.Literal('ed25519'),
    scheme: Type.Literal('ed25519'),
    keyval: Type.Object({ public: Type.String({ pattern: '^[0-9a-f]{64}$' }) }, strict),
  },
  strict,
);
const KeysSchema = Type.Record(Type.String({ pattern: '^[0-9a-f]{64}$' }), KeySchema, { minProperties: 1, maxProperties: 8 });
const form = Compile(
  Type.Object(
    { format: Type.Literal('starling.trust-keys/1'), org: Type.String({ minLength: 1, maxLength: 64 }), membership: KeysSchema, orders: KeysSchema },
    strict,
  ),
);

/** @throws {DaemonError} METADATA_REFUSED. */
export function readStatementKeys(text: string): StatementKeys {
  const value = parseStrictJson(keysFile, text, keysBytesMax);
  if (!form.Check(value)) throw new DaemonError('METADATA_REFUSED', `${keysFile} does not have the form of starling.trust-keys/1`);
  return { text, org: value.org, membership: keyObjects(value.membership), orders: keyObjects(value.orders) };
}

function keyObjects(keys: Readonly<Record<string, { readonly keyval: { readonly public: string } }>>): ReadonlyMap<string, KeyObject> {
  return new Map(
    Object.entries(keys).map(([id, { keyval }]) => {
      if (keyIdOf(keyval.public) !== id) throw new DaemonError('METADATA_REFUSED', `${keysFile} lists a key under the id ${id}, which is not the sha256 of that key`);
      const x = Buffer.from(keyval.public, 'hex').toString('base64url');
      return [id, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })];
    }),
  );
}
