// One instant query of Prometheus' HTTP API, as a number. What the number means is control/core/work/verdict.ts.
// https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../errors.ts';
import { textOf } from './fetched.ts';

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
  const { text } = await textOf(`${prometheus}/api/v1/query`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ query }).toString() }, signal);
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
