// Where workers come for work: a long poll that answers with one piece of it under a lease, words that prolong the lease, what was
// written, and how it ended. What may be taken is core's; leases are leases.ts, logs are logs.ts.

import type { Assignment, LeaseQuery, WorkReport } from '../../proto/api/work.ts';
import { buildOffers, leasedBuilds } from '../core/answers/build.ts';
import { revisionOf } from '../core/model/select.ts';
import type { State } from '../core/model/model.ts';
import type { Command } from '../core/commands/command.ts';
import { leasedSteps, stepOffers, type StepOffer } from '../core/automation/runs.ts';
import type { Clock } from '../clock.ts';
import { ControlError } from '../errors.ts';
import type { Submit } from './conductor.ts';
import { leaseMs, type Leases } from './leases.ts';
import { logBytesMax, type LogKey, type WorkLogs } from './logs.ts';

export interface DeskOptions {
  readonly state: () => State;
  readonly onChange: (listener: () => void) => () => void;
  readonly submit: Submit;
  readonly leases: Leases;
  readonly logs: WorkLogs;
  readonly clock: Clock;
}

/** Workers that wait at once: each holds a connection. */
const waitingMax = 1_000;

export class WorkDesk {
  readonly #options: DeskOptions;
  #waiting = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** The next piece of work for one of the roles; undefined when none came in time. `lease` is unguessable: who has it has the work. */
  async lease(actor: string, query: LeaseQuery, lease: string, { signal }: { readonly signal: AbortSignal }): Promise<Assignment | undefined> {
    if (this.#waiting >= waitingMax) throw new ControlError('TOO_MANY_REQUESTS', `${waitingMax} workers wait already: try again in a moment`);
    this.#waiting += 1;
    const roused = { now: Promise.withResolvers<void>() };
    const stop = this.#options.onChange(() => roused.now.resolve());
    const over = new AbortController();
    const until = this.#options.clock.wait(query.waitMs, { signal: AbortSignal.any([signal, over.signal]) }).then(() => 'timeout' as const, () => 'gone' as const);
    try {
      for (;;) {
        roused.now = Promise.withResolvers<void>();
        // Who has gone would lose what it is given.
        if (signal.aborted) return undefined;
        const found = await this.#take(actor, query, lease);
        if (found !== undefined || query.waitMs === 0) return found;
        const why = await Promise.race([until, roused.now.promise]);
        if (why !== undefined) return undefined;
      }
    } finally {
      stop();
      over.abort();
      this.#waiting -= 1;
    }
  }

  /** The first that is still to be had: others may have been quicker. Tests go before builds: somebody waits for what was deployed. */
  async #take(actor: string, query: LeaseQuery, lease: string): Promise<Assignment | undefined> {
    return (await this.#takeStep(actor, query, lease)) ?? (await this.#takeBuild(actor, query, lease));
  }

  async #takeBuild(actor: string, { worker, roles }: LeaseQuery, lease: string): Promise<Assignment | undefined> {
    for (const { build: { build }, auto: { settings } } of buildOffers(this.#options.state())) {
      if (!roles.includes(settings.role)) continue;
      const answer = await this.#options.submit(actor, { kind: 'begin-build', build, lease, worker });
      if (answer.kind === 'refused') continue;
      this.#options.leases.renew(lease);
      // As it is now: changes may have joined it until it began.
      const begun = this.#options.state().builds.get(build);
      if (begun?.lease !== lease) continue;
      const { app, number = 0, attempt, commit, changes } = begun;
      const { repo: { url, branch }, command, output, timeoutMs } = settings;
      return { kind: 'build', lease, leaseMs, logBytesMax, attempt, command, timeoutMs, build, app, number, repo: { url, branch }, commit, changes: changes.map((change) => ({ ...change })), output };
    }
    return undefined;
  }

  async #takeStep(actor: string, { worker, roles }: LeaseQuery, lease: string): Promise<Assignment | undefined> {
    for (const offer of stepOffers(this.#options.state())) {
      if (!roles.includes(offer.role)) continue;
      const answer = await this.#options.submit(actor, { kind: 'begin-step', run: offer.run, step: offer.step, lease, worker });
      if (answer.kind === 'refused') continue;
      this.#options.leases.renew(lease);
      return assignment(this.#options.state(), offer, lease);
    }
    return undefined;
  }

  /** The worker goes on; whether it should. */
  renew(lease: string): { readonly leaseMs: number } {
    this.#held(lease);
    this.#options.leases.renew(lease);
    return { leaseMs };
  }

  async log(lease: string, offset: number, text: string): Promise<{ readonly bytes: number }> {
    const key = this.#held(lease).log;
    this.#options.leases.renew(lease);
    return { bytes: await this.#options.logs.append(key, offset, text) };
  }

  /** How it ended. Late words are refused: somebody else may have it by now (L-4). */
  async report(actor: string, lease: string, report: WorkReport): Promise<void> {
    const answer = await this.#options.submit(actor, this.#held(lease).end(report));
    if (answer.kind === 'refused') throw new ControlError('CONFLICT', answer.message);
  }

  /** What is under this lease. @throws {ControlError} CONFLICT when nothing is any more. */
  #held(lease: string): { readonly log: LogKey; readonly end: (report: WorkReport) => Command } {
    const build = leasedBuilds(this.#options.state()).find((one) => one.lease === lease);
    if (build !== undefined) {
      return {
        log: { what: build.build, part: 'build', attempt: build.attempt },
        end: ({ outcome, detail, revision }) => ({
          kind: 'end-build', build: build.build, attempt: build.attempt, lease, end: outcome,
          ...(detail === undefined ? {} : { detail }),
          ...(revision === undefined ? {} : { revision }),
        }),
      };
    }
    const found = leasedSteps(this.#options.state()).find((one) => one.lease === lease);
    if (found === undefined) throw new ControlError('CONFLICT', 'this lease is over: the work was ended, or given to somebody else; stop working on it');
    const { run, step } = found;
    return {
      log: { what: run.run, part: step.step, attempt: step.attempt },
      end: ({ outcome, detail, tests }) => ({
        kind: 'end-step', run: run.run, step: step.step, attempt: step.attempt, lease, end: outcome,
        ...(detail === undefined ? {} : { detail }),
        ...(tests === undefined ? {} : { tests }),
      }),
    };
  }
}

function assignment(state: State, { run, step, environment, members, batch, command, timeoutMs, attempt }: StepOffer, lease: string): Assignment {
  const set = Object.entries(members).map(([app, revision]) => {
    const record = revisionOf(state, app, revision);
    return { app, revision, number: record?.number ?? 0, ...(record?.alias === undefined ? {} : { alias: record.alias }) };
  });
  return { kind: 'step', lease, leaseMs, logBytesMax, run, step, attempt, environment, set, command, timeoutMs, ...(batch === undefined ? {} : { batch: { ...batch } }) };
}
