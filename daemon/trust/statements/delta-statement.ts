// The statement about a delta set: signed by the origin that made it, with its own key, which its member id is. What is believed on its word is
// only that the set is worth fetching.

import { createPublicKey, hash } from 'node:crypto';
import { peerIdFromString } from '@libp2p/peer-id';
import { compactVerify } from 'jose';
import { canonicalize } from 'json-canonicalize';
import { Compile } from 'typebox/compile';
import { limits } from '../../../proto/limits.ts';
import { DeltaStatementSchema, statementTypes, type DeltaStatement, type Roster } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import { keyIdOf, type Identity } from '../identity/identity.ts';
import { parseStrictJson } from '../strict-json.ts';

const form = Compile(DeltaStatementSchema);

/** The compact form of a statement by this member. */
export function signDeltaStatement(identity: Pick<Identity, 'member' | 'keyId' | 'sign'>, about: Omit<DeltaStatement, 'member'>): string {
  const header = { alg: 'EdDSA', kid: identity.keyId, typ: statementTypes.delta };
  const signed = [header, { member: identity.member, ...about }].map((part) => Buffer.from(canonicalize(part)).toString('base64url')).join('.');
  return `${signed}.${identity.sign(Buffer.from(signed)).toString('base64url')}`;
}

/** @throws {DaemonError} STATEMENT_REFUSED unless a seed or proxy of the roster that is not barred signed these words about `descriptor`. */
export async function openDeltaStatement(compact: string, descriptor: Uint8Array, roster: Roster | undefined): Promise<DeltaStatement> {
  if (compact.length > limits.deltaStatementBytesMax) throw refused(`it has ${compact.length} bytes, at most ${limits.deltaStatementBytesMax} are allowed`);
  const [head = '', body = '', signature = ''] = compact.split('.');
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw refused('its signature is not canonical base64url');
  try {
    const claimed = read(body);
    // Not believed yet: it says whose key to verify with.
    if (!form.Check(claimed)) throw new Error('it does not have the form of one');
    const key = keyOf(claimed.member, roster);
    const { alg, kid, typ, ...more } = { alg: undefined, kid: undefined, typ: undefined, ...objectOf(read(head)) };
    if (alg !== 'EdDSA' || kid !== keyIdOf(key.hex) || typ !== statementTypes.delta || Object.keys(more).length > 0) {
      throw new Error(`its header is not {alg: EdDSA, kid, typ: ${statementTypes.delta}}`);
    }
    await compactVerify(compact, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.x }, format: 'jwk' }), { algorithms: ['EdDSA'] });
    if (hash('sha256', descriptor) !== claimed.set) throw new Error(`it is about set ${claimed.set}, not about this one`);
    return claimed;
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function keyOf(member: string, roster: Roster | undefined): { readonly hex: string; readonly x: string } {
  const listed = roster?.members.find((candidate) => candidate.member === member);
  if (listed === undefined || roster?.revoked.includes(member) === true) throw new Error(`${member} is not in the roster`);
  if (!listed.roles.includes('seed') && !listed.roles.includes('proxy')) throw new Error(`${member} is neither a seed nor a proxy`);
  const peer = peerIdFromString(member);
  if (peer.type !== 'Ed25519') throw new Error(`${member} has no Ed25519 key`);
  const raw = Buffer.from(peer.publicKey.raw);
  return { hex: raw.toString('hex'), x: raw.toString('base64url') };
}

function read(part: string): unknown {
  return parseStrictJson('the statement about a delta set', new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(part, 'base64url')), limits.deltaStatementBytesMax);
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function refused(reason: string, cause?: unknown): DaemonError {
  return new DaemonError('STATEMENT_REFUSED', `a statement about a delta set is refused: ${reason}`, cause === undefined ? {} : { cause });
}
