// Whose a data directory is: one living daemon's at a time, and nobody's after it was given back or its owner died.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownDataDirectory } from '../../daemon/daemon-owner.ts';
import { systemDisk, type Disk } from '../../daemon/install/machine/disk.ts';
import { leaveDirectory, takeDirectory } from '../../daemon/install/machine/owner.ts';
import type { ProcessIdentity } from '../../daemon/install/machine/processes.ts';
import { seeded, type Random } from '../support/random.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-owner-'));
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

/** Process `pid` on a machine on which `living` live. */
function as(pid: number, living: readonly number[]) {
  return { self: (): ProcessIdentity => ({ pid, startTime: `${pid}00` }), alive: (one: ProcessIdentity) => living.includes(one.pid) && one.startTime === `${one.pid}00` };
}

/** A disk on which one step is made at a time, by whoever chance says: all interleavings, in the end. */
function createTurnTaking(random: Random) {
  const waiting: (() => void)[] = [];
  let isDue = false;
  const next = (): void => {
    isDue = false;
    waiting.splice(random.below(waiting.length), 1)[0]?.();
  };
  const turn = async <Result>(step: () => Promise<Result>): Promise<Result> => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (!isDue) setImmediate(next);
      isDue = true;
    });
    try {
      return await step();
    } finally {
      if (waiting.length > 0 && !isDue) {
        isDue = true;
        setImmediate(next);
      }
    }
  };
  const disk = (under: Disk): Disk => ({
    ...under,
    writeSynced: async (path, text) => await turn(async () => await under.writeSynced(path, text)),
    list: async (path) => await turn(async () => await under.list(path)),
    remove: async (path) => await turn(async () => await under.remove(path)),
  });
  return { disk };
}

test('a second daemon is refused while the first lives, and told which process that is', async () => {
  await ownDataDirectory(directory, as(1, [1, 2]));
  await expect(ownDataDirectory(directory, as(2, [1, 2]))).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', message: expect.stringContaining('process 1: stop that one') });
});

test('what a killed daemon left is taken over, though another process has its number by now', async () => {
  await ownDataDirectory(directory, as(1, [1, 2]));
  await ownDataDirectory(directory, as(2, [2]));
  expect(await readdir(directory)).toEqual(['owner.2.200']);
  await writeFile(join(directory, 'owner.3.99'), '');
  await ownDataDirectory(directory, as(2, [2, 3]));
});

test('of those that start in one instant at most one goes on, wherever each of them is when the others come', async () => {
  const living = [1, 2, 3];
  for (const seed of Array.from({ length: 200 }, (_, at) => at)) {
    const random = seeded(seed);
    const turns = createTurnTaking(random);
    const disk = turns.disk(systemDisk);
    // A dead one came before them, whom each may find.
    await writeFile(join(directory, `owner.9.${seed}`), '');
    const taken = await Promise.all(living.map(async (pid) => (await takeDirectory(disk, directory, as(pid, living))) === undefined));
    expect(taken.filter(Boolean).length, `seed ${seed}`).toBeLessThanOrEqual(1);
    for (const pid of living) await leaveDirectory(systemDisk, directory, as(pid, living));
  }
});

test('one that leaves is followed by one that waits, never by two', async () => {
  await takeDirectory(systemDisk, directory, as(1, [1, 2, 3]));
  expect(await takeDirectory(systemDisk, directory, as(2, [1, 2, 3]))).toMatchObject({ pid: 1 });
  expect(await readdir(directory)).toEqual(['owner.1.100']);
  await leaveDirectory(systemDisk, directory, as(1, []));
  expect(await takeDirectory(systemDisk, directory, as(2, [2, 3]))).toBeUndefined();
  expect(await takeDirectory(systemDisk, directory, as(3, [2, 3]))).toMatchObject({ pid: 2 });
});

test('a daemon that stopped leaves nothing behind', async () => {
  const owned = await ownDataDirectory(directory, as(1, [1]));
  await owned[Symbol.asyncDispose]();
  expect(await readdir(directory)).toEqual([]);
});

test('the mark of one that had our number before us goes: in a container every daemon has the same', async () => {
  await writeFile(join(directory, 'owner.1.7'), '');
  expect(await takeDirectory(systemDisk, directory, as(1, [1]))).toBeUndefined();
  expect(await readdir(directory)).toEqual(['owner.1.100']);
});
