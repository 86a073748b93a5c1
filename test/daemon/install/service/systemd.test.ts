// The systemd adapter against a `systemctl` that records what it is told and answers from files.

import { chmod, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeploySpec } from '../../../../proto/deploy-spec.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import type { Installer } from '../../../../daemon/install/installer.ts';
import { layout } from '../../../../daemon/install/layout.ts';
import { systemProcesses } from '../../../../daemon/install/machine/processes.ts';
import { parseShow, systemctl } from '../../../../daemon/install/service/systemctl.ts';
import { type Bed, currentOf, deploy, idOf, makeBed, notServing, waiting } from '../support.ts';

/**
 * Appends its arguments to `calls`; `show` answers with the file `shown`; a unit named in `refused` cannot be started; with a file `unloaded` none can be stopped,
 * as systemd has it of those that it does not know; with a file `refusal` that is said to all that change something. What the real one does: test/e2e/systemd.test.ts.
 */
const fake = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
if [ "$1" != show ] && [ -e "$here/refusal" ]; then cat "$here/refusal" >&2; exit 1; fi
case "$1" in
  show) cat "$here/shown" ;;
  stop) if [ -e "$here/unloaded" ]; then echo "Unit $3 not loaded." >&2; exit 5; fi ;;
  isolate) sleep 1 ;;
  restart|start|reload-or-restart) if grep -qsF "$(cat "$here/current/VERSION")" "$here/refused"; then echo "Job for $3 failed" >&2; exit 1; fi ;;
