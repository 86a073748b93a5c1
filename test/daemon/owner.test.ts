// Whose a data directory is: one living daemon's at a time, and nobody's after it was given back or its owner died.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownDataDirectory } from '../../daemon/daemon-owner.ts';
import type { ProcessIdentity } from '../../daemon/install/processes.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-owner-'));
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

/** Process `pid` on a machine on which `living` live. */
function as(pid: number, living: readonly number[]) {
  return { self: (): ProcessIdentity => ({ pid, startTime: `${pid}00` }), alive: (one: ProcessIdentity) => living.includes(one.pid) && one.startTime === `${one.pid}00` };
}

test('a second daemon is refused while the first lives, and told which process that is', async () => {
  await ownDataDirectory(directory, as(1, [1, 2]));
  await expect(ownDataDirectory(directory, as(2, [1, 2]))).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', message: expect.stringContaining('process 1: stop that one') });
});

test('what a killed daemon left is taken over, though another process has its number by now', async () => {
  await ownDataDirectory(directory, as(1, [1, 2]));
  await ownDataDirectory(directory, as(2, [2]));
  await writeFile(join(directory, 'owner.json'), '{"pid":1,"startTime":"99"}');
  await ownDataDirectory(directory, as(2, [1, 2]));
  await writeFile(join(directory, 'owner.json'), '{"pid":');
  await ownDataDirectory(directory, as(3, [1, 2, 3]));
});

test('a daemon that stopped leaves nothing behind', async () => {
  const owned = await ownDataDirectory(directory, as(1, [1]));
  await owned[Symbol.asyncDispose]();
  expect(await readdir(directory)).toEqual([]);
});
