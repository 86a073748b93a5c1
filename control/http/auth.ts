// Who calls: a bearer token, compared in constant time with the digest that the journal keeps, and turned into an actor with scopes.
// What the actor may do is route.ts and scopes.ts.

import type { Digest } from '../../proto/cid.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Metrics, words } from '../metrics.ts';
import { Throttle } from './throttle.ts';

/** Somebody whose token held. */
export interface Caller {
  /** `token:<id>`: what the journal writes down. */
  readonly actor: string;
  readonly scopes: readonly string[];
  /** The person: the name of the token. */
  readonly person: string;
  readonly groups: readonly string[];
}

/** The forms of tokens, from control/trust/tokens.ts. */
export interface TokenTexts {
  /** @throws {ControlError} UNAUTHENTICATED when it is no whole token. */
  parse(text: string): { readonly use: 'api' | 'join'; readonly token: string; readonly secret: string };
  matches(secret: string, secretDigest: Digest): boolean;
}

export interface AuthenticatorOptions {
  readonly state: () => State;
  readonly tokens: TokenTexts;
  /** Milliseconds since 1970, and monotonic milliseconds. */
  readonly clock: { now(): number; monotonic(): number };
  readonly metrics: Metrics;
}

type Reason = (typeof words.authFailure)[number];

/** Compared with when no token has the id, so that an unknown id and a wrong secret take the same time. */
const nobody = '0'.repeat(64);

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #throttle: Throttle;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#throttle = new Throttle(() => options.clock.monotonic());
  }

  /** The caller of a request from `address`. @throws {ControlError} UNAUTHENTICATED, or TOO_MANY_REQUESTS after many failures from there. */
  authenticate(authorization: string | undefined, address: string): Caller {
    this.admit(address);
    if (authorization === undefined) throw this.#refuse('missing', address, 'this needs a token: send it as `Authorization: Bearer sta_api_…`');
    const text = /^Bearer +([^ ]+)$/i.exec(authorization)?.[1];
    if (text === undefined) throw this.#refuse('malformed', address, 'the Authorization header is not `Bearer <token>`');
    const { use, token: id, secret } = this.#parse(text, address);
    const token = use === 'api' ? this.#options.state().tokens.get(id) : undefined;
    const known = token?.use === 'api' ? token : undefined;
    const right = this.#options.tokens.matches(secret, known?.secretDigest ?? nobody);
    // The same words whatever was wrong: only who has the right secret learns more.
    if (known === undefined || !right) throw this.#refuse(known === undefined ? 'unknown' : 'wrong-secret', address, 'this token is not valid here: ask an administrator for a new one');
    if (known.revoked) throw this.#refuse('revoked', address, `token '${known.name}' was revoked: ask an administrator for a new one`);
    const { expiresAt } = known;
    if (expiresAt <= this.#options.clock.now()) throw this.#refuse('expired', address, `token '${known.name}' expired on ${new Date(expiresAt).toISOString()}: ask an administrator for a new one`);
    return { actor: `token:${id}`, scopes: known.scopes, person: known.name, groups: known.groups ?? [] };
  }

  /** Whether the token with which somebody came is still good: for what outlasts a request. */
  holds({ actor }: Pick<Caller, 'actor'>): boolean {
    const token = this.#options.state().tokens.get(actor.slice('token:'.length));
    return token?.use === 'api' && !token.revoked && token.expiresAt > this.#options.clock.now();
  }

  /** @throws {ControlError} TOO_MANY_REQUESTS when the address failed too often of late. */
  admit(address: string): void {
    const wait = this.#throttle.refusedFor(address);
    if (wait === 0) return;
    this.#options.metrics.authFailures.inc({ reason: 'throttled' });
    const retryAfter = Math.ceil(wait / 1000);
    throw new ControlError('TOO_MANY_REQUESTS', `too many failed proofs of identity from ${address}: try again in ${retryAfter} s`, { cause: { retryAfter } });
  }

  /** Counts a caller who is known and asked for more than the token allows: no guess, and not held against the address. */
  overreached(): void {
    this.#options.metrics.authFailures.inc({ reason: 'scope' });
  }

  /** Counts a member whose key was right and whose clock was not: a site whose machines have lost the time must not be shut out together. */
  mistimed(): void {
    this.#options.metrics.authFailures.inc({ reason: 'member' });
  }

  /** Counts a failed proof of another kind from there: of a member, or of an enrolment. */
  failed(address: string, reason: Reason): void {
    this.#options.metrics.authFailures.inc({ reason });
    this.#throttle.failed(address);
  }

  #parse(text: string, address: string) {
    try {
      return this.#options.tokens.parse(text);
    } catch (error) {
      this.failed(address, 'malformed');
      throw error;
    }
  }

  #refuse(reason: Reason, address: string, message: string): ControlError {
    // To come without a token is no guess.
    if (reason === 'missing') this.#options.metrics.authFailures.inc({ reason });
    else this.failed(address, reason);
    return new ControlError('UNAUTHENTICATED', message);
  }
}
