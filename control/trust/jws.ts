// Compact JWS with Ed25519, as this floor signs and reads it: header {alg, kid, typ} and nothing else.
// Which key may sign what, and what a payload must look like, is in statements.ts and member-request.ts.

import { verify, type KeyObject } from 'node:crypto';
import { canonicalize } from 'json-canonicalize';
import { statementTypes, type StatementKind } from '../../proto/statement.ts';
import type { SigningKey } from './keys.ts';

/** Signs a payload as a statement of this kind. The same payload and key give the same text. `text`: the payload in canonical JSON, where it is known. */
export function signCompact(kind: StatementKind, payload: object, key: SigningKey, text = canonicalize(payload)): string {
  const header = canonicalize({ alg: 'EdDSA', kid: key.id, typ: statementTypes[kind] });
  const signed = `${encode(header)}.${encode(text)}`;
  return `${signed}.${key.sign(Buffer.from(signed)).toString('base64url')}`;
}

/** A statement taken apart, its signature not yet verified. */
export interface ReadCompact {
  /** What is signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: KeyObject;
  /** Of no worth before the signature has been verified; its form is not checked. */
  readonly payload: unknown;
}

/** What is said of a statement whose signature is not its key's. */
export const notVerified = 'has a signature that does not verify';

/**
 * The payload of a statement of exactly this kind, signed by the key that `keyFor` gives for its key id (and for what it claims,
 * not yet verified); otherwise a string that says what is wrong. The payload's form is not checked.
 */
export function openCompact(...statement: Parameters<typeof readCompact>): { readonly payload: unknown } | string {
  const read = readCompact(...statement);
  if (typeof read === 'string') return read;
  return verify(null, read.signed, read.key, read.signature) ? { payload: read.payload } : notVerified;
}

/** The same up to the signature, for who verifies it elsewhere (verify-soon.ts). */
export function readCompact(
  kind: StatementKind,
  compact: string,
  bytesMax: number,
  keyFor: (kid: string, unverified: Readonly<Record<string, unknown>>) => KeyObject | undefined,
): ReadCompact | string {
  if (compact.length > bytesMax) return `is ${compact.length} bytes long, at most ${bytesMax} are allowed`;
  const [header, payload, signature, ...rest] = compact.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return 'does not have the three parts of a compact JWS';
  const head = decode(header);
  if (head === undefined) return 'has a header that is not JSON';
  const { alg, kid, typ, ...extra } = head;
  if (alg !== 'EdDSA' || typ !== statementTypes[kind] || typeof kid !== 'string' || Object.keys(extra).length > 0) {
    return `has a header other than {alg: EdDSA, kid, typ: ${statementTypes[kind]}}`;
  }
  const value = decode(payload);
  if (value === undefined) return 'has a payload that is not a JSON object';
  const key = keyFor(kid, value);
  if (key === undefined) return 'names a key that is not known here';
  const bytes = Buffer.from(signature, 'base64url');
  // The last digit of base64url has bits to spare: without this one statement could be written in several ways.
  if (bytes.toString('base64url') !== signature) return 'has a signature that is not canonical base64url';
  return { signed: Buffer.from(`${header}.${payload}`, 'latin1'), signature: bytes, key, payload: value };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
