// nginx on the origin, and every target downloads the whole at once: what most people do.

import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { writeRandomTree } from '../lab/content.ts';
import { fleetNames } from '../lab/fleet.ts';
import type { Lab } from '../lab/lab.ts';

const port = 8080;

/** When each target had the file, in milliseconds from the start. @throws {Error} when a download fails. */
export async function downloadAll(lab: Lab, { agents, bytes }: { readonly agents: readonly string[]; readonly bytes: number }, scratch: string): Promise<readonly number[]> {
  const root = join(scratch, 'nginx');
  await mkdir(root, { recursive: true });
  await writeRandomTree(join(root, 'tree'), bytes);
  const files = Math.ceil(bytes / (8 * 1024 * 1024));
  const { address } = lab.host(fleetNames.origin);
  const config = join(root, 'nginx.conf');
  await writeFile(config, `daemon off; pid ${root}/nginx.pid; error_log ${root}/error.log; events { worker_connections 1024; }
http { sendfile on; access_log off; client_body_temp_path ${root}/b; proxy_temp_path ${root}/p; fastcgi_temp_path ${root}/f; uwsgi_temp_path ${root}/u; scgi_temp_path ${root}/s;
server { listen ${address}:${port}; root ${root}; } }\n`);
  const server = lab.spawn(fleetNames.origin, ['nginx', '-p', root, '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await wait(500);
    const startedAt = performance.now();
    return await Promise.all(
      agents.map(async (agent) => {
        const names = Array.from({ length: files }, (_, number) => `http://${address}:${port}/tree/part-${String(number).padStart(3, '0')}.bin`);
        const child = lab.spawn(agent, ['curl', '--silent', '--show-error', '--fail', '--output', '/dev/null', ...names.flatMap((name, at) => (at === 0 ? [name] : ['--output', '/dev/null', name]))], { stdio: ['ignore', 'ignore', 'inherit'] });
        await once(child, 'exit');
        if (child.exitCode !== 0) throw new Error(`curl on ${agent} ended with ${child.exitCode ?? child.signalCode}`);
        return performance.now() - startedAt;
      }),
    );
  } finally {
    server.kill('SIGQUIT');
    await once(server, 'exit');
  }
}
