// The HTTP API as functions: requests typed by the table of proto/api/operations.ts, problems as errors, a few tries where the
// network failed. Every POST carries an idempotency key, so that a try whose answer was lost is not done twice.

import { Compile } from 'typebox/compile';
import { operations, pathOf, type BodyOf, type OperationId, type ParamsOf, type QueryOf, type ReplyOf } from '../../proto/api/operations.ts';
import { ProblemSchema, type PageQuery } from '../../proto/api/schema.ts';
import { limits } from '../../proto/limits.ts';
import { ControlError } from '../errors.ts';
import { decodeReply } from './decode-reply.ts';
import { problemError } from './exit.ts';
import type { Endpoint } from './settings.ts';
import type { World } from './world.ts';

/** Tries of one request: enough to bear a restart of a proxy in between, few enough to say soon that nobody is there. */
const triesMax = 4;
/** Between the first two tries; it doubles. */
const backoffMs = 250;
/** A server may ask for more patience than this; then it is told to the person instead. */
const retryAfterMsMax = 10_000;
/** The longest that one request may take. */
const requestTimeoutMs = 60_000;
const idempotencyKeyBytes = 16;

export interface CallOptions<Id extends OperationId> {
  readonly params: ParamsOf<Id>;
  readonly query?: QueryOf<Id>;
  readonly body?: BodyOf<Id>;
  /** Version that it must still have. */
  readonly ifMatch?: string;
}

export interface Api {
  readonly url: string;
  /** @throws {ControlError} by the problem that came back; UNREACHABLE; ABORTED. */
  call<Id extends OperationId>(id: Id, options: CallOptions<Id>): Promise<ReplyOf<Id>>;
  /** The same with the ETag of the answer. */
  callWithTag<Id extends OperationId>(id: Id, options: CallOptions<Id>): Promise<{ readonly reply: ReplyOf<Id>; readonly tag: string | undefined }>;
  /** A request whose answer is read by the caller: for event streams. Tried once. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>;
}

type Deps = Pick<World, 'clock' | 'random' | 'signal' | 'version'>;

const problem = Compile(ProblemSchema);

/** Nothing is sent before the first call. */
export function createApi({ url, token }: Pick<Endpoint, 'url' | 'token'>, { clock, random, signal, version }: Deps): Api {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': `starling/${version}` };
  const callWithTag: Api['callWithTag'] = async (id, { params, query, body, ifMatch }) => {
    const { method } = operations[id];
    const target = new URL(pathOf(id, params), url);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') target.searchParams.set(name, `${value}`);
    }
    const init: RequestInit = {
      method,
      headers: {
        ...headers,
        ...(method === 'POST' ? { 'idempotency-key': Buffer.from(random(idempotencyKeyBytes)).toString('hex') } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const response = await withTries(async () => await send(target, init, signal), { clock, signal });
    const text = await readBody(response, target, signal);
    if (!response.ok) throw problemOf(response, text, target);
    return { reply: decodeReply(id, text, target.origin), tag: response.headers.get('etag') ?? undefined };
  };
  return {
    url,
    callWithTag,
    call: async (id, options) => (await callWithTag(id, options)).reply,
    open: async (path, more, stop) => {
      const target = new URL(path, url);
      const response = await send(target, { headers: { ...headers, ...more } }, AbortSignal.any([signal, stop]), true);
      if (!response.ok) throw problemOf(response, await readBody(response, target, signal), target);
      return response;
    },
  };
}

/** Every item of a list, page by page: `page` asks for the one that a query names. */
export async function listAll<Item>(page: (query: PageQuery) => Promise<{ readonly items: readonly Item[]; readonly next?: string }>): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | undefined; ; ) {
    const { items: more, next } = await page({ limit: limits.pageItemsMax, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...more);
    if (next === undefined) return items;
    cursor = next;
  }
}

async function withTries(attempt: () => Promise<Response>, { clock, signal }: Pick<World, 'clock' | 'signal'>): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    let waitMs = backoffMs * 2 ** (tries - 1);
    try {
      const response = await attempt();
      const patience = retryAfterMs(response);
      if (patience === undefined || patience > retryAfterMsMax || tries === triesMax) return response;
      await response.body?.cancel();
      waitMs = Math.max(waitMs, patience);
    } catch (error) {
      // A refused connection means that nobody is there: said at once, since waiting is the caller's decision.
      if (!(error instanceof ControlError) || error.code !== 'UNREACHABLE' || refused(error) || tries === triesMax) throw error;
    }
    await clock.wait(waitMs, { signal });
  }
}

