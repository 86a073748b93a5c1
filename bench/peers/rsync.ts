// rsync over ssh on loopback, with a server and keys of its own: what people use to bring a tree from one machine to another.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../local-fleet.ts';

const sshd = '/usr/sbin/sshd';

/** What the copy of `source` into `target` took, the server's processes included; nothing when rsync or sshd is not there. */
export async function copyByRsync(source: string, target: string, scratch: string): Promise<{ readonly seconds: number; readonly cpuSeconds: number } | undefined> {
  if (!existsSync(sshd) || !existsSync('/usr/bin/rsync')) return undefined;
  const directory = join(scratch, 'ssh');
  const port = await freePort();
  prepare(directory, port);
  // Without a terminal or a log; the shell tells what its children have used when the server is stopped.
  const server = spawn('bash', ['-c', `trap : TERM; ${sshd} -D -e -q -f ${directory}/config & wait; kill %1; wait; times`], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  server.stdout.on('data', (part: Buffer) => (said += part.toString()));
  try {
    await listening(port);
    const startedAt = performance.now();
    const shell = `ssh -q -p ${port} -i ${directory}/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -c aes128-gcm@openssh.com`;
    const client = spawn('bash', ['-c', `rsync -a --whole-file -e '${shell}' '${userInfo().username}@127.0.0.1:${source}/' '${target}/' && times`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let ours = '';
    client.stdout.on('data', (part: Buffer) => (ours += part.toString()));
    await once(client, 'close');
    if (client.exitCode !== 0) throw new Error(`rsync ended with ${client.exitCode}`);
    const seconds = (performance.now() - startedAt) / 1000;
    server.kill('SIGTERM');
    await once(server, 'close');
    return { seconds, cpuSeconds: childrenSeconds(ours) + childrenSeconds(said) };
  } finally {
    if (server.exitCode === null) server.kill('SIGTERM');
  }
}

function prepare(directory: string, port: number): void {
  if (!existsSync(directory)) {
    mkdirSync(directory, { mode: 0o700 });
    for (const name of ['host', 'key']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
    // sshd wants it, and has it when it was started as a service.
    mkdirSync('/run/sshd', { recursive: true });
  }
  writeFileSync(join(directory, 'authorized'), readFileSync(join(directory, 'key.pub')));
  writeFileSync(
    join(directory, 'config'),
    `ListenAddress 127.0.0.1:${port}\nHostKey ${directory}/host\nAuthorizedKeysFile ${directory}/authorized\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n`,
  );
}

/** The second line that `times` prints: user and system time of all children that have ended. */
function childrenSeconds(times: string): number {
  const line = times.trim().split('\n').at(-1) ?? '';
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await wait(50);
    } finally {
      socket.destroy();
    }
  }
  throw new Error('sshd does not listen');
}
