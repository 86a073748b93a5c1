// Ports of this machine: one that is free, and who is connected to one. Nothing here holds a port.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { DaemonError } from '../../errors.ts';

/**
 * A port on loopback that nobody listens on now. Somebody else may take it before it is used: then the instance cannot
 * listen, ends, and is started again with another.
 * @throws {DaemonError} ACTIVATION_FAILED when the system has none.
 */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      reject(new DaemonError('ACTIVATION_FAILED', `no free port on 127.0.0.1: ${error.message}`, { cause: error }));
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

/** Counts connections that are established to a local port, from the text of /proc/net/tcp. */
export function establishedTo(port: number, table: string): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').filter((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    return state === '01' && local.endsWith(suffix);
  }).length;
}

/** Connections that are established to a local port; 0 where /proc does not tell. */
export async function connectionsTo(port: number): Promise<number> {
  const tables = await Promise.all(
    ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map(async (path) => await readFile(path, 'latin1').catch(() => '')),
  );
  return tables.reduce((sum, table) => sum + establishedTo(port, table), 0);
}
