// The systemd unit of the daemon: what systemd itself says of it, offline.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const written = readFileSync(new URL('../../daemon/package/starlingd.service', import.meta.url), 'utf8');
/** Tenths, as systemd-analyze takes them: 0 is walled off from everything, 100 from nothing. */
const exposureMax = 20;

let directory: string;
let unit: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-unit-'));
  unit = join(directory, 'starlingd.service');
  // A program that is there, and no manual that is not.
  writeFileSync(unit, written.replace('/usr/bin/starlingd', '/bin/true').replace(/^Documentation=.*\n/m, ''));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function analyze(...args: readonly string[]) {
  const { error, status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { missing: error !== undefined, status, output: stdout + stderr };
}

test('systemd finds nothing to complain about', ({ skip }) => {
  const { missing, status, output } = analyze('verify', '--man=no', unit);
  skip(missing, 'systemd-analyze is not installed: the unit was not verified');
  // It tells of other units of the machine too.
  expect({ status, output: output.split('\n').filter((line) => line.includes('starlingd')) }).toEqual({ status: 0, output: [] });
});

test('the daemon is walled off as far as its runtime allows', ({ skip }) => {
  const { missing, status, output } = analyze('security', '--offline=true', `--threshold=${exposureMax}`, unit);
  skip(missing, 'systemd-analyze is not installed: the exposure was not measured');
  expect(status, output).toBe(0);
});

test('a daemon under the watch of systemd has the means to answer it', () => {
  const settings = new Map(written.split('\n').filter((line) => /^\w+=/.test(line)).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  // systemd-notify is a process of its own, and speaks to a unix socket.
  expect(settings.get('Type')).toBe('notify');
  expect(settings.get('NotifyAccess')).toBe('all');
  expect(Number(settings.get('WatchdogSec'))).toBeGreaterThanOrEqual(60);
  expect(settings.get('RestrictAddressFamilies')?.split(' ')).toContain('AF_UNIX');
});
