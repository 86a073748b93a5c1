// Where everything of one application lies under its root, and the few changes to it that count (agent.md, section 1.1).
// When to make them is activation.ts.

import { basename, dirname, join, relative } from 'node:path';
import { checkPath } from '../../proto/path.ts';
import type { DeploySpec } from '../../proto/deploy-spec.ts';
import { isReleaseId, type ReleaseId } from '../core/release/activate.ts';
import { DaemonError } from '../errors.ts';
import { type Disk, makeDirectories, replaceLink } from './machine/disk.ts';

/** Paths under one root, all absolute. */
export interface Layout {
  readonly root: string;
  readonly releases: string;
  readonly current: string;
  readonly shared: string;
  readonly state: string;
  readonly journal: string;
  readonly stable: string;
  readonly previous: string;
  readonly bad: string;
  readonly records: string;
  /** What instances of the application write. */
  readonly instanceLog: string;
}

export function layout(root: string): Layout {
  const state = join(root, '.state');
  return {
    root,
    releases: join(root, 'releases'),
    current: join(root, 'current'),
    shared: join(root, 'shared'),
    state,
    journal: join(state, 'journal.jsonl'),
    stable: join(state, 'stable'),
    previous: join(state, 'previous'),
    bad: join(state, 'bad'),
    records: join(state, 'releases'),
    instanceLog: join(state, 'app.log'),
  };
}

/** Who runs a release may be another user than who installs it: that one finds its way in `shared`, and has no business in our own books. */
const modes = { shared: 0o711, state: 0o700 } as const;

/** Creates what is missing. The root's own parent must be there. */
export async function prepare(disk: Disk, at: Layout): Promise<void> {
  await makeDirectories(disk, dirname(at.root), at.root);
  await makeDirectories(disk, at.root, at.releases);
  await makeDirectories(disk, at.root, at.shared, modes.shared);
  await makeDirectories(disk, at.root, at.state, modes.state);
  for (const directory of [at.bad, at.records]) await makeDirectories(disk, at.state, directory);
}

/** Where `current`, `stable` or `previous` points: a release's id, nothing, or something that is not a release of this root. */
export async function pointed(disk: Disk, at: Layout, link: string): Promise<ReleaseId | 'nothing' | 'foreign'> {
  const target = await disk.readLink(link);
  if (target === undefined) return (await disk.kind(link)) === undefined ? 'nothing' : 'foreign';
  const id = basename(target);
  return isReleaseId(id) && join(dirname(link), target) === join(at.releases, id) ? id : 'foreign';
}

/**
 * Points a link of this root at a release in one durable step.
 * @throws {DaemonError} ACTIVATION_FAILED when a directory or a file is in its place: that is a layout made by hand.
 */
export async function point(disk: Disk, at: Layout, link: string, release: ReleaseId): Promise<void> {
  await requireLink(disk, link);
  const temporary = join(dirname(link), `.${basename(link)}.next`);
  await replaceLink(disk, relative(dirname(link), join(at.releases, release)), link, temporary);
}

/** @throws {DaemonError} ACTIVATION_FAILED when something that is not a link has the place of one. */
export async function requireLink(disk: Disk, link: string): Promise<void> {
  const kind = await disk.kind(link);
  if (kind === undefined || kind === 'link') return;
  throw new DaemonError(
    'ACTIVATION_FAILED',
    `${link} is a ${kind}, expected a symbolic link: move it away (its content belongs under releases/ or shared/) and deploy again`,
  );
}

/** Removes a link durably; nothing when absent. */
export async function unlink(disk: Disk, link: string): Promise<void> {
  await disk.remove(link);
  await disk.syncDirectory(dirname(link));
}

/**
 * Removes a release. Renamed first: a crash amid the removal must not leave half a release under the name of a whole one.
 */
export async function removeRelease(disk: Disk, at: Layout, release: ReleaseId): Promise<void> {
  const gone = join(at.releases, `${release}.gone`);
  await disk.remove(gone);
  await disk.rename(join(at.releases, release), gone);
  await disk.syncDirectory(at.releases);
  await disk.remove(gone);
  await disk.remove(join(at.records, `${release}.json`));
  await disk.remove(join(at.bad, release));
}

/**
 * Removes what a crash left half-done: releases being removed, links being replaced, and staging directories but the one
 * that changed last, which the next fetch may take up again.
 */
export async function sweep(disk: Disk, at: Layout): Promise<void> {
  const names = await disk.list(at.releases);
  for (const name of names.filter((each) => each.endsWith('.gone'))) await disk.remove(join(at.releases, name));
  const staging = names.filter((each) => each.endsWith('.tmp')).map((each) => join(at.releases, each));
  const dated = await Promise.all(staging.map(async (path) => ({ path, modified: await disk.modified(path) })));
  for (const { path } of dated.toSorted((a, b) => b.modified - a.modified).slice(1)) await disk.remove(path);
  for (const link of [at.current, at.stable, at.previous]) await disk.remove(join(dirname(link), `.${basename(link)}.next`));
}

/**
 * Replaces the shared paths of a staged release by links into `shared/`, creating shared directories on first use. A shared
 * file that is not there yet is linked all the same: the application, or a person, creates it through the link.
 * @throws {DaemonError} INVALID_PATH when a path leaves the release or leads through a symbolic link of it.
 */
export async function linkShared(disk: Disk, at: Layout, staged: string, release: ReleaseId, spec: DeploySpec): Promise<void> {
  const { directories = [], files = [] } = spec.install.shared ?? {};
  for (const path of [...directories, ...files]) {
    await refuseDetour(disk, staged, path);
    const target = join(at.shared, path);
    await makeDirectories(disk, at.shared, directories.includes(path) ? target : dirname(target));
    const link = join(staged, path);
    // Relative to where the release will lie, which is beside where it is staged.
    const wanted = relative(dirname(join(at.releases, release, path)), target);
    if ((await disk.readLink(link)) === wanted) continue;
    await makeDirectories(disk, staged, dirname(link));
    await disk.remove(link);
    await disk.symlink(wanted, link);
    await disk.syncDirectory(dirname(link));
  }
}

async function refuseDetour(disk: Disk, staged: string, path: string): Promise<void> {
  try {
    checkPath(path);
  } catch (error) {
    throw new DaemonError('INVALID_PATH', `shared path ${JSON.stringify(path)}: expected a path inside the release`, { cause: error });
  }
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    const kind = await disk.kind(join(staged, parent));
    if (kind !== undefined && kind !== 'directory') {
      throw new DaemonError('INVALID_PATH', `shared path ${JSON.stringify(path)} leads through ${parent}, which is a ${kind}, expected a directory`);
    }
  }
}
