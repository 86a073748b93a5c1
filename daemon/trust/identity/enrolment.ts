// The proof that this machine may become a member: made from a join token whose secret is never sent.
// A false control plane therefore learns nothing that it could join with.

import { createHash, createHmac } from 'node:crypto';
import { canonicalize } from 'json-canonicalize';
import type { Digest } from '../../../proto/cid.ts';
import type { EnrolRequest } from '../../../proto/fleet.ts';
import type { Role } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import type { Identity } from './identity.ts';

/** A join token taken apart: `staj1.<root>.<id>.<secret>`. */
export interface JoinToken {
  /** sha2-256 of `1.root.json`: the pin. */
  readonly root: Digest;
  readonly id: string;
  readonly secret: string;
}

/** What the machine says of itself. */
export interface Introduction {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly attributes: Readonly<Record<string, string>>;
}

const pattern = /^staj1\.([0-9a-f]{64})\.([a-z2-7]{16})\.([a-z2-7]{32})$/;

/** @throws {DaemonError} CONFIG_INVALID when it is no whole join token; the text is not repeated, since most of it may be secret. */
export function parseJoinToken(text: string): JoinToken {
  const [, root, id, secret] = pattern.exec(text.trim()) ?? [];
  if (root === undefined || id === undefined || secret === undefined) {
    if (text.startsWith('sta_')) throw new DaemonError('CONFIG_INVALID', 'this is a token for the API, with which no machine joins: `starling token create --join --save FILE` makes one that does');
    throw new DaemonError('CONFIG_INVALID', 'this is not a whole join token (expected staj1.<root>.<id>.<secret>): copy it again from where it was shown');
  }
  return { root, id, secret };
}

/** The second message of enrolment. `nonce` is the control plane's answer to the first. */
export function enrolmentProof(identity: Identity, token: JoinToken, nonce: string, introduction: Introduction): EnrolRequest {
  const said = {
    tokenId: token.id,
    nonce,
    member: identity.member,
    publicKey: identity.publicKey,
    name: introduction.name,
    roles: [...introduction.roles],
    attributes: { ...introduction.attributes },
  };
  const transcript = Buffer.from(canonicalize(said));
  // The key of the MAC is the digest of the secret, because that is all that the control plane keeps of it.
  const macKey = createHash('sha256').update(token.secret).digest();
  return {
    ...said,
    mac: createHmac('sha256', macKey).update(transcript).digest('hex'),
    signature: identity.sign(transcript).toString('base64url'),
  };
}
