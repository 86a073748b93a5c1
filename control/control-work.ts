// The part of the control plane that has work done: steps of workflows, their logs, and the desk where workers come for them.

import { join } from 'node:path';
import type { Command } from './core/command.ts';
import type { Observed } from './core/select.ts';
import type { Clock } from './clock.ts';
import type { Done, Facts } from './fleet/facts.ts';
import type { WorkOptions } from './http/api-work.ts';
import type { Logger } from './log.ts';
import type { RandomBytes } from './random.ts';
import { createConductor } from './work/conductor.ts';
import { WorkDesk } from './work/desk.ts';
import { Leases } from './work/leases.ts';
import { WorkLogs } from './work/logs.ts';
import { askPrometheus } from './work/prometheus.ts';

export interface WorkDependencies {
  readonly facts: Facts;
  readonly submit: (actor: string, command: Command) => Promise<Done>;
  readonly observed: () => Observed;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Work {
  /** For the server. */
  readonly options: WorkOptions;
  /** Starts what runs until the signal is aborted. */
  loops(): readonly Promise<void>[];
}

/** Opens what it keeps; nothing runs before `loops`. @throws {Error} when the data directory cannot be written. */
export async function startWork({ facts, submit, observed, dataDir, clock, log, signal }: WorkDependencies): Promise<Work> {
  const leases = new Leases(() => clock.monotonic());
  const logs = await WorkLogs.open(join(dataDir, 'work-logs'));
  const common = { state: () => facts.state(), onChange: (listener: () => void) => facts.onChange(() => listener()), submit, leases, clock };
  const conductor = createConductor({ ...common, observed, ask: askPrometheus, more: () => [], log, signal });
  return {
    options: { desk: new WorkDesk({ ...common, logs }), logs },
    loops: () => [conductor.run()],
  };
}
