// The texts of tokens: made once, shown once, and kept as the digest of their secret only.
// What a token may do, and for how long, is in the journal.
//
//   sta_api_<id>_<secret>_<crc32>                    for the HTTP API; secret scanners know the form by its prefix
//   staj1.<sha256 of 1.root.json>.<id>.<secret>      for joining: the trust root is pinned by the same paste

import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { base32 } from 'multiformats/bases/base32';
import type { Digest } from '../../proto/cid.ts';
import { ControlError } from '../errors.ts';

/** As many unpredictable bytes as asked for. */
export type RandomBytes = (length: number) => Uint8Array;

/** A new token. `text` is for its owner's eyes, once; the journal gets the other two. */
export interface NewToken {
  readonly token: string;
  readonly text: string;
  readonly secretDigest: Digest;
}

/** What a token's text says. Nothing is proven by it: compare the secret. */
export type ParsedToken =
  | { readonly use: 'api'; readonly token: string; readonly secret: string }
  | { readonly use: 'join'; readonly token: string; readonly secret: string; readonly root: Digest };

/** 160 bits: nothing that slow hashing would have to protect. */
const secretBytes = 20;
const idBytes = 10;

const apiPattern = /^sta_api_([a-z2-7]{16})_([a-z2-7]{32})_([0-9a-f]{8})$/;
const joinPattern = /^staj1\.([0-9a-f]{64})\.([a-z2-7]{16})\.([a-z2-7]{32})$/;

export function createApiToken(random: RandomBytes): NewToken {
  const { token, secret } = draw(random);
  const body = `sta_api_${token}_${secret}`;
  return { token, text: `${body}_${checksum(body)}`, secretDigest: secretDigestOf(secret) };
}

/** `root` is the sha2-256 of `1.root.json`. */
export function createJoinToken(root: Digest, random: RandomBytes): NewToken {
  const { token, secret } = draw(random);
  return { token, text: `staj1.${root}.${token}.${secret}`, secretDigest: secretDigestOf(secret) };
}

/** @throws {ControlError} UNAUTHENTICATED when it is no whole token; the text is not repeated, since it may be one but for a letter. */
export function parseToken(text: string): ParsedToken {
  const [, apiId, apiSecret, sum] = apiPattern.exec(text) ?? [];
  if (apiId !== undefined && apiSecret !== undefined) {
    if (checksum(`sta_api_${apiId}_${apiSecret}`) !== sum) throw notWhole('its checksum does not fit: a letter was lost or changed on the way');
    return { use: 'api', token: apiId, secret: apiSecret };
  }
  const [, root, joinId, joinSecret] = joinPattern.exec(text) ?? [];
  if (root !== undefined && joinId !== undefined && joinSecret !== undefined) return { use: 'join', token: joinId, secret: joinSecret, root };
  throw notWhole('expected sta_api_<id>_<secret>_<checksum> or staj1.<root>.<id>.<secret>');
}

/** Whether this is the secret, in a time that does not depend on how wrong it is. */
export function secretMatches(secret: string, secretDigest: Digest): boolean {
  const expected = Buffer.from(secretDigest, 'hex');
  const found = createHash('sha256').update(secret).digest();
  return expected.length === found.length && timingSafeEqual(expected, found);
}

export function secretDigestOf(secret: string): Digest {
  return createHash('sha256').update(secret).digest('hex');
}

function draw(random: RandomBytes) {
  return { token: base32.baseEncode(random(idBytes)), secret: base32.baseEncode(random(secretBytes)) };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

function notWhole(why: string): ControlError {
  return new ControlError('UNAUTHENTICATED', `this is not a whole token (${why}): copy it again from where it was shown`);
}