esac
exit 0
`;
const active = 'Id=web.service\nActiveState=active\nSubState=running\nMainPID=123\nNRestarts=0\nResult=success\n';

const spec: DeploySpec = {
  ...notServing,
  service: { manager: 'systemd', units: [{ name: 'web.service', action: 'restart' }] },
  health: [{ kind: 'active', forSeconds: 0.1, timeoutSeconds: 1 }],
};
const unit = (text: string) => ({ 'systemd/web.service': text });

async function withSystemd(work: (bed: Bed, installer: Installer, calls: () => Promise<readonly string[]>, write: (name: string, text: string) => Promise<void>) => Promise<void>) {
  await using bed = await makeBed({}, undefined);
  const tools = bed.root;
  await mkdir(join(tools, 'units'), { recursive: true });
  await writeFile(join(tools, 'systemctl'), fake);
  await chmod(join(tools, 'systemctl'), 0o755);
  const write = async (name: string, text: string) => {
    await writeFile(join(tools, name), text);
  };
  await write('shown', active);
  await using installer = bed.installer({ systemd: { systemctl: [join(tools, 'systemctl')], unitDirectory: join(tools, 'units') } });
  await installer.recover(waiting);
  let read = 0;
  const calls = async () => {
    const lines = (await readFile(join(tools, 'calls'), 'utf8')).trim().split('\n').filter((line) => !line.startsWith('show'));
    const fresh = lines.slice(read);
    read = lines.length;
    return fresh;
  };
  await work(bed, installer, calls, write);
}

describe('the systemd adapter', () => {
  it('links units through current, reloads once and restarts', async () => {
    await withSystemd(async (bed, installer, calls) => {
      expect(await deploy(installer, bed.root, 1, { spec, files: unit('one') })).toEqual({ kind: 'committed' });
      expect(await calls()).toEqual(['daemon-reload', 'restart -- web.service']);
      expect(await readlink(join(bed.root, 'units/web.service'))).toBe(join(bed.root, 'current/systemd/web.service'));
      expect(await readFile(join(bed.root, 'units/web.service'), 'utf8')).toBe('one');
    });
  });

  it('reloads only when unit files differ', async () => {
    await withSystemd(async (bed, installer, calls) => {
      await deploy(installer, bed.root, 1, { spec, files: unit('one') });
      await calls();
      await deploy(installer, bed.root, 2, { spec, files: unit('one') });
      expect(await calls()).toEqual(['restart -- web.service']);
      await deploy(installer, bed.root, 3, { spec, files: unit('three') });
      expect(await calls()).toEqual(['daemon-reload', 'restart -- web.service']);
    });
  });

  it('stops a unit that the new release no longer has, and removes its link', async () => {
    await withSystemd(async (bed, installer, calls) => {
      const both: DeploySpec = { ...spec, service: { manager: 'systemd', units: [{ name: 'web.service', action: 'restart' }, { name: 'worker.service', action: 'reload-or-restart' }] } };
      await deploy(installer, bed.root, 1, { spec: { ...both, health: [] }, files: { ...unit('one'), 'systemd/worker.service': 'w' } });
      expect(await calls()).toEqual(['daemon-reload', 'restart -- web.service', 'reload-or-restart -- worker.service']);
      await deploy(installer, bed.root, 2, { spec, files: unit('one') });
      expect(await calls()).toEqual(['daemon-reload', 'restart -- web.service', 'stop -- worker.service']);
      await expect(readlink(join(bed.root, 'units/worker.service'))).rejects.toThrow('ENOENT');
    });
  });

  it('rolls units back with the release when the new one does not start', async () => {
    await withSystemd(async (bed, installer, calls, write) => {
      await deploy(installer, bed.root, 1, { spec, files: unit('one') });
      await calls();
      await write('refused', '2');
      const outcome = await deploy(installer, bed.root, 2, { spec, files: unit('two') });
      expect(outcome).toMatchObject({ kind: 'rolled-back', code: 'ACTIVATION_FAILED', detail: expect.stringContaining('Job for web.service failed') });
      expect(await calls()).toEqual(['daemon-reload', 'restart -- web.service', 'daemon-reload', 'restart -- web.service']);
      expect(await readFile(join(bed.root, 'units/web.service'), 'utf8')).toBe('one');
      expect(await currentOf(bed.root)).toBe(idOf(1));
    });
  });

  it('is inconsistent when the old release does not become active again either', async () => {
    await withSystemd(async (bed, installer, _calls, write) => {
      await deploy(installer, bed.root, 1, { spec, files: unit('one') });
      await write('shown', active.replace('ActiveState=active', 'ActiveState=failed'));
      const outcome = await deploy(installer, bed.root, 2, { spec, files: unit('two') });
      expect(outcome).toMatchObject({ kind: 'inconsistent', code: 'INCONSISTENT', detail: expect.stringContaining('web.service is failed') });
      expect(installer.pendingReports().at(-1)).toMatchObject({ phase: 'inconsistent' });
    });
  });

  it('refuses a unit of that name that is not its own', async () => {
    await withSystemd(async (bed, installer) => {
      await writeFile(join(bed.root, 'units/web.service'), 'by hand');
      const outcome = await deploy(installer, bed.root, 1, { spec, files: unit('one') });
      expect(outcome).toMatchObject({ kind: 'failed', code: 'ACTIVATION_FAILED', detail: expect.stringContaining('is not this application') });
      expect(await readFile(join(bed.root, 'units/web.service'), 'utf8')).toBe('by hand');
      // Nor is it stopped on the way back.
      await expect(readFile(join(bed.root, 'calls'), 'utf8')).rejects.toThrow('ENOENT');
    });
  });

  it('takes a unit that systemd does not know for stopped, and no other', async () => {
    await withSystemd(async (bed, installer, _calls, write) => {
      await write('unloaded', '');
      await write('refused', '1');
      await write('shown', active.replace('ActiveState=active', 'ActiveState=inactive'));
      expect(await deploy(installer, bed.root, 1, { spec, files: unit('one') })).toMatchObject({ kind: 'failed', code: 'ACTIVATION_FAILED', detail: expect.stringContaining('Job for web.service failed') });
      await write('refused', '2');
      await write('shown', active);
      expect(await deploy(installer, bed.root, 2, { spec, files: unit('two') })).toMatchObject({ kind: 'inconsistent', detail: expect.stringContaining('not loaded') });
    });
  });

  it('says what a refusal of systemd, or of the directory of units, asks for', async () => {
    await withSystemd(async (bed, installer, _calls, write) => {
      await write('refusal', 'Failed to restart web.service: Interactive authentication required.\nSee system logs.');
      await write('shown', active.replace('ActiveState=active', 'ActiveState=inactive'));
      expect(await deploy(installer, bed.root, 1, { spec })).toMatchObject({ kind: 'failed', detail: expect.stringContaining('by a rule of polkit, see starlingd.rules in its package: systemctl restart -- web.service: exit code 1: Failed to restart web.service: Interactive authentication required.; See system logs.') });
      await rm(join(bed.root, 'units'), { recursive: true });
      expect(await deploy(installer, bed.root, 2, { spec, files: unit('two') })).toMatchObject({ kind: 'failed', code: 'ACTIVATION_FAILED', detail: expect.stringMatching(/ships web.service, which cannot be linked in .*units: .*ENOENT.*starlingd-units.conf/) });
    });
  });
});

describe('systemctl', () => {
  it('is asked about units while one is told something, and neither ends the other', async () => {
    await withSystemd(async (bed) => {
      const { must, show } = systemctl({ at: layout(bed.root), processes: systemProcesses({ kill: process.kill.bind(process), clock: systemClock }), tag: 'test', searchPath: '/usr/bin:/bin', systemctl: [join(bed.root, 'systemctl')] });
      const shows = Array.from({ length: 9 }, async () => await show(['web.service'], waiting));
      // The tenth: "1" is the beginning of its number.
      const told = must(['isolate'], waiting);
      expect(await Promise.all(shows)).toHaveLength(9);
      await told;
    });
  });
});

describe('parseShow()', () => {
  it('reads several units, and values with an equals sign', () => {
    expect(parseShow('Id=a\nX=1=2\n\nId=b\n')).toEqual([{ Id: 'a', X: '1=2' }, { Id: 'b' }]);
  });
});
