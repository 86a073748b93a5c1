// What a target says of an order that it does not take. It is asked again until it does, so that a refusal is no end and no progress.

import { accepted, refused } from '../commands/answer.ts';
import type { Answer, RefuseOrder } from '../commands/command.ts';
import type { State } from '../model/model.ts';
import { isFinished } from '../model/phases.ts';

/** Another reason for the same order is written down after this time only: a target is asked again every few seconds, and must not fill the journal with changing words. */
const anotherReasonMs = 60_000;

/** A refusal that says nothing new, or that of an order that nobody waits for any more, is accepted and forgotten. */
export function refuseOrder(state: State, { member: id, environment, seq, code, detail }: RefuseOrder, now: number): Answer {
  const member = state.members.get(id);
  if (member === undefined) return refused('not-found', `there is no member ${id}`);
  if (member.revoked) return refused('forbidden', `member '${member.name}' was revoked`);
  const order = state.orders.get(environment)?.find((issued) => issued.seq === seq);
  if (order === undefined || !order.targets.includes(id)) return refused('not-found', `there is no order ${seq} of '${environment}' that names '${member.name}'`);
  const deployment = state.deployments.get(order.deployment);
  const known = deployment?.targets.get(id)?.refusal;
  if (deployment === undefined || isFinished(deployment.phase)) return accepted();
  if (known !== undefined && (seq < known.seq || (seq === known.seq && (code === known.code || now - known.at < anotherReasonMs)))) return accepted();
  return accepted({ kind: 'order.refused', member: id, deployment: order.deployment, environment, seq, code, detail });
}
