// The loop that moves workflow runs: it asks core what follows, gives the commands, takes the measurements that are due, and ends
// the attempts of workers that were lost. Which command when is control/core/work; it can be killed anywhere and asks again.

import type { Command } from '../core/commands/command.ts';
import type { State } from '../core/model/model.ts';
import type { Observed } from '../core/model/select.ts';
import type { Measure } from '../core/work/next-steps.ts';
import { leasedSteps, stepsOfRuns } from '../core/automation/runs.ts';
import { verdictOf } from '../core/work/verdict.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { createLoop, retryAfterMs } from '../loop.ts';
import type { Leases } from './leases.ts';
import type { Ask } from './prometheus.ts';

/** What becomes of a command: refusals are values. */
export type Submit = (actor: string, command: Command) => Promise<{ readonly kind: 'accepted'; readonly events: readonly unknown[] } | { readonly kind: 'refused'; readonly message: string }>;

/** Work beside the steps of runs that ends when its worker is lost: builds. */
export interface MoreLeased {
  readonly lease: string;
  /** Ends the attempt. */
  readonly lost: Command;
}

export interface ConductorOptions {
  readonly state: () => State;
  readonly onChange: (listener: () => void) => () => void;
  readonly submit: Submit;
  readonly observed: () => Observed;
  readonly leases: Leases;
  readonly ask: Ask;
  readonly more: (state: State) => readonly MoreLeased[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the loop. */
  readonly signal: AbortSignal;
}

export interface Conductor {
  /** Gives commands until none is left to give; says in how many milliseconds to come again. */
  settle(): Promise<number>;
  /** Resolves when the signal is aborted. */
  run(): Promise<void>;
}

/** At the latest after this long it looks again, whatever was said. */
const checkEveryMs = 60_000;
/** Rounds without rest: each takes every run one step further. */
const roundsMax = 1_000;
/** Measurements under way at once; others wait for the next round. */
const measuringMax = 16;

export function createConductor(options: ConductorOptions): Conductor {
  const { clock, log, signal } = options;
  const measuring = new Set<string>();

  const settle = async (): Promise<number> => {
    for (let round = 0; round < roundsMax && !signal.aborted; round += 1) {
      const now = clock.now();
      const { commands, measures, nextCheckAt = Infinity } = stepsOfRuns(options.state(), options.observed());
      const { lost, nextMs } = lostWork(options);
      let moved = false;
      for (const command of [...lost, ...commands]) moved = (await give(command, options)) || moved;
      for (const measure of measures) void look(measure);
      if (!moved) return Math.max(0, Math.min(nextCheckAt - now, nextMs));
    }
    return retryAfterMs;
  };

  const look = async (measure: Measure): Promise<void> => {
    const key = `${measure.run}/${measure.step}`;
    if (measuring.has(key) || measuring.size >= measuringMax) return;
    measuring.add(key);
    try {
      await give(await taken(measure, options), options);
    } catch (error) {
      // Nobody waits for a measurement, so nobody else would hear of this. It is taken again when the loop next looks, which is not now.
      if (!signal.aborted) log.error({ err: error }, 'a measurement could not be recorded; it is taken again');
      return;
    } finally {
      measuring.delete(key);
    }
    loop.wake();
  };

  const loop = createLoop({ once: settle, failed: 'moving workflow runs failed', restMsMax: checkEveryMs, clock, log, signal });
  return {
    settle,
    async run() {
      const stop = options.onChange(loop.wake);
      await loop.run().finally(stop);
    },
  };
}

/** Commands that end what lost workers had taken, and when the next lease would end. A lost worker says nothing about what was tested. */
function lostWork({ state, leases, more }: ConductorOptions): { readonly lost: readonly Command[]; readonly nextMs: number } {
  const steps = leasedSteps(state());
  const others = more(state());
  const { expired, nextMs } = leases.look([...steps, ...others].map(({ lease }) => lease));
  const ofSteps = steps.filter(({ lease }) => expired.includes(lease)).map(
    ({ run, step, lease }): Command => ({ kind: 'end-step', run: run.run, step: step.step, attempt: step.attempt, lease, end: 'errored', detail: `worker '${step.worker ?? '?'}' was not heard of any more` }),
  );
  return { lost: [...ofSteps, ...others.filter(({ lease }) => expired.includes(lease)).map(({ lost }) => lost)], nextMs };
}

/** Whether something changed by it. A refusal is not a failure: what it was about has moved on. */
async function give(command: Command, { submit, log }: ConductorOptions): Promise<boolean> {
  const answer = await submit('system', command);
  if (answer.kind === 'accepted') return answer.events.length > 0;
  log.debug({ command: command.kind, message: answer.message }, 'a step was not taken');
  return false;
}

async function taken({ run, step, attempt, settings, prometheus, query }: Measure, { ask, signal }: ConductorOptions): Promise<Command> {
  const about = { kind: 'measure-step', run, step, attempt } as const;
  try {
    const result = await ask({ prometheus, query }, { signal });
    return { ...about, verdict: verdictOf(settings, result), value: String(result) };
  } catch (error) {
    return { ...about, verdict: 'error', detail: error instanceof Error ? error.message : String(error) };
  }
}
