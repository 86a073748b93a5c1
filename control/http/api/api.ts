// What every handler of /v1 is given, and the ways in which they answer. The handlers are the other files here.

import { createHash } from 'node:crypto';
import { base32 } from 'multiformats/bases/base32';
import type { OperationId } from '../../../proto/api/operations.ts';
import type { Problem } from '../../../proto/api/schema.ts';
import type { JournalEntry } from '../../../proto/events.ts';
import type { Clock } from '../../clock.ts';
import type { Accepted, Command } from '../../core/commands/command.ts';
import type { State } from '../../core/model/model.ts';
import type { Observed } from '../../core/model/select.ts';
import { ControlError } from '../../errors.ts';
import type { Facts } from '../../fleet/facts.ts';
import type { Presence } from '../../fleet/presence.ts';
import type { RandomBytes } from '../../random.ts';
import type { TrustRepository } from '../../trust/repository.ts';
import { problemOf, refusalProblem } from '../problems.ts';
import type { Handler, Outcome } from '../route.ts';

/** A new token: its text is for its owner, once. */
export interface NewTokenText {
  readonly token: string;
  readonly text: string;
  readonly secretDigest: string;
}

export interface ApiOptions {
  readonly facts: Facts;
  /** Answers a command: `submit` of control/fleet/facts.ts. */
  readonly submit: (actor: string, command: Command) => Promise<Submitted>;
  readonly presence: Presence;
  readonly repository: TrustRepository;
  readonly observed: () => Observed;
  readonly clock: Clock;
  /** The first entry of which `wanted` is true, with the state before it: control/run/past.ts. Dear. */
  readonly past: (wanted: (entry: JournalEntry) => boolean, options: { readonly signal: AbortSignal }) => Promise<{ readonly state: State; readonly entry: JournalEntry } | undefined>;
  readonly tokens: { createApi(random: RandomBytes): NewTokenText; createJoin(root: string, random: RandomBytes): NewTokenText };
  readonly about: { readonly org: string; readonly version: string; readonly startedAt: number; readonly developmentKeys: boolean; readonly publicUrl: () => string };
}

type Refusal = Parameters<typeof refusalProblem>[0];
export type Submitted = (Accepted | Refusal) & { readonly state: State };

/** The handlers of some operations. */
export type Handlers<Ids extends OperationId> = { readonly [Id in Ids]: Handler<Id> };

/** Answers with the view of what a command led to, or with the problem of its refusal. */
export function answered<Body>(done: Submitted, view: (state: State) => Outcome<Body>): Outcome<Body> {
  if (done.kind === 'refused') return { problem: refusalProblem(done) };
  return view(done.state);
}

/** What is on record under a name. @throws {ControlError} NOT_FOUND. */
export function found<Value>(value: Value | undefined, what: string, name: string): Value {
  if (value === undefined) throw new ControlError('NOT_FOUND', `there is no ${what} '${name}'`);
  return value;
}

/** A new id: 80 bits, so that no two meet. */
export function newId(prefix: string, draw: RandomBytes): string {
  return `${prefix}-${base32.baseEncode(draw(10))}`;
}

/** The version of what a PUT or a DELETE changes: of that part alone, whatever else the resource shows. */
export function etagOf(value: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32)}"`;
}

/** The problem when If-Match does not name the version on record; undefined when it does. */
export function unmatched(ifMatch: string | undefined, etag: string): Problem | undefined {
  if (ifMatch === undefined) return problemOf('PRECONDITION_REQUIRED', { detail: 'this needs If-Match with the ETag that a GET answered, so that nobody overwrites what they have not seen' });
  const named = ifMatch.split(',').map((one) => one.trim());
  if (named.includes('*') || named.includes(etag)) return undefined;
  return problemOf('PRECONDITION', { detail: `somebody changed it since you read it (If-Match ${ifMatch.slice(0, 64)}, now ${etag}): read it again` });
}
