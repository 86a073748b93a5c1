// N-9, as far as there are slots: the place of what runs is never written, and what does not come up is given up after so many attempts,
// whatever happens in between. Slots here are the releases side by side; there are none of disks that a machine boots from.

import { readlinkSync } from 'node:fs';
import { join, sep } from 'node:path';
import { expect, test } from 'vitest';
import type { DeploySpec } from '../../../proto/deploy-spec.ts';
import type { Disk } from '../../../daemon/install/machine/disk.ts';
import { seeded } from '../../support/random.ts';
import { Crash, currentOf, deploy, gated, idOf, makeBed, notServing, orderOf, waiting } from './support.ts';

/** Each step is synced, and a disk may have much else to do. */
const timeout = 120_000;
const changing: ReadonlySet<string> = new Set(['makeDirectory', 'writeSynced', 'appendSynced', 'append', 'truncate', 'rotate', 'rename', 'symlink', 'remove']);

function runningIn(root: string): string | undefined {
  try {
    return join(root, readlinkSync(join(root, 'current')));
  } catch {
    return undefined;
  }
}

/** The disk, telling of each change at or below the release that runs at that moment. */
function watched(disk: Disk, root: string, written: string[]): Disk {
  return new Proxy(disk, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function' || !changing.has(String(name))) return value;
      return (...args: unknown[]): unknown => {
        const runs = runningIn(root);
        // What a link says is no place that is changed.
        const places = name === 'symlink' ? args.slice(1) : args;
        for (const place of places) if (runs !== undefined && typeof place === 'string' && `${place}${sep}`.startsWith(`${runs}${sep}`)) written.push(`${String(name)} ${place}`);
        return Reflect.apply(value, object, args);
      };
    },
  });
}

const spec: DeploySpec = { ...notServing, install: { layout: 'releases', keepReleases: 2, shared: { directories: ['logs'] } } };
const sick: DeploySpec = { ...spec, hooks: { healthCheck: [{ run: ['false'] }] } };

test('N-9 nothing that is installed, undone or taken up again writes in the release that runs, wherever the daemon died', { timeout }, async () => {
  const random = seeded(9);
  const written: string[] = [];
  await using bed = await makeBed({}, undefined);
  const switched = new Set<string>();
  let alive = 0;
  for (let round = 1; round <= 20; round += 1) {
    let left = random.chance(0.5) ? random.below(60) : Infinity;
    let dead = false;
    const tools = gated({
      before: () => {
        left -= 1;
        if (left >= 0) return;
        dead = true;
        throw new Crash('as the seed wants');
      },
      after: () => {},
      gone: () => dead,
    });
    const installer = bed.installer({ ...tools, disk: watched(tools.disk, bed.root, written) });
    try {
      await installer.recover(waiting);
      if (random.chance(0.25)) await installer.rollback({ ...orderOf(1 + random.below(round), { deployment: `back-${round}` }), seq: round }, waiting);
      else await deploy(installer, bed.root, round, { spec: random.chance(0.3) ? sick : spec });
      alive += 1;
      await installer.close();
    } catch (error) {
      if (!dead) throw error;
    }
    switched.add((await currentOf(bed.root)) ?? '');
  }
  expect(written).toEqual([]);
  // Else nothing was tried.
  expect(alive).toBeGreaterThan(5);
  expect(switched.size).toBeGreaterThan(3);
});

test('N-9 a release with which the machine dies at every start is given up after two more attempts, and the one before it runs', { timeout }, async () => {
  await using bed = await makeBed({}, undefined);
  {
    await using first = bed.installer();
    await first.recover(waiting);
    await deploy(first, bed.root, 1, { spec });
  }
  let starts = 0;
  for (; starts < 10; starts += 1) {
    let dead = false;
    const tools = gated({
      before: (effect) => {
        if (!effect.startsWith('run ') || runningIn(bed.root) !== join(bed.root, 'releases', idOf(2))) return;
        dead = true;
        throw new Crash('the machine dies');
      },
      after: () => {},
      gone: () => dead,
    });
    const installer = bed.installer(tools);
    try {
      await installer.recover(waiting);
      if (starts > 0) break;
      await deploy(installer, bed.root, 2, { spec: { ...spec, hooks: { postActivate: [{ run: ['true'] }] } } });
    } catch (error) {
      if (!dead) throw error;
    } finally {
      if (!dead) await installer.close();
    }
  }
  // The first start installed it; two more tried again; the one after them went back.
  expect([starts, await currentOf(bed.root)]).toEqual([3, idOf(1)]);
});
