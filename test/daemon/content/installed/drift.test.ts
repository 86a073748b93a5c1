// What is put back in an installed release, entry by entry, on a real disk. When it is looked for, and where bytes come from, is test/daemon/run/drift.test.ts.

import { hash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { drift } from '../../../../daemon/content/installed/drift.ts';
import { createTreeBuilder } from '../../../../proto/tree-index.ts';

const part = Buffer.from('part');
const spend = () => undefined;
/** Neither root nor anybody who owns a file here. */
const nobody = 65_534;

/** A directory, a file in it and a link beside it, as installed. */
async function release() {
  const root = await mkdtemp(join(tmpdir(), 'starling-restore-'));
  onTestFinished(async () => await rm(root, { recursive: true, force: true }));
  const builder = createTreeBuilder({ caseSensitive: false });
  builder.add({ kind: 'directory', path: 'lib', mode: 0o755 });
  builder.add({ kind: 'file', path: 'lib/part', mode: 0o644, size: part.length, digest: hash('sha256', part), chunks: [{ id: hash('sha256', part), length: part.length }] });
  builder.add({ kind: 'symlink', path: 'link', target: 'lib/part' });
  const { tree } = builder.finish();
  const directory = join(root, 'release');
  await mkdir(join(directory, 'lib'), { recursive: true });
  await chmod(join(directory, 'lib'), 0o755);
  await writeFile(join(directory, 'lib', 'part'), part);
  await chmod(join(directory, 'lib', 'part'), 0o644);
  await symlink('lib/part', join(directory, 'link'));
  const on = { tree, directory };
  const found = async (): Promise<string[]> => {
    const paths: string[] = [];
    for await (const position of drift.find(on, spend)) paths.push(tree.entry(position).path);
    return paths;
  };
  const restore = async (position: number, bytes: Uint8Array = part): Promise<boolean> => {
    const bring = async (ordinals: readonly number[], write: (ordinal: number, bytes: Uint8Array) => void): Promise<void> => await Promise.resolve(ordinals.forEach((ordinal) => write(ordinal, bytes)));
    return await drift.restore(on, position, { scratch: join(root, 'scratch'), aside: join(root, `aside-${position}`), bring, spend });
  };
  /** Puts back what is found as it is found, and gives the paths. */
  const restored = async (): Promise<string[]> => {
    const paths: string[] = [];
    for await (const position of drift.find(on, spend)) {
      await restore(position);
      paths.push(tree.entry(position).path);
    }
    return paths;
  };
  return { root, found, restore, restored, lib: join(directory, 'lib'), file: join(directory, 'lib', 'part'), link: join(directory, 'link') };
}

it.each(['file', 'link'])('a directory whose place a %s took is put back with what was in it, and what was in the place is kept', async (kind) => {
  const { root, lib, file, restored, found } = await release();
  await rename(lib, join(root, 'elsewhere'));
  if (kind === 'file') await writeFile(lib, 'by hand');
  // The same bytes lie behind it: the release has them no more for all that.
  else await symlink(join(root, 'elsewhere'), lib);
  expect(await restored()).toEqual(['lib', 'lib/part']);
  expect((await lstat(lib)).isDirectory()).toBe(true);
  expect(await readFile(file)).toEqual(part);
  expect(await found()).toEqual([]);
  expect((await lstat(join(root, 'aside-0'))).isDirectory()).toBe(false);
  expect(await readdir(join(root, 'elsewhere'))).toEqual(['part']);
});

it('a directory that is gone has its mode again whatever mask the daemon runs with, and one with another mode gets its own', async () => {
  const { lib, restored, found } = await release();
  const mask = process.umask(0o077);
  try {
    await rm(lib, { recursive: true });
    expect(await restored()).toEqual(['lib', 'lib/part']);
  } finally {
    process.umask(mask);
  }
  expect(await found()).toEqual([]);
  await chmod(lib, 0o777);
  expect(await restored()).toEqual(['lib']);
  expect((await lstat(lib)).mode & 0o7777).toBe(0o755);
});

it('nothing behind a directory that became a link is changed, not even a mode', async () => {
  const { root, lib, restore } = await release();
  await rename(lib, join(root, 'elsewhere'));
  await chmod(join(root, 'elsewhere', 'part'), 0o600);
  await symlink(join(root, 'elsewhere'), lib);
  // As when the directory itself could not be put back.
  await expect(restore(1)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('is no directory') });
  expect((await lstat(join(root, 'elsewhere', 'part'))).mode & 0o7777).toBe(0o600);
});

it('what does not hash to the file is not put into its place', async () => {
  const { file, restore } = await release();
  await writeFile(file, 'by hand');
  await expect(restore(1, Buffer.from('trap'))).rejects.toMatchObject({ code: 'CORRUPT_CHUNK' });
  expect(await readFile(file, 'utf8')).toBe('by hand');
});

it.runIf(process.getuid?.() === 0)('a file that the superuser put into the place is set aside although the daemon may make no second name for it', async () => {
  const { root, lib, file, restored, found } = await release();
  for (const path of [root, join(root, 'release'), lib, file]) await chown(path, nobody, nobody);
  await rm(file);
  await writeFile(file, 'as the superuser');
  process.seteuid?.(nobody);
  try {
    expect(await restored()).toEqual(['lib/part']);
  } finally {
    process.seteuid?.(0);
  }
  expect(await readFile(file)).toEqual(part);
  expect(await readFile(join(root, 'aside-1'), 'utf8')).toBe('as the superuser');
  expect(await found()).toEqual([]);
});
