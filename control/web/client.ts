// The HTTP API as functions, typed by the table of proto/api/operations.ts: the same operations that the command line uses, and no other
// way to the control plane. The stream of events is live.ts's.

import type { BodyOf, OperationId, ParamsOf, QueryOf, ReplyOf } from '../../proto/api/operations.ts';
import type { Blocker } from '../../proto/api/schema.ts';
import { now, randomKey } from './browser.ts';
import { decodeProblem, decodeReply } from './decode.ts';

/** Method and path of each operation; control/bundle puts them in. */
declare const operationPlaces: Readonly<Record<OperationId, readonly [method: string, path: string]>>;

/** The longest that one request may take: the server's own bound is 30 s. */
const timeoutMs = 40_000;
/** Clocks that differ by less are the same: the header that tells has seconds. */
const skewMsMin = 3_000;

/** What an operation refused, or why it was not heard. */
export class ClientError extends Error {
  /** A ProblemCode of the API, or `UNREACHABLE`. */
  readonly code: string;
  readonly details: readonly string[];
  readonly blockers: readonly Blocker[];

  constructor(code: string, message: string, { details = [], blockers = [], cause }: { readonly details?: readonly string[]; readonly blockers?: readonly Blocker[]; readonly cause?: unknown } = {}) {
    super(message, { cause });
    this.name = 'ClientError';
    this.code = code;
    this.details = details;
    this.blockers = blockers;
  }
}

export interface CallOptions<Id extends OperationId> {
  readonly params: ParamsOf<Id>;
  readonly query?: QueryOf<Id>;
  readonly body?: BodyOf<Id>;
  /** Version that it must still have. */
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

export interface Tagged<Id extends OperationId> {
  readonly reply: ReplyOf<Id>;
  readonly tag: string;
}

export interface Client {
  /** @throws {ClientError} by the problem that came back, or UNREACHABLE. */
  call<Id extends OperationId>(id: Id, options: CallOptions<Id>): Promise<ReplyOf<Id>>;
  /** The same with the version of the answer, `*` where it has none. */
  tagged<Id extends OperationId>(id: Id, options: CallOptions<Id>): Promise<Tagged<Id>>;
  /** The control plane's clock less this machine's, in milliseconds. */
  skew(): number;
}

export interface ClientOptions {
  readonly token: () => string | undefined;
  /** Told when the token is not taken any more. */
  readonly refused: (problem: ClientError) => void;
}

export function createClient({ token, refused }: ClientOptions): Client {
  let skewMs = 0;
  const tagged = async <Id extends OperationId>(id: Id, options: CallOptions<Id>): Promise<Tagged<Id>> => {
    const [method] = operationPlaces[id];
    const shown = token();
    const { body, ifMatch, signal } = options;
    const headers = {
      authorization: `Bearer ${shown ?? ''}`,
      accept: 'application/json',
      ...(method === 'POST' ? { 'idempotency-key': randomKey() } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    };
    const stop = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
    const { response, text } = await ask(addressOf(id, options), { method, headers, signal: stop, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const offset = Date.parse(response.headers.get('date') ?? '') - now();
    skewMs = Math.abs(offset) >= skewMsMin ? offset : 0;
    const decoded = response.ok ? decodeReply<Id>(text) : undefined;
    if (decoded !== undefined) return { ...decoded, tag: response.headers.get('etag') ?? '*' };
    const problem = problemOf(response, text);
    // A late word on a token that somebody has signed out with says nothing of the one they have now.
    if (response.status === 401 && token() === shown) refused(problem);
    throw problem;
  };
  return { tagged, call: async (id, options) => (await tagged(id, options)).reply, skew: () => skewMs };
}

/** Path and query of an operation. */
export function addressOf<Id extends OperationId>(id: Id, { params, query }: CallOptions<Id>): string {
  const values: Readonly<Record<string, string>> = params;
  const path = operationPlaces[id][1].replace(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(values[name] ?? ''));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') search.set(name, `${value}`);
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

async function ask(address: string, init: RequestInit): Promise<{ readonly response: Response; readonly text: string }> {
  try {
    const response = await fetch(address, { ...init, redirect: 'error', credentials: 'omit', cache: 'no-store' });
    return { response, text: await response.text() };
  } catch (cause) {
    throw new ClientError('UNREACHABLE', 'the control plane does not answer: it may be restarting, or the network is down', { cause });
  }
}

function problemOf(response: Response, text: string): ClientError {
  const problem = decodeProblem(text);
  if (problem === undefined) return new ClientError('UNREACHABLE', `something answered ${response.status}, and not as a control plane does: a proxy in between may be at fault`);
  return new ClientError(problem.code, problem.detail, { details: problem.errors?.map(({ pointer, detail }) => (pointer === '' ? detail : `${pointer}: ${detail}`)) ?? [], blockers: problem.blockers ?? [] });
}
