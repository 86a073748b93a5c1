// How many alerts a URL says are active: the answer is a list, as Alertmanager's /api/v2/alerts gives it. What that means to a
// deployment is control/core/rollout/watch.ts. https://prometheus.io/docs/alerting/latest/clients/

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../errors.ts';
import { textOf } from './fetched.ts';

const form = Compile(Type.Array(Type.Object({ status: Type.Optional(Type.Object({ state: Type.Optional(Type.String()) })) })));

export type AskAlerts = (url: string, options: { readonly signal: AbortSignal }) => Promise<number>;

/** Alerts that are active: those that somebody silenced or that another inhibits are not. @throws {ControlError} UNREACHABLE; FAILED when the answer is no such list. */
export const askAlerts: AskAlerts = async (url, { signal }) => {
  const { status, text } = await textOf(url, { method: 'GET', headers: { accept: 'application/json' } }, signal);
  if (status !== 200) throw new ControlError('FAILED', `${url} answers ${status}; expected 200 with a list of alerts`);
  const answer = parsed(text);
  if (!form.Check(answer)) throw new ControlError('FAILED', `${url} does not answer with a list of alerts, as Alertmanager's /api/v2/alerts does`);
  return answer.filter((alert) => alert.status?.state === undefined || alert.status.state === 'active').length;
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
