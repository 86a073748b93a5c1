// Whose a data directory is: one daemon's at a time, as two with the same keys are one member that contradicts itself. The roots of
// applications are owned apart (install/application.ts), since two daemons may be configured with the same one.

import { DaemonError } from './errors.ts';
import { systemDisk } from './install/machine/disk.ts';
import { leaveDirectory, takeDirectory } from './install/machine/owner.ts';
import type { Processes } from './install/machine/processes.ts';

/**
 * Takes a data directory for this process until it is disposed of. One whose owner died is taken over.
 * @throws {DaemonError} DATA_DIRECTORY_IN_USE when another living daemon has it; STORAGE_FAILED.
 */
export async function ownDataDirectory(dataDir: string, processes: Pick<Processes, 'self' | 'alive'>): Promise<AsyncDisposable> {
  const other = await takeDirectory(systemDisk, dataDir, processes);
  if (other !== undefined) {
    throw new DaemonError('DATA_DIRECTORY_IN_USE', `${dataDir} is in use by the daemon that runs as process ${other.pid}: stop that one, or name another directory with --data-dir`);
  }
  return { [Symbol.asyncDispose]: async () => await leaveDirectory(systemDisk, dataDir, processes) };
}
