// One running release of the built-in supervisor: what is known of it, and how it comes to its end. Which ones should run,
// and starting them, is supervisor.ts.

import { installLimits } from '../limits.ts';
import { connectionsTo } from '../machine/ports.ts';
import type { ProcessIdentity } from '../machine/processes.ts';
import type { RunnableRelease } from './service.ts';
import type { SupervisorTools } from './supervised.ts';

/** One release that should run. */
export interface Instance {
  readonly id: string;
  /** Unknown for what was adopted until somebody names it; without it a crash is not answered by a restart. */
  release: RunnableRelease | undefined;
  identity: ProcessIdentity;
  port: number;
  /** Empty before the first start. */
  tag: string;
  restarts: number;
  /** Monotonic, in ms. */
  startedAt: number;
  restartAt: number | undefined;
  starting: Promise<void> | undefined;
}

export function unstarted(release: RunnableRelease): Instance {
  const nobody = { pid: 0, startTime: '' };
  return { id: release.id, release, identity: nobody, port: 0, tag: '', restarts: 0, startedAt: 0, restartAt: undefined, starting: undefined };
}

/** Found running, started by an earlier daemon. */
export function adopted(id: string, port: number, found: ProcessIdentity & { readonly tag: string }, startedAt: number): Instance {
  const identity = { pid: found.pid, startTime: found.startTime };
  return { id, release: undefined, identity, port, tag: found.tag, restarts: 0, startedAt, restartAt: undefined, starting: undefined };
}

/** Resolves when nobody is connected to it any more, or has been for too long. */
export async function drained({ port }: Instance, { clock }: SupervisorTools, signal: AbortSignal): Promise<void> {
  const deadline = clock.monotonic() + installLimits.drainMs;
  await clock.wait(installLimits.drainFirstMs, { signal }).catch(() => {});
  while (clock.monotonic() < deadline && !signal.aborted && (await connectionsTo(port)) > 0) {
    await clock.wait(installLimits.pollMs, { signal }).catch(() => {});
  }
}

/** Asks it politely, then kills its group and whatever left the group; resolves when it is gone. */
export async function ended({ identity, release, tag, id }: Instance, { processes, clock, log }: SupervisorTools): Promise<void> {
  const seconds = release?.service.manager === 'process' ? release.service.stopTimeoutSeconds : undefined;
  const deadline = clock.monotonic() + (seconds === undefined ? installLimits.stopTimeoutMs : seconds * 1000);
  const { signal } = new AbortController();
  processes.signal(identity, 'SIGTERM');
  while (processes.alive(identity) && clock.monotonic() < deadline) await clock.wait(installLimits.pollMs, { signal });
  if (processes.alive(identity)) log.warn({ release: id, pid: identity.pid }, 'instance did not stop in time and is killed');
  processes.signal(identity, 'SIGKILL');
  if (tag !== '') for (const left of processes.tagged(tag)) if (left.tag === tag) processes.signal(left, 'SIGKILL');
  while (processes.alive(identity)) await clock.wait(installLimits.pollMs, { signal });
  log.info({ release: id, pid: identity.pid }, 'instance stopped');
}
