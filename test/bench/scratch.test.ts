// What benchmarks leave behind: theirs goes when they are dead, and nothing else does.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ownerHere } from '../../bench/lab/lab.ts';
import { clearScratch } from '../../bench/scratch.ts';

test.runIf(process.platform === 'linux')('clearScratch() ends and removes what a dead benchmark left, and leaves that of a living one and of others', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'scratch-test-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  const { pid, startedAt } = ownerHere();
  // Our own process id, of a process that started at another time.
  const [dead, living, other] = [`starling-bench-${pid}-${startedAt + 1}-p9-a`, `starling-bench-${pid}-${startedAt}-p9-b`, 'starling-bench-c'].map((name) => join(parent, name));
  for (const directory of [dead, living, other]) {
    mkdirSync(join(directory ?? '', 'member'), { recursive: true });
    writeFileSync(join(directory ?? '', 'member', 'file'), '');
  }
  const member = spawn('sleep', ['600'], { cwd: join(dead ?? '', 'member') });
  const ended = once(member, 'exit');
  await once(member, 'spawn');
  clearScratch([parent]);
  await ended;
  expect(member.signalCode).toBe('SIGKILL');
  expect([dead, living, other].map((directory) => existsSync(directory ?? ''))).toEqual([false, true, true]);
});
