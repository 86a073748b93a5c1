// One instant query of Prometheus' HTTP API, as a number. What the number means is control/core/work/verdict.ts.
// https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../errors.ts';

/** An instant query that takes longer is too dear to be asked again and again. */
const timeoutMs = 10_000;
/** One number is asked for; what is longer is another answer. */
const answerBytesMax = 1024 * 1024;

const Sample = Type.Tuple([Type.Number(), Type.String()]);
const answerForm = Compile(
  Type.Object({
    status: Type.String(),
    error: Type.Optional(Type.String()),
    data: Type.Optional(Type.Object({ resultType: Type.String(), result: Type.Unknown() })),
  }),
);
const vectorForm = Compile(Type.Array(Type.Object({ value: Sample })));
const sampleForm = Compile(Sample);

export type Ask = (question: { readonly prometheus: string; readonly query: string }, options: { readonly signal: AbortSignal }) => Promise<number>;

/** What the query evaluates to now. @throws {ControlError} UNREACHABLE; FAILED when the answer is not one number. */
export const askPrometheus: Ask = async ({ prometheus, query }, { signal }) => {
  const text = await answerOf(`${prometheus}/api/v1/query`, query, signal);
  const answer = parsed(text);
  if (!answerForm.Check(answer)) throw new ControlError('FAILED', `${prometheus} does not answer as Prometheus does; is this the right URL?`);
  if (answer.status !== 'success' || answer.data === undefined) throw new ControlError('FAILED', `${prometheus} refused the query: ${(answer.error ?? 'it does not say why').slice(0, 500)}`);
  const { resultType, result } = answer.data;
  if (resultType === 'scalar' && sampleForm.Check(result)) return numberOf(result[1]);
  if (resultType !== 'vector' || !vectorForm.Check(result)) throw new ControlError('FAILED', `the query is a ${resultType.slice(0, 20)}; ask for a scalar or a vector of one element`);
  const [first, ...others] = result;
  if (first === undefined) throw new ControlError('FAILED', 'the query found nothing; is the metric there yet?');
  if (others.length > 0) throw new ControlError('FAILED', `the query found ${result.length} series; aggregate them to one, such as with sum()`);
  return numberOf(first.value[1]);
};

async function answerOf(url: string, query: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ query }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    return await limited(response);
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new ControlError('UNREACHABLE', `${url} does not answer: ${inner instanceof Error ? inner.message : String(inner)}`, { cause });
  }
}

async function limited(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > answerBytesMax) throw new ControlError('FAILED', `the answer is longer than ${answerBytesMax} bytes; aggregate it to one number`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Prometheus writes numbers as text: `NaN`, `+Inf` and `-Inf` are among them. */
function numberOf(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  const number = Number(text);
  if (Number.isNaN(number)) throw new ControlError('FAILED', `the query is ${text.slice(0, 20)}: nothing was counted yet, or something was divided by zero`);
  return number;
}
