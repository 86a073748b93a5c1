// Whose a directory is: a mark for each process that wants it, in its name who that is. Each says so first and looks then who else has, so that of any
// number that come at once at most one stays; nobody removes what a living one has said, and what a dead one said is no obstacle.
// Known hole: a daemon in a container of its own, whose processes this one does not see, is taken for dead; where it has a store, that one's lock refuses.

import { join } from 'node:path';
import type { Disk } from './disk.ts';
import type { ProcessIdentity, Processes } from './processes.ts';

const mark = /^owner\.(\d+)\.(.+)$/;

function markOf(directory: string, { pid, startTime }: ProcessIdentity): string {
  return join(directory, `owner.${pid}.${startTime}`);
}

/**
 * Takes a directory for this process, or says which living one has it. Two that come in the same instant may both be told of the other.
 * @throws {DaemonError} NO_SPACE, STORAGE_FAILED.
 */
export async function takeDirectory(disk: Disk, directory: string, processes: Pick<Processes, 'self' | 'alive'>): Promise<ProcessIdentity | undefined> {
  const self = processes.self();
  const own = markOf(directory, self);
  await disk.writeSynced(own, '');
  for (const name of await disk.list(directory)) {
    const [, pid, startTime] = mark.exec(name) ?? [];
    const other = { pid: Number(pid), startTime: startTime ?? '' };
    if (pid === undefined || (other.pid === self.pid && other.startTime === self.startTime)) continue;
    if (processes.alive(other)) {
      await disk.remove(own);
      return other;
    }
    await disk.remove(join(directory, name));
  }
  return undefined;
}

/** Leaves a directory that was taken to the next one. */
export async function leaveDirectory(disk: Disk, directory: string, processes: Pick<Processes, 'self'>): Promise<void> {
  await disk.remove(markOf(directory, processes.self()));
}
