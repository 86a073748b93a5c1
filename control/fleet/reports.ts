// Reports of members, recorded: in a request of their own or with a sync. What they mean is control/core.

import type { Report } from '../../proto/fleet.ts';
import { handle } from '../core/answers/handle.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Facts } from './facts.ts';
import type { ReportsReply } from './fleet.ts';

export interface RecordingOptions {
  readonly facts: Facts;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** One decision for all reports of a request: they are durable together when it resolves. @throws {ControlError} STORAGE_FAILED, TOO_MANY_REQUESTS. */
export async function recordReports(id: string, reports: readonly Report[], { facts, clock, metrics, log }: RecordingOptions): Promise<ReportsReply> {
  const { result: answers } = await facts.transact(`member:${id}`, (state) => {
    const result = reports.map((report) => handle(state, { kind: 'report', member: id, report }, clock.now()));
    return { events: result.flatMap((answer) => (answer.kind === 'accepted' ? answer.events : [])), result };
    // Whether a report is news depends on what its own member said, and on orders and deployments, which reports of others do not change.
  }, id);
  const refusals = answers.flatMap((answer, index) => (answer.kind === 'refused' ? [{ answer, report: reports[index] }] : []));
  for (const { answer, report } of refusals) log.warn({ member: id, deployment: report?.deployment, code: answer.code, detail: answer.message }, 'a report was refused');
  metrics.reports.inc({ result: 'recorded' }, answers.length - refusals.length);
  metrics.reports.inc({ result: 'refused' }, refusals.length);
  return { recorded: answers.length - refusals.length, refused: refusals.length };
}
