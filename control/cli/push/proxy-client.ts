// Requests to one proxy, each tried once: what failed for now and what failed for good are told apart, trying again is upload.ts's.

import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { UploadProxy } from '../../../proto/api/apps.ts';
import { CompleteReplySchema, SessionReplySchema, type CompleteReply, type OpenSession, type SessionReply } from '../../../proto/upload.ts';
import { ControlError, type ControlErrorCode } from '../../errors.ts';
import { limits } from '../../../proto/limits.ts';
import { networkReason } from '../api.ts';

const zstd = promisify(zstdCompress);
/** Level 3 keeps up with a fast line on one core; higher ones save little on what applications are made of. */
const level = 3;
/** A proxy syncs each frame before it answers; a slow disk under load takes seconds. */
const frameTimeoutMs = 60_000;

/** What is worth another try: the connection broke, the proxy is busy, forgot the session, or cannot reach the control plane now. */
class PassingFailure extends ControlError {}

export function isPassing(error: unknown): error is ControlError {
  return error instanceof PassingFailure;
}

export async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  return await zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } });
}

export interface ProxyClient {
  open(session: OpenSession): Promise<SessionReply>;
  index(session: string, compressed: Uint8Array): Promise<SessionReply>;
  frame(session: string, compressed: Uint8Array): Promise<void>;
  complete(session: string): Promise<CompleteReply>;
}

const session = Compile(SessionReplySchema);
const completed = Compile(CompleteReplySchema);
const ProblemSchema = Type.Object({ code: Type.String(), detail: Type.String() });
const problem = Compile(ProblemSchema);

/** `onSent` counts the bytes of each body that was answered, whatever the answer. */
export function createProxyClient(proxy: UploadProxy, grant: string, signal: AbortSignal, onSent: (bytes: number) => void): ProxyClient {
  const base = `${proxy.url.replace(/\/$/, '')}/upload/v1/sessions`;
  const request = async (path: string, init: { readonly method: string; readonly body?: Uint8Array | string; readonly type?: string }, timeoutMs = frameTimeoutMs): Promise<unknown> => {
    const { method, body, type } = init;
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        headers: { authorization: `Bearer ${grant}`, ...(type === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength) }),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new PassingFailure('UNREACHABLE', `the proxy '${proxy.name}' at ${proxy.url} does not answer (${networkReason(cause)})`, { cause });
    }
    onSent(body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length);
    const value = parse(text);
    if (status >= 400) throw refusal(proxy, status, value);
    return value;
  };
  return {
    open: async (body) => checked(proxy, session, await request('', { method: 'POST', body: JSON.stringify(body), type: 'application/json' })),
    index: async (id, compressed) => checked(proxy, session, await request(`/${encodeURIComponent(id)}/index`, { method: 'PUT', body: compressed, type: 'application/zstd' }, limits.uploadAnswerMsMax)),
    frame: async (id, compressed) => {
      await request(`/${encodeURIComponent(id)}/frames`, { method: 'PUT', body: compressed, type: 'application/zstd' });
    },
    complete: async (id) => checked(proxy, completed, await request(`/${encodeURIComponent(id)}/complete`, { method: 'POST' }, limits.uploadAnswerMsMax)),
  };
}

function checked<Reply>(proxy: UploadProxy, validator: { Check(value: unknown): value is Reply }, value: unknown): Reply {
  if (validator.Check(value)) return value;
  throw new ControlError('FAILED', `the proxy '${proxy.name}' at ${proxy.url} answered in a form that this program does not know; are both of one version?`);
}

function refusal(proxy: UploadProxy, status: number, value: unknown): ControlError {
  const { code, detail } = problem.Check(value) ? value : { code: `HTTP ${status}`, detail: `it answered ${status}` };
  const message = `the proxy '${proxy.name}' refused (${code}): ${detail}`;
  // 404: it forgot the session. 409 INCOMPLETE: it lost what it had. 429 and 503: busy, or the control plane is away. 5xx else: its disk, its bugs.
  if (status === 404 || status === 429 || status === 502 || status === 503 || status === 504 || code === 'INCOMPLETE') return new PassingFailure('UNREACHABLE', message);
  return new ControlError(codes[status] ?? 'FAILED', message);
}

const codes: Readonly<Record<number, ControlErrorCode>> = { 400: 'FAILED', 401: 'UNAUTHENTICATED', 403: 'FORBIDDEN', 409: 'CONFLICT', 413: 'TOO_LARGE' };

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
