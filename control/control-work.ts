// The part of the control plane that has work done: steps of workflows, their logs, and the desk where workers come for them.

import { join } from 'node:path';
import type { Command } from './core/commands/command.ts';
import type { State } from './core/model/model.ts';
import type { Observed } from './core/model/select.ts';
import type { Clock } from './clock.ts';
import type { Done, Facts } from './fleet/facts.ts';
import type { WorkOptions } from './http/api/work.ts';
import type { Logger } from './log.ts';
import type { RandomBytes } from './random.ts';
import { changesSince, headOf } from './build/git.ts';
import { leasedBuilds } from './core/answers/build.ts';
import type { BuildOptions } from './http/api/builds.ts';
import type { HookOptions } from './http/hooks.ts';
import { createFileOnce, readText } from './trust/durable.ts';
import { askAlerts } from './work/alerts.ts';
import { createConductor } from './work/conductor.ts';
import { WorkDesk } from './work/desk.ts';
import { guard } from './work/guard.ts';
import { hookSecret, isSigned } from './work/hook-secret.ts';
import { Leases } from './work/leases.ts';
import { WorkLogs } from './work/logs.ts';
import { askPrometheus } from './work/prometheus.ts';
import { BranchWatcher } from './work/watcher.ts';

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
  readonly options: WorkOptions & BuildOptions & Pick<HookOptions, 'isSigned'>;
  /** Starts what runs until the signal is aborted. */
  loops(): readonly Promise<void>[];
}

/** Opens what it keeps; nothing runs before `loops`. @throws {Error} when the data directory cannot be written. */
export async function startWork({ facts, submit, observed, dataDir, clock, random, log, signal }: WorkDependencies): Promise<Work> {
  const leases = new Leases(() => clock.monotonic());
  const logs = await WorkLogs.open(join(dataDir, 'work-logs'));
  const common = { state: () => facts.state(), onChange: (listener: () => void) => facts.onChange(() => listener()), submit, leases, clock };
  const more = (state: State) => leasedBuilds(state).map(({ build, attempt, lease, worker }) => ({ lease, lost: { kind: 'end-build', build, attempt, lease, end: 'errored', detail: `worker '${worker ?? '?'}' was not heard of any more` } }) as const);
  const conductor = createConductor({ ...common, observed, ask: askPrometheus, more, log, signal });
  const key = await hookKey(dataDir, random);
  const watcher = new BranchWatcher({
    ...common, log, signal,
    newBuild: () => `build-${Buffer.from(random(10)).toString('hex')}`,
    repositories: {
      head: headOf,
      changes: async (app, repo, since, options) => await changesSince({ ...repo, since, mirror: join(dataDir, 'git-mirrors', app) }, options),
    },
  });
  return {
    options: {
      desk: new WorkDesk({ ...common, logs }), logs, watcher,
      hookSecret: (app) => hookSecret(key, app),
      isSigned: (app, body, signature) => isSigned(hookSecret(key, app), body, signature),
    },
    loops: () => [conductor.run(), guard({ ...common, ask: askPrometheus, alerts: askAlerts, log, signal }), watcher.run()],
  };
}

/** What the secrets of repositories are made of: made once, readable by its owner alone. */
async function hookKey(dataDir: string, random: RandomBytes): Promise<Uint8Array> {
  const path = join(dataDir, 'build-hooks.key');
  if ((await readText(path)) === undefined) await createFileOnce(path, `${Buffer.from(random(32)).toString('hex')}\n`, Buffer.from(random(4)).toString('hex'));
  return Buffer.from(((await readText(path)) ?? '').trim(), 'hex');
}
