// What systemd is told, by a program that stands where systemd-notify does and writes down what it was asked.

import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createServiceManager, type ServiceManagerDeps } from '../../daemon/daemon-notify.ts';
import { systemClock } from '../../daemon/clock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-notify-'));
  await writeFile(join(directory, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> '${directory}/told'\n`);
  await chmod(join(directory, 'systemd-notify'), 0o755);
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

const silent: ServiceManagerDeps['log'] = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** A span of time passes when the test says so; `waits` are the pauses that were asked for. */
function hands() {
  const waits: number[] = [];
  let pass: (() => void) | undefined;
  let asked = (): void => undefined;
  return {
    waits,
    clock: { ...systemClock, wait: async (ms: number, { signal }: { readonly signal: AbortSignal }) => {
      waits.push(ms);
      asked();
      await new Promise<void>((resolve, reject) => {
        pass = resolve;
        signal.addEventListener('abort', () => reject(new Error('over')), { once: true });
      });
    } },
    /** Ends the pause, and resolves when there is the next. */
    pass: async () => {
      const next = new Promise<void>((resolve) => (asked = resolve));
      pass?.();
      await next;
    },
  };
}

function managed({ lives = async () => {}, environment = {} }: { readonly lives?: () => Promise<void>; readonly environment?: Readonly<Record<string, string>> }, clock: ServiceManagerDeps['clock'] = systemClock) {
  return createServiceManager({ environment: { NOTIFY_SOCKET: '/run/notify', PATH: `${directory}:/usr/bin:/bin`, ...environment }, pid: 7, clock, log: silent, lives });
}

async function told(): Promise<string[]> {
  return (await readFile(join(directory, 'told'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
}

test('systemd hears that the daemon is ready, that it lives, and that it stops', async () => {
  const { waits, clock, pass } = hands();
  using manager = managed({ environment: { WATCHDOG_USEC: '180000000', WATCHDOG_PID: '7' } }, clock);
  await manager.ready();
  await pass();
  await pass();
  await manager.stopping();
  expect(await told()).toEqual(['/run/notify --ready', '/run/notify WATCHDOG=1', '/run/notify WATCHDOG=1', '/run/notify STOPPING=1']);
  expect(waits).toEqual([60_000, 60_000, 60_000]);
});

test('systemd does not hear that a daemon lives that does not do its work', async () => {
  const { clock, pass } = hands();
  let fails = true;
  using manager = managed({ lives: async () => { if (fails) throw new Error('the disk is gone'); await Promise.resolve(); }, environment: { WATCHDOG_USEC: '3000000' } }, clock);
  await manager.ready();
  await pass();
  expect(await told()).toEqual(['/run/notify --ready']);
  fails = false;
  await pass();
  expect(await told()).toEqual(['/run/notify --ready', '/run/notify WATCHDOG=1']);
});

test('a watch that is meant for another process is not kept', async () => {
  const { waits, clock } = hands();
  using manager = managed({ environment: { WATCHDOG_USEC: '3000000', WATCHDOG_PID: '8' } }, clock);
  await manager.ready();
  expect(waits).toEqual([]);
});

test('where systemd does not listen, or cannot be told, the daemon goes on', async () => {
  using alone = createServiceManager({ environment: { PATH: directory }, pid: 7, clock: systemClock, log: silent, lives: async () => {} });
  await alone.ready();
  expect(await told()).toEqual([]);
  using without = managed({ environment: { PATH: '/nowhere' } });
  await without.ready();
  await without.stopping();
});
