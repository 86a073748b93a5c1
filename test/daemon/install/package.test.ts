// The shipped units, as far as systemd can judge them without running them.

import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runtimeOptions } from '../../../control/bundle/runtime-options.ts';

const unit = 'daemon/package/starlingd.service';
const units = { 'starlingd.service': unit, 'starling-control.service': 'control/package/starling-control.service' } as const;
const installed = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!installed) process.stderr.write('SKIPPED: systemd-analyze is not installed, so the shipped units are not checked (apt-get install systemd)\n');

/** In tenths: 1.1, which faults.md gives, and 0.2 for the watchdog, whose answers systemd-notify sends as a process of its own. */
const exposureMax = 13;

/** The units in a root of their own, where the programs that they name exist. */
async function withRoot(work: (root: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'starling-units-'));
  try {
    await mkdir(join(root, 'etc/systemd/system'), { recursive: true });
    await mkdir(join(root, 'usr/bin'), { recursive: true });
    await mkdir(join(root, 'bin'), { recursive: true });
    for (const program of ['usr/bin/starlingd', 'usr/bin/starling', 'bin/kill']) await writeFile(join(root, program), '#!/bin/sh\n', { mode: 0o755 });
    for (const [name, path] of Object.entries(units)) await cp(path, join(root, 'etc/systemd/system', name));
    await writeFile(join(root, 'etc/systemd/system/network-online.target'), '[Unit]\nDescription=x\n');
    await writeFile(join(root, 'etc/systemd/system/sysinit.target'), '[Unit]\nDescription=x\n');
    await writeFile(join(root, 'etc/systemd/system/basic.target'), '[Unit]\nDescription=x\n');
    await writeFile(join(root, 'etc/systemd/system/shutdown.target'), '[Unit]\nDescription=x\n');
    await writeFile(join(root, 'etc/systemd/system/multi-user.target'), '[Unit]\nDescription=x\n');
    work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function analyze(args: readonly string[]) {
  const ran = spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' } });
  return { status: ran.status, output: `${ran.stdout}${ran.stderr}` };
}

describe.each(Object.entries(units))('%s', (name, path) => {
  it.runIf(installed)('is understood by systemd without a complaint', async () => {
    await withRoot((root) => {
      const { status, output } = analyze(['verify', '--man=no', `--root=${root}`, name]);
      expect(output).toBe('');
      expect(status).toBe(0);
    });
  });

  it.runIf(installed)('is no more exposed than the design allows', async () => {
    await withRoot((root) => {
      const { status, output } = analyze(['security', '--offline=true', `--threshold=${exposureMax}`, '--no-pager', `--root=${root}`, name]);
      const level = output.split('\n').find((line) => line.includes('Overall exposure level'));
      expect({ level, status }).toEqual({ level: expect.stringMatching(/: [01]\.\d OK/), status: 0 });
    });
  });

  it('never denies writable and executable memory, with which V8 does not start', async () => {
    expect(await readFile(path, 'utf8')).not.toMatch(/^\s*MemoryDenyWriteExecute/m);
  });
});

describe('starlingd.service alone', () => {
  it('gives a daemon under the watch of systemd the means to answer it', async () => {
    const settings = new Map([...(await readFile(unit, 'utf8')).matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value = '']) => [name, value]));
    // systemd-notify is a process of its own, and speaks to a unix socket.
    expect(settings.get('Type')).toBe('notify');
    expect(settings.get('NotifyAccess')).toBe('all');
    expect(Number(settings.get('WatchdogSec'))).toBeGreaterThanOrEqual(60);
    expect(settings.get('RestrictAddressFamilies')?.split(' ')).toContain('AF_UNIX');
  });

  it('starts the daemon with the options that it has elsewhere', async () => {
    expect(/^Environment="NODE_OPTIONS=(.*)"$/m.exec(await readFile(unit, 'utf8'))?.[1]?.split(' ')).toEqual(runtimeOptions('daemon'));
  });
});
