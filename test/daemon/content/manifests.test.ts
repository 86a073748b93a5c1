// Kept manifests: whole or not there, also when two keep the same one at once.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { openManifests } from '../../../daemon/content/manifests.ts';
import { buildRevision } from '../../support/revisions.ts';

const revision = buildRevision('web', { program: 'one' });
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-manifests-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
});

test('a manifest that several keep at once is kept, for each of them', async () => {
  const manifests = await openManifests(directory);
  const manifest = manifests.assemble(revision.digest, revision.manifest, revision.index);
  await Promise.all(Array.from({ length: 8 }, async () => await manifests.keep(manifest)));
  await manifests.keep(manifest);
  expect(await manifests.list()).toEqual([revision.digest]);
  expect((await manifests.get(revision.digest))?.tree.entryCount).toBe(revision.tree.entryCount);
  expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('one whose files are not what they were is not there', async () => {
  const manifests = await openManifests(directory);
  await manifests.keep(manifests.assemble(revision.digest, revision.manifest, revision.index));
  await writeFile(join(directory, `${revision.digest}.index`), revision.index.slice(1));
  expect(await manifests.get(revision.digest)).toBeUndefined();
});

test('the encoded manifest is given without a look at its index, and only when it hashes to its digest', async () => {
  const manifests = await openManifests(directory);
  expect(await manifests.bytes(revision.digest)).toBeUndefined();
  await manifests.keep(manifests.assemble(revision.digest, revision.manifest, revision.index));
  await rm(join(directory, `${revision.digest}.index`));
  expect(Buffer.from((await manifests.bytes(revision.digest)) ?? []).equals(revision.manifest)).toBe(true);
  await writeFile(join(directory, `${revision.digest}.manifest`), revision.manifest.slice(1));
  expect(await manifests.bytes(revision.digest)).toBeUndefined();
});

test('a disk that refuses keeps nothing, and the next try is one of its own', async () => {
  const manifests = await openManifests(directory);
  const manifest = manifests.assemble(revision.digest, revision.manifest, revision.index);
  await rm(directory, { recursive: true });
  await expect(manifests.keep(manifest)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  const again = await openManifests(directory);
  await manifests.keep(manifest);
  expect(await again.list()).toEqual([revision.digest]);
});
