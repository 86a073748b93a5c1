// libtorrent: the best known swarm, through Debian's python3-libtorrent. Everybody knows everybody from the start: no tracker is waited for.

import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { writeRandomTree } from '../lab/content.ts';
import { fleetNames } from '../lab/fleet.ts';
import type { Lab } from '../lab/lab.ts';

const script = fileURLToPath(new URL('torrent-member.py', import.meta.url));
const python = '/usr/bin/python3';

interface TorrentInput {
  readonly agents: readonly string[];
  readonly bytes: number;
  readonly fileBytes?: number;
  readonly isSuperSeeding: boolean;
  readonly timeoutMs: number;
}

/** When each target had everything, in milliseconds from the start. @throws {Error} when one does not end. */
export async function torrent(lab: Lab, { agents, bytes, fileBytes, isSuperSeeding, timeoutMs }: TorrentInput, scratch: string): Promise<readonly number[]> {
  const root = join(scratch, 'torrent');
  await writeRandomTree(join(root, 'origin', 'tree'), bytes, fileBytes);
  const file = join(root, 'tree.torrent');
  const make = lab.spawn(fleetNames.origin, [python, script, 'make', join(root, 'origin', 'tree'), file], { stdio: ['ignore', 'inherit', 'inherit'] });
  await once(make, 'exit');
  const addresses = [fleetNames.origin, ...agents].map((name) => lab.host(name).address);
  const start = async (name: string, role: string) => {
    const directory = join(root, name);
    await mkdir(directory, { recursive: true });
    const child = lab.spawn(name, [python, script, role, file, directory, lab.host(name).address, ...addresses], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: string[] = [];
    const heard: (() => void)[] = [];
    child.stdout?.on('data', (part: Buffer) => {
      lines.push(...part.toString().trim().split('\n'));
      for (const wake of heard.splice(0)) wake();
    });
    const said = async (line: string): Promise<void> => {
      while (!lines.includes(line)) {
        if (child.exitCode !== null) throw new Error(`libtorrent on ${name} ended with ${child.exitCode}`);
        await Promise.race([new Promise<void>((resolve) => heard.push(resolve)), wait(500)]);
      }
    };
    return { child, said };
  };
  const members = await Promise.all([start(fleetNames.origin, isSuperSeeding ? 'superseed' : 'seed'), ...agents.map(async (name) => await start(name, 'leech'))]);
  try {
    await Promise.all(members.map(async ({ said }) => await said('ready')));
    const startedAt = performance.now();
    for (const { child } of members) child.stdin?.write('go\n');
    return await Promise.all(
      members.slice(1).map(async ({ said }) => {
        await Promise.race([said('done'), wait(timeoutMs).then(() => Promise.reject(new Error(`libtorrent was not done after ${timeoutMs / 1000} s`)))]);
        return performance.now() - startedAt;
      }),
    );
  } finally {
    for (const { child } of members) child.kill('SIGKILL');
    await rm(root, { recursive: true, force: true });
  }
}