function refused(error: ControlError): boolean {
  return systemCode(error.cause) === 'ECONNREFUSED' || systemCode(error.cause) === 'ENOTFOUND';
}

/** How long the server wants to be left alone; undefined when it answered. */
function retryAfterMs(response: Response): number | undefined {
  if (response.status !== 429 && response.status !== 503) return undefined;
  const seconds = Number(response.headers.get('retry-after') ?? 1);
  return Number.isFinite(seconds) ? seconds * 1000 : 1000;
}

async function send(target: URL, init: RequestInit, signal: AbortSignal, endless = false): Promise<Response> {
  try {
    return await fetch(target, { ...init, redirect: 'error', signal: endless ? signal : AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]) });
  } catch (cause) {
    throw failure(target, signal, cause);
  }
}

async function readBody(response: Response, target: URL, signal: AbortSignal): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw failure(target, signal, cause);
  }
}

function failure(target: URL, signal: AbortSignal, cause: unknown): unknown {
  if (signal.aborted) return signal.reason;
  const what = whatToDo(systemCode(cause) ?? '', target) ?? `is the control plane running there? \`starling control\` starts one; --url or STARLING_URL names another`;
  return new ControlError('UNREACHABLE', `${target.origin} does not answer (${networkReason(cause)}): ${what}`, { cause });
}

/** What else than a control plane that does not run may be the matter; undefined when nothing is known. */
function whatToDo(code: string, { hostname, host }: URL): string | undefined {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `no address is known for '${hostname}'; mend the name in --url, STARLING_URL or the context`;
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `what listens there does not speak TLS; try http://${host}`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'nobody known here vouches for its certificate; name the authority that does in NODE_EXTRA_CA_CERTS=FILE';
    default:
      return undefined;
  }
}

/** The system's code, however deep fetch hides it. */
export function systemCode(cause: unknown): string | undefined {
  for (let error = cause, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth += 1) {
    if ('code' in error && typeof error.code === 'string') return error.code;
  }
  return undefined;
}

/** Why a fetch failed: the system's code, else what the innermost error says; its own message is always the same. */
export function networkReason(cause: unknown): string {
  const code = systemCode(cause);
  if (code !== undefined) return code;
  return cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
}

function problemOf(response: Response, text: string, target: URL): ControlError {
  const document = parse(text);
  if (problem.Check(document)) return problemError(document);
  return new ControlError('FAILED', `${target.origin} answered ${response.status} to ${target.pathname} and not as a control plane does; is this the right URL?`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The first items of a list, `count` at most, and whether there are more. */
export async function listUpTo<Item>(count: number, page: (query: PageQuery) => Promise<{ readonly items: readonly Item[]; readonly next?: string }>): Promise<{ readonly items: readonly Item[]; readonly more: boolean }> {
  const items: Item[] = [];
  for (let cursor: string | undefined; ; ) {
    const { items: found, next } = await page({ limit: Math.min(limits.pageItemsMax, count - items.length), ...(cursor === undefined ? {} : { cursor }) });
    items.push(...found);
    if (next === undefined || items.length >= count) return { items, more: next !== undefined };
    cursor = next;
  }
}

/** The number that `--limit` gives. @throws {ControlError} CONFIG_INVALID when it is none; `what` is what it is a number of. */
export function shownOf(limit: string, what: string): number {
  const wanted = Number(limit);
  if (!Number.isInteger(wanted) || wanted < 1) throw new ControlError('CONFIG_INVALID', `--limit: '${limit}' is not a number of ${what}`);
  return wanted;
}
