// The daemon dies at every side effect of an installation, before and after it, and at a sample of those of the recovery
// that follows: each time the next daemon must end with one whole release, running and answering (agent.md, 1.3; faults 1, 10).

import { existsSync, rmSync } from 'node:fs';
import { cp, lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeploySpec } from '../../../proto/deploy-spec.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import type { Installer } from '../../../daemon/install/installer.ts';
import {
  type Bed, Crash, currentOf, deploy, gated, get, idOf, makeBed, notServing, running, serving, stagingDirectories, under, waiting,
} from './support.ts';

/** Stops everything at effect `at`: before it happens, or after it has. */
function crashingAt(at: number, when: 'before' | 'after') {
  const seen: string[] = [];
  let dead = false;
  const strike = (now: 'before' | 'after') => {
    if (seen.length === at && when === now) {
      dead = true;
      throw new Crash(`at effect ${at}`);
    }
  };
  const tools = gated({
    before: (effect) => {
      seen.push(effect);
      // Removing a tree takes time: a crash before its end has removed some of it.
      const part = join(effect.slice('remove '.length), 'VERSION');
      if (seen.length === at && when === 'before' && effect.startsWith('remove ') && existsSync(part)) rmSync(part);
      strike('before');
    },
    after: () => {
      strike('after');
    },
    gone: () => dead,
  });
  return { tools, seen, dead: () => dead };
}

/** Fails effect `at` once with an error of the system; everything else goes on. */
function failingAt(at: number, code: 'STORAGE_FAILED' | 'NO_SPACE') {
  let count = 0;
  return gated({
    before: (effect) => {
      count += 1;
      if (count === at) throw new DaemonError(code, `${effect} failed as the test wants`);
    },
    after: () => {},
    gone: () => false,
  });
}

async function swallowed(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch {
    // What a daemon does that dies here is looked at from the next one.
  }
}

async function expectWhole(bed: Bed, installer: Installer, allowed: readonly number[]): Promise<void> {
  const current = await currentOf(bed.root);
  const ids = allowed.map(idOf);
  expect(ids).toContain(current);
  // Whole: every file, and all of one revision.
  const directory = join(bed.root, 'current');
  expect((await readdir(directory)).filter((name) => name !== 'logs').toSorted()).toEqual(['STATUS', 'VERSION', 'server.cjs']);
  expect(idOf(Number(await readFile(join(directory, 'VERSION'), 'utf8')))).toBe(current);
  expect(await readlink(join(directory, 'logs'))).toBe('../../shared/logs');
  expect((await stagingDirectories(bed.root)).length).toBeLessThanOrEqual(1);
  const [status] = await installer.status();
  for (const release of status?.releases ?? []) expect(await readdir(release.directory)).toEqual(expect.arrayContaining(['STATUS', 'VERSION', 'server.cjs']));
  const names = await readdir(join(bed.root, '.state'));
  for (const link of ['stable', 'previous'].filter((name) => names.includes(name))) {
    expect((await lstat(join(bed.root, '.state', link, 'VERSION'))).isFile()).toBe(true);
  }
  const numbers = installer.pendingReports().map(({ deployment, reportNo }) => `${deployment} ${reportNo}`);
  expect(new Set(numbers).size).toBe(numbers.length);
}

async function expectServing(bed: Bed, installer: Installer): Promise<void> {
  const current = await currentOf(bed.root);
  expect(running(bed.root)).toEqual([current]);
  const [status] = await installer.status();
  expect(status?.current).toMatchObject({ id: current, healthy: true });
  expect(idOf(Number(await get(status?.port ?? 0)))).toBe(current);
}

const shared: DeploySpec['install'] = { layout: 'releases', shared: { directories: ['logs'] }, keepReleases: 2 };
const pass = [{ run: ['true'] }];
const quick: DeploySpec = {
  ...notServing,
  install: shared,
  hooks: { preInstall: pass, postInstall: pass, preActivate: pass, postActivate: pass, healthCheck: pass, postCommit: pass, cleanup: pass },
};
const sick: DeploySpec = { ...quick, hooks: { ...quick.hooks, healthCheck: [{ run: ['false'] }], preRollback: pass, postRollback: pass } };
const served: DeploySpec = { ...serving, install: shared };

let template: Bed;
beforeAll(async () => {
  template = await makeBed({}, undefined);
  await using first = template.installer();
  await first.recover(waiting);
  for (const number of [1, 2]) await deploy(first, template.root, number, { spec: quick });
});
afterAll(async () => {
  await template[Symbol.asyncDispose]();
});

/** Releases 1 and 2 are installed, so that a commit of the third has one to remove. */
async function prepared(): Promise<Bed> {
  const bed = await makeBed({}, undefined);
  await cp(template.directory, bed.directory, { recursive: true, verbatimSymlinks: true });
  return bed;
}

/** A daemon that starts and installs release 3 until it dies. */
async function dieInstalling(bed: Bed, spec: DeploySpec, { tools, dead }: ReturnType<typeof crashingAt>): Promise<boolean> {
  const dying = bed.installer(tools);
  await swallowed(dying.recover(waiting).then(async () => await deploy(dying, bed.root, 3, { spec })));
  return dead();
}

