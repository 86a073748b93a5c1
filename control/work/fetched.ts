// One bounded request to a system that measures: an answer in time and of a size that is read, or our own error.

import type { IncomingMessage } from 'node:http';
import { ControlError } from '../errors.ts';
import { ask, type Outbound } from '../outbound.ts';

/** What takes longer is too dear to be asked again and again. */
const timeoutMs = 10_000;
/** One number or a list of alerts is asked for; what is longer is another answer. */
const answerBytesMax = 1024 * 1024;

/** The whole answer. @throws {ControlError} UNREACHABLE; FAILED when it is too long. */
export async function textOf(url: string, outbound: Outbound, signal: AbortSignal): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await ask(url, outbound, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    return { status: response.statusCode ?? 0, text: await limited(response) };
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new ControlError('UNREACHABLE', `${url} does not answer: ${inner instanceof Error ? inner.message : String(inner)}`, { cause });
  }
}

async function limited(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    if (!Buffer.isBuffer(part)) continue;
    bytes += part.length;
    if (bytes > answerBytesMax) throw new ControlError('FAILED', `the answer is longer than ${answerBytesMax} bytes; ask for less`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
