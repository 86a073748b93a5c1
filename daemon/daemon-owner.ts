// Whose a data directory is: one daemon's at a time, as two with the same keys are one member that contradicts itself. The roots of
// applications are owned apart (install/application.ts), since two daemons may be configured with the same one.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError } from './errors.ts';
import type { Processes } from './install/processes.ts';
import { readBytes, replaceFile } from './trust/durable.ts';

/**
 * Takes a data directory for this process until it is disposed of. One whose owner died is taken over; two that start in the same instant may
 * both get it, and then the second to listen on their port ends.
 * @throws {DaemonError} DATA_DIRECTORY_IN_USE when another living daemon has it; STORAGE_FAILED.
 */
export async function ownDataDirectory(dataDir: string, processes: Pick<Processes, 'self' | 'alive'>): Promise<AsyncDisposable> {
  const path = join(dataDir, 'owner.json');
  const self = processes.self();
  const owner = ownerOf((await readBytes(path))?.toString('utf8') ?? '');
  if (owner !== undefined && owner.pid !== self.pid && processes.alive(owner)) {
    throw new DaemonError('DATA_DIRECTORY_IN_USE', `${dataDir} is in use by the daemon that runs as process ${owner.pid}: stop that one, or name another directory with --data-dir`);
  }
  await replaceFile(path, JSON.stringify({ pid: self.pid, startTime: self.startTime }));
  return { [Symbol.asyncDispose]: async () => await rm(path, { force: true }) };
}

/** Undefined for whatever a crash may have left instead. */
function ownerOf(text: string): { readonly pid: number; readonly startTime: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTime' in value)) return undefined;
    return typeof value.pid === 'number' && typeof value.startTime === 'string' ? { pid: value.pid, startTime: value.startTime } : undefined;
  } catch {
    return undefined;
  }
}