async function effectsOf(spec: DeploySpec): Promise<readonly string[]> {
  await using bed = await prepared();
  const counting = crashingAt(0, 'before');
  await dieInstalling(bed, spec, counting);
  return counting.seen;
}

describe('a crash', () => {
  it.each([
    ['an installation', quick, [2, 3]],
    ['an installation that is rolled back', sick, [2]],
  ] as const)('at any effect of %s leaves the old or the new release, whole', { timeout: 240_000 }, async (_name, spec, allowed) => {
    const effects = await effectsOf(spec);
    expect(effects.length).toBeGreaterThan(40);
    for (const when of ['before', 'after'] as const) {
      for (const [index, name] of effects.entries()) {
        const effect = `${when} effect ${index + 1}: ${name}`;
        await under(effect, async () => {
          await using bed = await prepared();
          expect(await dieInstalling(bed, spec, crashingAt(index + 1, when))).toBe(true);
          await using next = bed.installer();
          await next.recover(waiting);
          await expectWhole(bed, next, allowed);
          const previous = (await currentOf(bed.root)) === idOf(3) ? 2 : 1;
          expect((await next.status())[0]?.previous).toBe(idOf(previous));
          expect(await deploy(next, bed.root, 4, { spec: quick })).toEqual({ kind: 'committed' });
          // The one that a fetch may take up, at most; nothing half removed.
          const left = await stagingDirectories(bed.root);
          expect(left.filter((name) => name !== `${idOf(3)}.tmp`)).toEqual([]);
        });
      }
    }
  });

  it.each([
    ['an installation', quick, [2, 3]],
    ['a rollback', sick, [2]],
  ] as const)('and another one in the recovery from it leave a whole release (%s, a sample of pairs of effects)', { timeout: 240_000 }, async (_name, spec, allowed) => {
    const effects = await effectsOf(spec);
    for (let first = 10; first <= effects.length; first += 5) {
      for (let second = 1 + (first % 4), died = true; died; second += 4) {
        const effect = `after effect ${first}: ${effects[first - 1] ?? ''}, then effect ${second} of the recovery`;
        await under(effect, async () => {
          await using bed = await prepared();
          await dieInstalling(bed, spec, crashingAt(first, 'after'));
          const again = crashingAt(second, second % 2 === 0 ? 'before' : 'after');
          await swallowed(bed.installer(again.tools).recover(waiting));
          died = again.dead();
          await using next = bed.installer();
          await next.recover(waiting);
          await expectWhole(bed, next, allowed);
        });
      }
    }
  });

  it('at any effect leaves exactly the current release running and answering', { timeout: 240_000 }, async () => {
    await using bed = await makeBed({ onStop: 'leave' });
    const first = bed.installer();
    await first.recover(waiting);
    await deploy(first, bed.root, 1, { spec: served });
    await first.close();
    let old = 1;
    // One chain of upgrades: each one crashes one effect later than the one before it, until one gets through.
    for (let at = 1, died = true; died; at += 1) {
      const next = old + 1;
      const { tools, seen, dead } = crashingAt(at, at % 2 === 0 ? 'before' : 'after');
      const crashing = bed.installer(tools);
      await swallowed(crashing.recover(waiting).then(async () => await deploy(crashing, bed.root, next, { spec: served })));
      died = dead();
      if (!died) await crashing.close();
      const recovered = bed.installer();
      await recovered.recover(waiting);
      const effect = `effect ${at}: ${seen.at(-1) ?? ''}`;
      await under(effect, async () => {
        await expectWhole(bed, recovered, [old, next]);
        await expectServing(bed, recovered);
      });
      for (const { deployment, reportNo } of recovered.pendingReports()) await recovered.acknowledged(deployment, reportNo);
      await recovered.close();
      old = next;
      if ((await currentOf(bed.root)) !== idOf(next)) {
        const finishing = bed.installer();
        await finishing.recover(waiting);
        await deploy(finishing, bed.root, next, { spec: served });
        await finishing.close();
      }
    }
  });
});

describe('a failing disk', () => {
  it('at any effect gives an outcome or one clear error, and after recovery a whole release', { timeout: 120_000 }, async () => {
    const effects = await effectsOf(quick);
    for (let at = 1; at <= effects.length; at += 1) {
      await using bed = await prepared();
      const installer = bed.installer(failingAt(at, at % 2 === 0 ? 'STORAGE_FAILED' : 'NO_SPACE'));
      const effect = `effect ${at}: ${effects[at - 1] ?? ''}`;
      await under(effect, async () => {
        try {
          await installer.recover(waiting);
          await deploy(installer, bed.root, 3, { spec: quick });
        } catch (error) {
          expect(error).toBeInstanceOf(DaemonError);
        }
        // The same daemon goes on: the fault was there once.
        await installer.recover(waiting);
        await expectWhole(bed, installer, [2, 3]);
        expect(await deploy(installer, bed.root, 4, { spec: quick })).toEqual({ kind: 'committed' });
      });
    }
  });
});
