// Logs of steps as files: each byte once, and bounded altogether.

import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { WorkLogs, type LogKey } from '../../../control/work/logs.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-logs-'));
  onTestFinished(async () => await rm(directory, { recursive: true }));
});

const of = (what: string, part = 'test'): LogKey => ({ what, part, attempt: 1 });

test('what a full disk took of an append is there once when the append is repeated', async () => {
  const logs = await WorkLogs.open(directory);
  await logs.append(of('run-1'), 0, 'abc');
  await appendFile(join(directory, 'run-1/test.1.log'), 'de');
  expect(await logs.append(of('run-1'), 3, 'defgh')).toBe(8);
  expect(await logs.read(of('run-1'), 0)).toEqual({ text: 'abcdefgh', next: 8, atEnd: true });
});

test('an append that is repeated changes nothing, and one that leaves a hole is refused', async () => {
  const logs = await WorkLogs.open(directory);
  await logs.append(of('run-1'), 0, 'abc');
  expect(await logs.append(of('run-1'), 1, 'bcd')).toBe(4);
  await expect(logs.append(of('run-1'), 9, 'x')).rejects.toMatchObject({ code: 'CONFLICT' });
  const again = await WorkLogs.open(directory);
  expect(await again.append(of('run-1'), 0, 'abcde')).toBe(5);
  expect((await again.read(of('run-1'), 0))?.text).toBe('abcde');
});

test('the oldest logs go when there are too many bytes, and with its last log the directory of a run', async () => {
  const logs = await WorkLogs.open(directory, 8);
  await logs.append(of('run-1'), 0, 'abcd');
  await logs.append(of('run-1', 'soak'), 0, 'e');
  await logs.append(of('run-2'), 0, 'fgh');
  expect((await readdir(directory)).toSorted()).toEqual(['run-1', 'run-2']);
  await logs.append(of('run-2'), 3, 'i');
  expect(await readdir(join(directory, 'run-1'))).toEqual(['soak.1.log']);
  await logs.append(of('run-3'), 0, 'jkl');
  await logs.append(of('run-3'), 3, 'm');
  expect((await readdir(directory)).toSorted()).toEqual(['run-2', 'run-3']);
  expect(await logs.read(of('run-1'), 0)).toBeUndefined();
});

test('a disk that refuses is an error that says what to look at', async () => {
  const logs = await WorkLogs.open(directory);
  await writeFile(join(directory, 'run-1'), '');
  await expect(logs.append(of('run-1'), 0, 'abc')).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('is the disk of the data directory full?') });
});
