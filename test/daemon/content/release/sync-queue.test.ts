// Syncing in the background, and work in slices: what each does when it cannot go on.

import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSlices } from '../../../../daemon/content/slices.ts';
import { createSyncQueue } from '../../../../daemon/content/release/sync-queue.ts';

it('a failed sync is told to everybody from then on, and is never tried again', async () => {
  const syncs = createSyncQueue();
  const file = openSync('/dev/null', 'r');
  closeSync(file);
  // The kernel refuses a descriptor that is closed: the same to the queue as a disk that fails.
  await syncs.add(file).catch(() => undefined);
  await expect(syncs.drained()).rejects.toMatchObject({ code: 'EBADF' });
  await expect(syncs.drained()).rejects.toMatchObject({ code: 'EBADF' });
  await syncs.settled();
});

it('syncs more than may wait at once, and closes every descriptor', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'starling-sync-'));
  try {
    const syncs = createSyncQueue();
    const files = Array.from({ length: 200 }, (_, at) => openSync(join(directory, String(at)), 'w'));
    for (const file of files) await syncs.add(file);
    await syncs.drained();
    for (const file of files) expect(() => closeSync(file)).toThrow('EBADF');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('has those wait that bring more than may wait, each until as many have gone as came too many', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'starling-sync-'));
  try {
    const syncs = createSyncQueue();
    const files = Array.from({ length: 200 }, (_, at) => openSync(join(directory, String(at)), 'w'));
    const woken: number[] = [];
    const adds = files.map(async (file, at) => {
      await syncs.add(file);
      woken.push(at);
    });
    await Promise.resolve();
    // Two are under way and 63 more wait.
    expect(woken).toEqual(files.slice(0, 65).map((_, at) => at));
    await Promise.all(adds);
    expect(woken).toEqual(files.map((_, at) => at));
    await syncs.drained();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('work in slices ends with our own error once it is aborted', async () => {
  const stop = new AbortController();
  const spend = createSlices(stop.signal, 'counting');
  expect(spend(1)).toBeUndefined();
  await spend(64 * 1024 * 1024);
  stop.abort();
  await expect(spend(64 * 1024 * 1024)).rejects.toMatchObject({ name: 'DaemonError', code: 'ABORTED', message: 'counting was interrupted' });
});
