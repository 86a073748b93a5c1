// A machine that systemd runs, on which the packaged programs are installed as their units say. It has this machine's files, none of which it changes, and
// the network to itself; it ends with the process that made it, at the latest.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { packageInto } from '../../control/bundle/package.ts';
import { hasProgram } from './programs.ts';

const startMsMax = 30_000;
const commandSecondsMax = 90;
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a package for a distribution would lay down beside the programs, and what it is here. */
const installed = {
  'etc/systemd/system/starlingd.service': 'daemon/package/starlingd.service',
  'etc/systemd/system/starling-control.service': 'control/package/starling-control.service',
  'etc/sysusers.d/starlingd.conf': 'daemon/package/starlingd.sysusers',
  'etc/sysusers.d/starling-control.conf': 'control/package/starling-control.sysusers',
} as const;

/** Whether such a machine can be had here. */
export function canBoot(): boolean {
  const needed = [hasProgram('systemd-analyze', 'systemd'), hasProgram('dbus-daemon', 'dbus'), hasProgram('pkaction', 'polkitd')];
  if (needed.includes(false)) return false;
  const namespaces = ['--mount', '--fork', '--pid', '--net', '--cgroup', '--uts', '--ipc'];
  const mounts = 'mount -t tmpfs tmpfs /mnt; mkdir /mnt/{u,w,r}; mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/r; mount -t proc proc /mnt/r/proc; mount -t cgroup2 cgroup2 /mnt/r/mnt';
  const { status, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-ec', mounts], { encoding: 'utf8' });
  if (status !== 0) process.stderr.write(`NOT TESTED: the units under a systemd of their own, which needs root, namespaces, an overlay of this file system, and cgroup2: ${stderr}\n`);
  return status === 0;
}

export class SystemdMachine implements AsyncDisposable {
  readonly #scratch: string;
  readonly #machine: ChildProcess;
  /** The process that is the machine's first. */
  readonly #first: string;

  private constructor(scratch: string, machine: ChildProcess, first: string) {
    this.#scratch = scratch;
    this.#machine = machine;
    this.#first = first;
  }

  /** The units are there and not started. */
  static async boot(): Promise<SystemdMachine> {
    const scratch = await realpath(await mkdtemp(join(tmpdir(), 'starling-systemd-')));
    const files = join(scratch, 'files');
    await mkdir(join(scratch, 'machine'));
    await install(files);
    // In a group of its own: what ends the tests by a signal ends it by its input, after which it cleans up.
    const machine = spawn('bash', [join(import.meta.dirname, 'systemd-boot.sh'), join(scratch, 'machine'), files], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    const [first] = await once(machine.stdout, 'data', { signal: AbortSignal.timeout(startMsMax) });
    const booted = new SystemdMachine(scratch, machine, String(first).trim());
    await booted.until('systemd is up', async () => (await booted.tried('systemctl is-system-running --wait')).out === 'running');
    await booted.run('systemd-sysusers');
    return booted;
  }

  /** Runs a script of the shell there, as root. @throws {Error} with all that it printed when it fails. */
  async run(script: string): Promise<string> {
    const { code, out } = await this.tried(script);
    if (code !== 0) throw new Error(`${script}\nended with ${code}: ${out}`);
    return out;
  }

  /** The same, where failing is an answer. */
  async tried(script: string): Promise<{ readonly code: number | null; readonly out: string }> {
    const into = ['-t', this.#first, '--mount', '--pid', '--net', '--cgroup', '--uts', '--ipc'];
    const child = spawn('nsenter', [...into, 'timeout', '--signal=KILL', `${commandSecondsMax}`, 'bash', '-ec', `cd /root; exec 2>&1; ${script}`], {
      env: { HOME: '/root', PATH: searchPath, LANG: 'C.UTF-8', SYSTEMD_PAGER: '', STARLING_URL: 'http://127.0.0.1:7400', STARLING_TOKEN_FILE: '/var/lib/starling/admin.token' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    await once(child, 'close');
    return { code: child.exitCode, out: out.trim() };
  }

  /** Writes a file there. */
  async write(path: string, text: string): Promise<void> {
    const there = join('/proc', this.#first, 'root', path);
    await mkdir(dirname(there), { recursive: true });
    await writeFile(there, text);
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + startMsMax; !(await holds()); await wait(100)) {
      if (Date.now() > deadline) throw new Error(`not within ${startMsMax / 1000} s: ${what}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#machine, 'exit');
    this.#machine.stdin?.end();
    await ended;
    await rm(this.#scratch, { recursive: true, force: true });
  }
}

async function install(files: string): Promise<void> {
  for (const directory of ['opt', 'usr/bin', 'usr/local/bin']) await mkdir(join(files, directory), { recursive: true });
  await packageInto(join(files, 'opt/starling'));
  for (const name of ['starling', 'starlingd']) await symlink(`/opt/starling/bin/${name}`, join(files, 'usr/bin', name));
  await copyFile(process.execPath, join(files, 'usr/local/bin/node'));
  for (const [path, source] of Object.entries(installed)) await cp(source, join(files, path));
}
