// The proof that a machine sends to become a member, checked: it knows the token's secret and holds the key that it names.
// Whether the token is still good, and whether the nonce is ours and new, is checked by the caller.

import { createHmac, createSecretKey, timingSafeEqual, verify } from 'node:crypto';
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { canonicalize } from 'json-canonicalize';
import type { Digest } from '../../proto/cid.ts';
import type { EnrolRequest } from '../../proto/fleet.ts';
import { ControlError } from '../errors.ts';
import { publicKeyOf } from './keys.ts';

/** What `mac` and `signature` are over: canonical JSON (RFC 8785) of the request without these two. */
export function enrolmentTranscript(request: EnrolRequest): string {
  const { mac: _mac, signature: _signature, ...said } = request;
  return canonicalize(said);
}

/**
 * Checks the proof against the digest of the token's secret, which is all that is kept of it and is the key of the MAC.
 * @throws {ControlError} UNAUTHENTICATED, in the same words whatever of it was wrong with the secret.
 */
export function verifyEnrolment(request: EnrolRequest, secretDigest: Digest): void {
  const transcript = Buffer.from(enrolmentTranscript(request));
  const expected = createHmac('sha256', createSecretKey(secretDigest, 'hex')).update(transcript).digest();
  const found = Buffer.from(request.mac, 'hex');
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) {
    throw new ControlError('UNAUTHENTICATED', 'the join token is not valid: ask for a new one with `starling token create --join`');
  }
  if (request.member !== memberIdOf(request.publicKey)) {
    throw new ControlError('UNAUTHENTICATED', `member ${request.member} is not the peer id of the public key ${request.publicKey}`);
  }
  const signature = Buffer.from(request.signature, 'base64url');
  if (signature.toString('base64url') !== request.signature || !verify(null, transcript, publicKeyOf(request.publicKey), signature)) {
    throw new ControlError('UNAUTHENTICATED', `the enrolment of ${request.member} is not signed by its key`);
  }
}

/** The libp2p peer id of an Ed25519 public key of 32 bytes in hex. */
export function memberIdOf(publicHex: string): string {
  try {
    return peerIdFromPublicKey(publicKeyFromRaw(Buffer.from(publicHex, 'hex'))).toString();
  } catch (cause) {
    throw new ControlError('UNAUTHENTICATED', `'${publicHex}' is not an Ed25519 public key of 32 bytes in hex`, { cause });
  }
}
