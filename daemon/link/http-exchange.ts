// One request to the control plane over HTTP, and its answer as bytes. By Node's own client and not `fetch`: that one's parser and streams cost a daemon
// that waits 15 MiB of memory. No retries here, and no redirects: a member talks to the control plane that it enrolled with.

import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Digest } from '../../proto/cid.ts';
import { quoted } from '../../proto/path.ts';
import { DaemonError } from '../errors.ts';
import { http, https } from '../node-http.ts';

/** Makes the `Authorization` value of one request: `body` is the sha2-256 of the body as sent. */
export type RequestSigner = (request: { readonly method: string; readonly path: string; readonly body: Digest }) => Promise<string>;

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** From the request to the last byte of the answer; {@link callTimeoutMs} when it is left out. */
  readonly timeoutMs?: number;
  /** Of the answer, unpacked. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** How long any call but a long poll may take: a control plane that needs longer is as good as gone. */
export const callTimeoutMs = 30_000;

const unpack = promisify(gunzip);

/** @throws {DaemonError} CONTROL_UNREACHABLE, CONTROL_REFUSED when the answer is too long, damaged or a redirect, ABORTED. */
export async function exchange(url: string, call: Call, sign: RequestSigner | undefined): Promise<Answer> {
  const { method, path, timeoutMs = callTimeoutMs } = call;
  const late = AbortSignal.timeout(timeoutMs);
  const body = call.body === undefined ? '' : JSON.stringify(call.body);
  const sent = await headersOf(call, body, sign);
  try {
    const response = await send(new URL(path, url), { method, headers: sent, signal: AbortSignal.any([call.signal, late]) }, body);
    const { statusCode: status = 0, headers: { location } } = response;
    const bytes = await bounded(response, call);
    if (status >= 300 && status < 400) throw new DaemonError('CONTROL_REFUSED', `${url} sends ${method} ${path} on (HTTP ${status}) to ${location === undefined ? 'nowhere' : quoted(location)}; a daemon follows nobody there: give it the control plane's own URL`);
    return { status, bytes };
  } catch (cause) {
    if (cause instanceof DaemonError) throw cause;
    if (call.signal.aborted) throw new DaemonError('ABORTED', `the request to ${url}${path} was abandoned`, { cause });
    const why = late.aborted ? `nothing whole came within ${timeoutMs / 1000} s` : reason(cause);
    throw new DaemonError('CONTROL_UNREACHABLE', `the control plane at ${url} did not answer ${method} ${path}: ${why}; is it running and reachable from here?`, { cause });
  }
}

async function headersOf({ method, path, body }: Call, text: string, sign: RequestSigner | undefined): Promise<Record<string, string | number>> {
  const headers: Record<string, string | number> = { 'accept-encoding': 'gzip' };
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = Buffer.byteLength(text);
  }
  if (sign !== undefined) headers['authorization'] = await sign({ method, path, body: createHash('sha256').update(text).digest('hex') });
  return headers;
}

async function send(target: URL, options: RequestOptions, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (target.protocol === 'https:' ? https : http).request(target, options, resolve);
  // It stays: who answers early may close while the body is still on its way.
  request.on('error', reject);
  request.end(body);
  return await promise;
}

/** Reads at most `bytesMax`: a control plane under somebody else's hand must not fill our memory. */
async function bounded(response: IncomingMessage, { path, bytesMax }: Call): Promise<Uint8Array> {
  const tooLong = (): DaemonError => new DaemonError('CONTROL_REFUSED', `the control plane answered ${path} with more than ${bytesMax} bytes`);
  const body: AsyncIterable<Uint8Array> = response;
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > bytesMax) throw tooLong();
    parts.push(part);
  }
  const bytes = Buffer.concat(parts);
  if (response.headers['content-encoding'] !== 'gzip') return bytes;
  try {
    return await unpack(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLong();
    throw new DaemonError('CONTROL_REFUSED', `the control plane's answer to ${path} is damaged: ${reason(cause)}`, { cause });
  }
}

/** A name with several addresses fails with an error for each, and none of its own. */
function reason(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reason).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
}
