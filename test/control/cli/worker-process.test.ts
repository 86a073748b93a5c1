// A command of a step, as a real process: it ends when it ends, whatever it leaves behind.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { kill } from 'node:process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../../control/clock.ts';
import { runCommand } from '../../../control/cli/worker/process.ts';

/** Seconds pass in milliseconds. */
const hasty: Clock = { ...systemClock, wait: async (ms, options) => await systemClock.wait(ms / 100, options) };

it('a program that left the group and holds the output open holds up no worker', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'starling-worker-process-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  const { signal } = new AbortController();
  const ended = await runCommand({
    command: 'setsid sleep 600 & echo $! > left', directory, environment: { PATH: '/usr/bin:/bin' },
    timeoutMs: 60_000_000, onOutput: () => undefined, signal, clock: hasty, kill,
  });
  const left = Number(await readFile(join(directory, 'left'), 'utf8'));
  onTestFinished(() => void kill(left, 'SIGKILL'));
  expect(ended).toEqual({ kind: 'exited', code: 0 });
});
