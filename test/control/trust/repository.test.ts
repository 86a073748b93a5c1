// The repository on disk: generations that survive a SIGKILL at any moment, keys that are made once, and what is signed when.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openRepository } from '../../../control/trust/file-repository.ts';
import type { RoleEntry } from '../../../control/trust/repository.ts';
import { advance, advanceRoot, currentRole, startSet } from '../../../daemon/trust/tuf/trusted-set.ts';
import { codeOf, dayMs, hourMs, revisionOf, silent, temporaryDirectory } from '../../contract/trust-fixture.ts';

const start = Date.UTC(2026, 0, 1);
const web: RoleEntry = { revision: revisionOf('a'), bytes: 100, number: 1 };

async function open(dataDir: string, now: () => number = () => start, org = 'acme') {
  return await openRepository({ dataDir, org, now, log: silent });
}

describe('publish()', () => {
  test('counts a version up with each change, and not without one', async () => {
    const repository = await open(await temporaryDirectory());
    expect(await repository.publish('dev', { web })).toEqual({ version: 1 });
    const files = repository.files({}, 'all');
    expect(await repository.publish('dev', { web: { ...web } })).toEqual({ version: 1 });
    expect(repository.files({}, 'all')).toEqual(files);
    expect(await repository.publish('dev', { web: { ...web, number: 2 } })).toEqual({ version: 2 });
    expect(await repository.publish('dev', {})).toEqual({ version: 3 });
    expect(await repository.publish('prod', { web })).toEqual({ version: 1 });
    expect([repository.role('dev'), repository.role('prod')?.revisions, repository.role('none')]).toEqual([{ version: 3, revisions: {} }, { web }, undefined]);
  });

  test('queues calls that come at the same time', async () => {
    const repository = await open(await temporaryDirectory());
    const versions = await Promise.all(Array.from({ length: 8 }, async (_, index) => await repository.publish('dev', { web: { ...web, number: index + 1 } })));
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('carries on after a restart where it was', async () => {
    const directory = await temporaryDirectory();
    const before = await open(directory);
    await before.publish('dev', { web });
    const after = await open(directory);
    expect([after.rootDigest(), after.files({}, 'all'), after.role('dev')]).toEqual([before.rootDigest(), before.files({}, 'all'), before.role('dev')]);
    expect(await after.publish('dev', { web })).toEqual({ version: 1 });
  });

  test.each<[string, string, Readonly<Record<string, RoleEntry>>]>([
    ['an environment that is a path', '../dev', { web }],
    ['an application that is a path', 'dev', { '../web': web }],
    ['an application named __proto__', 'dev', JSON.parse(`{"__proto__":${JSON.stringify(web)}}`)],
    ['a revision that is no digest', 'dev', { web: { ...web, revision: 'latest' } }],
    ['a manifest longer than members read', 'dev', { web: { ...web, bytes: 10_000_000 } }],
    ['number 0', 'dev', { web: { ...web, number: 0 } }],
    ['501 applications', 'dev', Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`app-${index}`, web]))],
  ])('refuses %s', async (_what, environment, revisions) => {
    const repository = await open(await temporaryDirectory());
    expect(await codeOf(() => repository.publish(environment, revisions))).toBe('SIGNING_FAILED');
    expect(repository.role(environment)).toBeUndefined();
  });

  test('fits 500 applications with the longest names into what members read', async () => {
    const repository = await open(await temporaryDirectory());
    const environment = 'e'.repeat(64);
    const apps = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`${'a'.repeat(61)}${String(index).padStart(3, '0')}`, web]));
    await repository.publish(environment, apps);
    const set = advance(startSet('1.root.json', repository.rootFile()), repository.files({}, 'all'), start);
    expect(currentRole(set, environment)?.revisions.size).toBe(500);
  });

  test('changes nothing when the disk refuses, and carries on when it no longer does', async () => {
    const directory = await temporaryDirectory();
    const repository = await open(directory);
    await repository.publish('dev', { web });
    const before = repository.files({}, 'all');
    await rm(join(directory, 'trust'), { recursive: true });
    expect(await codeOf(() => repository.publish('dev', { web: { ...web, number: 2 } }))).toBe('STORAGE_FAILED');
    expect(repository.files({}, 'all')).toEqual(before);
    await mkdir(join(directory, 'trust'));
    expect(await repository.publish('dev', { web: { ...web, number: 2 } })).toEqual({ version: 2 });
  });
});

describe('refresh()', () => {
  test('signs the timestamp every ten minutes, and the rest after half its life', async () => {
    let now = start;
    const repository = await open(await temporaryDirectory(), () => now);
    await repository.publish('dev', { web });
    expect(await repository.refresh()).toEqual([]);
    now += 10 * 60_000;
    expect(await repository.refresh()).toEqual(['timestamp']);
    expect(await repository.refresh()).toEqual([]);
    now = start + 15 * dayMs;
    expect(await repository.refresh()).toEqual(['env-dev', 'snapshot', 'timestamp']);
    now = start + 183 * dayMs;
    expect(await repository.refresh()).toEqual(['root', 'targets', 'env-dev', 'snapshot', 'timestamp']);
    expect(repository.role('dev')).toEqual({ version: 3, revisions: { web } });
    const files = repository.files({}, 'all');
    const set = advance(advanceRoot(startSet('1.root.json', repository.rootFile()), '2.root.json', files['2.root.json'] ?? ''), files, now);
    expect(currentRole(set, 'dev')?.file.version).toBe(3);
  });
});

