// Who sent this request: the statement in `Authorization: Starling <statement>`, checked against the member's key and used once.
// What the member may do is decided by the routes.

import type { KeyObject } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { Digest } from '../../proto/cid.ts';
import { limits } from '../../proto/limits.ts';
import { MemberRequestSchema, type MemberRequest } from '../../proto/statement.ts';
import { ControlError } from '../errors.ts';
import { notVerified, readCompact } from './jws.ts';
import { keyIdOf, publicKeyOf } from './keys.ts';
import { createVerifySoon, type VerifySoon } from './verify-soon.ts';

/** What was really asked. */
export interface ReceivedRequest {
  readonly method: string;
  /** With its query, as in the request line. */
  readonly path: string;
  /** sha2-256 of the body as received. */
  readonly body: Digest;
}

export interface RequestVerifier {
  /** @throws {ControlError} UNAUTHENTICATED; TOO_MANY_REQUESTS when more nonces came in two minutes than are remembered. */
  verify(authorization: string | undefined, request: ReceivedRequest): Promise<MemberRequest>;
}

export interface RequestVerifierOptions {
  /** Public key of a member that is not revoked, 32 bytes in hex. */
  readonly publicKeyOf: (member: string) => string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A statement counts for this long before and after the moment it names. */
export const requestSkewMs = 60_000;
/** Requests remembered of one member, for two minutes: five a second; a member needs one in some seconds. */
export const noncesPerMemberMax = 600;
/** Requests remembered of all members together: about 100 bytes each. */
export const noncesMax = 200_000;

const scheme = 'Starling ';
/** Schema bounds and the framing of JWS: a longer one cannot be valid. */
const statementBytesMax = 8 * 1024;
const form = Compile(MemberRequestSchema);

/** A verifier with its own memory of nonces. */
export function createRequestVerifier(options: RequestVerifierOptions): RequestVerifier {
  const nonces = createNonceMemory(options.now);
  const keys = createKeyMemory();
  const verifySoon = createVerifySoon();
  return {
    verify: async (authorization, request) => {
      if (authorization === undefined || !authorization.startsWith(scheme)) throw refused('expected an Authorization header with the scheme Starling');
      const statement = await open(authorization.slice(scheme.length), options, keys, verifySoon);
      if (statement.method !== request.method || statement.path !== request.path || statement.body !== request.body) {
        throw refused('the statement is for another request');
      }
      const now = options.now();
      if (Math.abs(now - statement.issuedAt * 1000) > requestSkewMs) {
        throw refused(`it was made at ${instant(statement.issuedAt * 1000)}, here it is ${instant(now)}: set the member's clock`, { provenMember: statement.member, aheadMs: statement.issuedAt * 1000 - now });
      }
      nonces.use(statement);
      return statement;
    },
  };
}

async function open(compact: string, options: RequestVerifierOptions, keys: (publicHex: string) => MemberKey, verifySoon: VerifySoon): Promise<MemberRequest> {
  const read = readCompact('request', compact, statementBytesMax, (kid, { member }) => {
    if (typeof member !== 'string') return undefined;
    const publicHex = options.publicKeyOf(member);
    const known = publicHex === undefined ? undefined : keys(publicHex);
    return known !== undefined && kid === known.id ? known.key : undefined;
  });
  if (typeof read === 'string') throw refused(`the statement ${read}`);
  const { key, signed, signature, payload } = read;
  if (!(await verifySoon(key, signed, signature))) throw refused(`the statement ${notVerified}`);
  if (!form.Check(payload)) throw refused('the statement does not have the form of a member request');
  // Whoever was revoked meanwhile is no member any more.
  if (options.publicKeyOf(payload.member) === undefined) throw refused('the statement names a key that is not known here');
  return payload;
}

interface MemberKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** Keys made of their hex once: making one costs as much as verifying with it. Bounded by the members of a roster; when full it begins anew. */
function createKeyMemory(): (publicHex: string) => MemberKey {
  const known = new Map<string, MemberKey>();
  return (publicHex) => {
    const found = known.get(publicHex);
    if (found !== undefined) return found;
    if (known.size >= limits.rosterMembersMax) known.clear();
    const made = { id: keyIdOf(publicHex), key: publicKeyOf(publicHex) };
    known.set(publicHex, made);
    return made;
  };
}

interface NonceMemory {
  use(statement: MemberRequest): void;
}

/** Remembers each nonce until its statement would be refused for its age anyway. Only verified statements get here. */
function createNonceMemory(now: () => number): NonceMemory {
  const seen = new Map<string, { readonly member: string; readonly until: number }>();
  const perMember = new Map<string, number>();
  const forget = (key: string, member: string): void => {
    seen.delete(key);
    const left = (perMember.get(member) ?? 1) - 1;
    if (left > 0) perMember.set(member, left);
    else perMember.delete(member);
  };
  return {
    use: ({ member, nonce }) => {
      const at = now();
      // In order of arrival, which is the order of `until` unless the clock jumped: then some stay a little longer.
      for (const [key, entry] of seen) {
        if (entry.until >= at) break;
        forget(key, entry.member);
      }
      const key = `${member} ${nonce}`;
      if (seen.has(key)) throw refused('this very statement was used before');
      const count = perMember.get(member) ?? 0;
      // Refusing is safe where forgetting would open the door to a replay.
      if (count >= noncesPerMemberMax || seen.size >= noncesMax) {
        throw new ControlError('TOO_MANY_REQUESTS', `member ${member} sent ${count} requests in two minutes: wait a minute`);
      }
      seen.set(key, { member, until: at + 2 * requestSkewMs });
      perMember.set(member, count + 1);
    },
  };
}

/** Who sent a request of another time, and by how much its clock is ahead of ours; below zero when it is behind. */
export interface Mistimed {
  readonly provenMember: string;
  readonly aheadMs: number;
}

/** `cause` tells the routes when the key was the member's nevertheless: that is no guess, and not held against others at the same address. */
function refused(why: string, cause?: Mistimed): ControlError {
  return new ControlError('UNAUTHENTICATED', `this request is not proven to come from a member: ${why}`, cause === undefined ? {} : { cause });
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
