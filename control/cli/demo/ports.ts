// Ports for the services of the demo's targets. They are used only minutes later, by other processes, so that a port that is free now is not
// enough: they lie below those that the system hands out, and one port of each block is held while the demo runs, so that two demos
// never choose the same block.

import { createServer, type Server } from 'node:net';
import { ControlError } from '../../errors.ts';
import type { RandomBytes } from '../../random.ts';

/** Below 32768, where Linux begins to give ports to outgoing connections. */
const first = 20_000;
const last = 32_000;
/** Ports of a block, the held one included: the same for every demo, so that blocks never overlap. */
const blockPorts = 32;
/** Ports that one demo may have. */
export const portsMax = blockPorts - 1;

/** Ports in a row that are free now, and the one beside them that is held. */
export interface Ports extends AsyncDisposable {
  readonly ports: readonly number[];
}

/** At most {@link portsMax}. @throws {ControlError} FAILED when no block is free. */
export async function reservePorts(count: number, random: RandomBytes): Promise<Ports> {
  const blocks = Math.floor((last - first) / blockPorts);
  const start = Buffer.from(random(4)).readUInt32BE() % blocks;
  for (let at = 0; at < blocks; at += 1) {
    const base = first + ((start + at) % blocks) * blockPorts;
    const guard = await listenOn(base);
    if (guard === undefined) continue;
    const ports = Array.from({ length: count }, (_, index) => base + 1 + index);
    if (await allFree(ports)) return { ports, [Symbol.asyncDispose]: async () => await closed(guard) };
    await closed(guard);
  }
  throw new ControlError('FAILED', `no ${count + 1} ports in a row are free between ${first} and ${last} on 127.0.0.1`);
}

async function allFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    const server = await listenOn(port);
    if (server === undefined) return false;
    await closed(server);
  }
  return true;
}

async function listenOn(port: number): Promise<Server | undefined> {
  return await new Promise((resolve) => {
    // Whoever connects to the held port is sent away, or closing would wait for it.
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server.unref()));
  });
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