describe('files()', () => {
  test('gives what is newer, of the environments asked for', async () => {
    let now = start;
    const repository = await open(await temporaryDirectory(), () => now);
    await repository.publish('dev', { web });
    await repository.publish('prod', { web });
    const names = (newerThan: Readonly<Record<string, number>>, environments: readonly string[] | 'all') => Object.keys(repository.files(newerThan, environments)).toSorted();
    expect(names({}, ['dev'])).toEqual(['1.root.json', 'env-dev.json', 'snapshot.json', 'targets.json', 'timestamp.json', 'trust/keys.json']);
    expect(names({ root: 1, timestamp: 3, snapshot: 3, targets: 3 }, 'all')).toEqual(['env-dev.json', 'env-prod.json']);
    expect(names({ root: 1, timestamp: 3, snapshot: 3, targets: 3, 'env-dev': 1 }, ['dev', 'none'])).toEqual([]);
    now += hourMs;
    await repository.refresh();
    expect(names({ root: 1, timestamp: 3, snapshot: 3, targets: 3, 'env-dev': 1 }, ['dev'])).toEqual(['timestamp.json']);
    // A member ahead of a repository restored from a backup is not sent what it would refuse, again and again.
    expect(names({ root: 9, timestamp: 9, snapshot: 9, targets: 9, 'env-dev': 9 }, ['dev'])).toEqual([]);
  });
});

describe('keys', () => {
  test('are made once, and only their owner may read them', async () => {
    const directory = await temporaryDirectory();
    await (await open(directory)).publish('dev', { web });
    const names = (await readdir(join(directory, 'keys'))).toSorted();
    expect(names).toEqual(['README', 'env-dev.pem', 'membership.pem', 'orders.pem', 'root.pem', 'snapshot.pem', 'targets.pem', 'timestamp.pem']);
    const before = await Promise.all(names.map(async (name) => await readFile(join(directory, 'keys', name), 'utf8')));
    for (const name of names) expect((await stat(join(directory, 'keys', name))).mode & 0o777).toBe(0o600);
    await open(directory);
    expect(await Promise.all(names.map(async (name) => await readFile(join(directory, 'keys', name), 'utf8')))).toEqual(before);
    expect(new Set(before).size).toBe(names.length);
  });

  test.each(['root', 'timestamp', 'env-dev'])('that are not those of the files keep it from starting: %s', async (name) => {
    const directory = await temporaryDirectory();
    await (await open(directory)).publish('dev', { web });
    await rm(join(directory, `keys/${name}.pem`));
    await expect(open(directory)).rejects.toThrow(`${name}.pem in ${join(directory, 'keys')} is not the key that the trust repository names: restore it from a backup`);
  });

  test('that are damaged keep it from starting', async () => {
    const directory = await temporaryDirectory();
    await open(directory);
    await writeFile(join(directory, 'keys/root.pem'), 'not a key');
    expect(await codeOf(() => open(directory))).toBe('CONFIG_INVALID');
  });

  test('say in the root that they are development keys', async () => {
    const repository = await open(await temporaryDirectory());
    expect(JSON.parse(repository.rootFile()).signed.development_keys).toBe(true);
  });
});

test('a damaged generation, or one of another organisation, keeps it from starting', async () => {
  const directory = await temporaryDirectory();
  await (await open(directory)).publish('dev', { web });
  expect(await codeOf(() => open(directory, undefined, 'other'))).toBe('CONFIG_INVALID');
  const path = join(directory, 'trust/generation.json');
  const text = await readFile(path, 'utf8');
  for (const damaged of ['', text.slice(0, -10), text.replace(revisionOf('a'), revisionOf('b')), '{}']) {
    await writeFile(path, damaged);
    expect(await codeOf(() => open(directory))).toBe('STORAGE_FAILED');
  }
});

describe('SIGKILL', () => {
  const publisher = fileURLToPath(new URL('publisher.ts', import.meta.url));

  async function killAfter(directory: string, acknowledged: number): Promise<number> {
    const child = spawn(process.execPath, [publisher, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    let last = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      last = Number(line);
      if (last >= acknowledged) child.kill('SIGKILL');
    }
    await ended;
    return last;
  }

  test('between any two writes leaves the last acknowledged generation or the one after it', { timeout: 60_000 }, async () => {
    const directory = await temporaryDirectory();
    let root: string | undefined;
    for (let round = 1; round <= 8; round += 1) {
      const acknowledged = await killAfter(directory, round * 7);
      const repository = await open(directory);
      root ??= repository.rootDigest();
      expect(repository.rootDigest()).toBe(root);
      expect([acknowledged, acknowledged + 1]).toContain(repository.role('dev')?.version);
      const set = advance(startSet('1.root.json', repository.rootFile()), repository.files({}, 'all'), start);
      expect(currentRole(set, 'dev')?.file.version).toBe(repository.role('dev')?.version);
    }
  });

  test('before the first generation leaves keys that the next start uses', async () => {
    const directory = await temporaryDirectory();
    await open(directory);
    const key = await readFile(join(directory, 'keys/root.pem'), 'utf8');
    await rm(join(directory, 'trust/generation.json'));
    await rm(join(directory, 'keys/orders.pem'));
    await (await open(directory)).publish('dev', { web });
    expect(await readFile(join(directory, 'keys/root.pem'), 'utf8')).toBe(key);
  });

  test('in the middle of a draft leaves a draft that nobody reads', async () => {
    const directory = await temporaryDirectory();
    const before = await open(directory);
    await before.publish('dev', { web });
    await writeFile(join(directory, 'trust/generation.json.tmp'), '{"format":');
    await writeFile(join(directory, 'keys/env-prod.pem.0.tmp'), '-----BEGIN');
    const after = await open(directory);
    expect(after.files({}, 'all')).toEqual(before.files({}, 'all'));
    expect(await after.publish('prod', { web })).toEqual({ version: 1 });
  });
});
