// Unchanged files of the release before, taken over whole: by a hard link, a clone or a copy. Every one is hashed before it is taken, so what
// rotted or was changed in the old release does not come into the new one.

import { closeSync, constants, copyFileSync, fstatSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { comparePaths } from '../../../proto/path.ts';
import type { FileEntry, Tree } from '../../../proto/tree.ts';
import type { Spend } from '../slices.ts';
import { holds, openRegular } from './staged-files.ts';
import type { LinkMode, TreeOnDisk } from '../store.ts';
import { systemCode } from '../failures.ts';

/** Why a file system does not make a hard link that it could not make later either. */
const noLinkCodes: ReadonlySet<string | undefined> = new Set(['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);
/** What says that the old file is not there as it was installed. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EACCES', 'EIO']);

/** Positions in `tree` of the files that `previous` has at the same path with the same bytes. Looks at each entry of both once. */
export function unchangedFiles(tree: Tree, { tree: old, except = [] }: TreeOnDisk): Set<number> {
  const found = new Set<number>();
  let at = 0;
  for (let position = 0; position < tree.entryCount; position += 1) {
    const entry = tree.entry(position);
    if (entry.kind !== 'file' || entry.size === 0) continue;
    while (at < old.entryCount && comparePaths(old.path(at), entry.path) < 0) at += 1;
    if (at >= old.entryCount) break;
    const other = old.entry(at);
    if (other.kind !== 'file' || other.path !== entry.path || other.digest !== entry.digest) continue;
    if (!except.some((path) => entry.path === path || entry.path.startsWith(`${path}/`))) found.add(position);
  }
  return found;
}

/** How a file came over: a link shares the old file, which is synced and must never be written; a copy is a new one. */
export type Taken = 'linked' | 'copied' | undefined;

/** Takes files of one release. */
export interface Reuse {
  /** `undefined` when the old file is not what it was. `to` must not exist. @throws system errors of the new file. */
  take(entry: FileEntry, to: string): Promise<Taken>;
}

/** From `previous`, by the given kind of link. */
export function createReuse({ directory }: TreeOnDisk, links: LinkMode, spend: Spend): Reuse {
  const real = new Map<string, boolean>();
  /** Whether a path leads through directories alone: what lies behind a link, such as shared data, is not part of the release. */
  const within = (path: string): boolean => {
    const parent = dirname(path);
    if (parent === '.') return true;
    const known = real.get(parent);
    if (known !== undefined) return known;
    const is = within(parent) && lstatSync(`${directory}/${parent}`, { throwIfNoEntry: false })?.isDirectory() === true;
    real.set(parent, is);
    return is;
  };
  let linkable = links === 'auto' || links === 'hardlink';

  return {
    async take(entry, to) {
      if (!within(entry.path)) return undefined;
      const from = `${directory}/${entry.path}`;
      const file = attempt(() => openRegular(from));
      if (file === undefined) return undefined;
      try {
        if (!(await holds(file, entry, spend))) return undefined;
        const { dev, ino, mode } = fstatSync(file);
        // A link shares its mode too; and what its owner may write is not safe to share.
        if (linkable && (mode & 0o7777) === entry.mode) {
          const linked = link(from, to);
          if (linked === 'impossible') linkable = false;
          else if (linked === 'gone') return undefined;
          else {
            const made = lstatSync(to);
            if (made.dev === dev && made.ino === ino) return 'linked';
            unlinkSync(to);
            return undefined;
          }
        }
        const clone = links === 'copy' ? 0 : constants.COPYFILE_FICLONE;
        copyFileSync(from, to, constants.COPYFILE_EXCL | clone);
        return 'copied';
      } finally {
        closeSync(file);
      }
    },
  };
}

function link(from: string, to: string): 'linked' | 'impossible' | 'gone' {
  try {
    linkSync(from, to);
    return 'linked';
  } catch (cause) {
    if (noLinkCodes.has(systemCode(cause))) return 'impossible';
    if (goneCodes.has(systemCode(cause))) return 'gone';
    throw cause;
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return undefined;
    throw cause;
  }
}
