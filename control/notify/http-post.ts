// One POST of a notice, and what its answer means for a second try: the rules of Standard Webhooks (2xx taken, 410 never again,
// Retry-After honoured), which Slack's webhooks follow as well.

import type { IncomingMessage } from 'node:http';
import { ask } from '../outbound.ts';
import type { Sent } from './channel.ts';

/** A receiver that has not answered by then is taken for dead. */
const answerWithinMs = 15_000;
/** Of an answer that says no, for the log: no more of it is read, however much comes. */
const reasonBytesMax = 300;
const retryAfterMaxMs = 24 * 3_600_000;

/** Posts once. `now` in milliseconds since 1970, to read a Retry-After that is a date. */
export async function post(url: string, body: string, headers: Readonly<Record<string, string>>, now: number, signal: AbortSignal): Promise<Sent> {
  try {
    const response = await ask(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }, AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]));
    const { statusCode: status = 0 } = response;
    const text = await beginningOf(response);
    if (status >= 200 && status < 300) return { kind: 'sent' };
    const reason = `it answered ${status}${text === '' ? '' : `: ${text}`}`;
    if (status === 410) return { kind: 'refused', reason };
    // What is wrong with the message stays wrong; timeouts and rates pass.
    if (status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status)) return { kind: 'refused', reason };
    const retryAfterMs = retryAfter(response.headers['retry-after'], now);
    return { kind: 'failed', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  } catch (cause) {
    signal.throwIfAborted();
    return { kind: 'failed', reason: reasonOf(cause) };
  }
}

/** A short answer is read whole, which lets the connection be used again. Of one that breaks off, what came. */
async function beginningOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of response.iterator({ destroyOnReturn: true })) {
      if (!Buffer.isBuffer(part)) continue;
      parts.push(part);
      bytes += part.length;
      if (bytes >= reasonBytesMax) break;
    }
  } catch {
    // The status has come, and says whether it was taken.
  }
  return Buffer.concat(parts).toString('utf8', 0, reasonBytesMax).trim();
}

/** What went wrong, with its cause, in one line. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}

function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), retryAfterMaxMs) : undefined;
}
