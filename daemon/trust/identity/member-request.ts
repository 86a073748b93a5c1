// The statement that this member sends with each request to the control plane: made for that request, good for a minute.

import { canonicalize } from 'json-canonicalize';
import type { Digest } from '../../../proto/cid.ts';
import { statementTypes, type MemberRequest } from '../../../proto/statement.ts';
import type { Identity } from './identity.ts';

/** A request about to be sent: `path` with its query, `body` the sha2-256 of the body as sent. */
export interface OutgoingRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Digest;
}

/** Makes the value of the `Authorization` header. */
export type SignRequest = (request: OutgoingRequest) => Promise<string>;

export interface RequestSignerOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** As many unpredictable bytes as asked for. */
  readonly random: (length: number) => Uint8Array;
}

/** 128 bits: no two requests of one member share a nonce. */
const nonceBytes = 16;

/** Signs requests with the member's key. */
export function createRequestSigner(identity: Identity, { now, random }: RequestSignerOptions): SignRequest {
  const header = encode(canonicalize({ alg: 'EdDSA', kid: identity.keyId, typ: statementTypes.request }));
  return async ({ method, path, body }) => {
    const statement: MemberRequest = {
      member: identity.member,
      method,
      path,
      body,
      issuedAt: Math.floor(now() / 1000),
      nonce: Buffer.from(random(nonceBytes)).toString('base64url'),
    };
    const signed = `${header}.${encode(canonicalize(statement))}`;
    return `Starling ${signed}.${identity.sign(Buffer.from(signed)).toString('base64url')}`;
  };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
