// Orders that must not begin again with the daemon, on a real disk.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFinishedOrders } from '../../../daemon/trust/finished-orders.ts';

async function pathOf(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-finished-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  return join(directory, 'orders-finished.json');
}

it('what applications end at the same time is all there after a restart', async () => {
  const path = await pathOf();
  const finished = await openFinishedOrders(path);
  const orders = Array.from({ length: 40 }, (_, at) => ({ environment: 'prod', app: `app-${at}`, seq: at + 1 }));
  await Promise.all(orders.map(async (order) => await finished.add(order)));
  const again = await openFinishedOrders(path);
  expect(orders.map((order) => again.seqOf(order))).toEqual(orders.map(({ seq }) => seq));
});

it('a file that cannot be read is as good as none, and one that cannot be written fails that order alone', async () => {
  const path = await pathOf();
  await writeFile(path, '{"prod/web": 7');
  const finished = await openFinishedOrders(path);
  expect(finished.seqOf({ environment: 'prod', app: 'web' })).toBe(0);
  await rm(join(path, '..'), { recursive: true });
  await expect(finished.add({ environment: 'prod', app: 'web', seq: 8 })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await expect(finished.add({ environment: 'prod', app: 'web', seq: 9 })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
});
