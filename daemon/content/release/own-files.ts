// The files of a release under construction that this process writes: a few of them stay open, since a large file gets many chunks. What they hold was
// verified before it was written, so a file that is whole is not read again (the digest of a file of several chunks was compared with its bytes by the
// proxy, when it was pushed); that nobody else wrote into it afterwards, what stat says of it tells.
// Which chunk goes where is decided in materialize.ts, how one file is written and read is in staged-files.ts.

import { closeSync, fchmodSync, fstatSync } from 'node:fs';
import { quoted } from '../../../proto/path.ts';
import type { Tree } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { createEntryPaths } from '../entry-paths.ts';
import { createFile, openRegular, openToWrite, writeAt } from './staged-files.ts';
import type { Seals } from '../store.ts';
import type { SyncQueue } from './sync-queue.ts';

/** Kept open at most, the one written last: chunks come from several neighbours, each in a run of its own. */
const openMax = 16;
/** Of a file that was sealed: its inode and its time of change. */
const columns = 2;

/** The files of one release. Positions are those of its tree. */
export interface OwnFiles extends Seals {
  /** The file's path in the tree. */
  name(position: number): string;
  /** Where a file lies. */
  path(position: number): string;
  /** Makes a file that was not there. @throws system errors. */
  make(position: number): void;
  /** Writes verified bytes into a file that is there. @throws system errors. */
  write(position: number, bytes: Uint8Array, offset: number): void;
  /**
   * Ends the writing of a file of which every chunk is in place, verified by us: gives it its mode and hands it over to be synced.
   * @throws {DaemonError} CORRUPT_CHUNK when it is not as long as the tree says; system errors.
   */
  seal(position: number, syncs: SyncQueue): Promise<void>;
  /** Closes what is open. */
  close(): void;
}

/** None of them open. */
export function createOwnFiles(tree: Tree, directory: string): OwnFiles {
  /** Least recently used first. */
  const open = new Map<number, number>();
  /** Of files that are not whole: making an entry of a large file is dear, and it gets many writes. */
  const paths = new Map<number, string>();
  const stamps = new Float64Array(tree.entryCount * columns);

  const path = (position: number): string => {
    const known = paths.get(position) ?? `${directory}/${tree.path(position)}`;
    paths.set(position, known);
    return known;
  };
  const take = (position: number): number | undefined => {
    const file = open.get(position);
    open.delete(position);
    return file;
  };
  const keep = (position: number, file: number): void => {
    open.set(position, file);
    if (open.size <= openMax) return;
    for (const [oldest, other] of open) {
      open.delete(oldest);
      closeSync(other);
      return;
    }
  };
  return {
    name: createEntryPaths(tree),
    path,
    make: (position) => keep(position, createFile(path(position))),
    write(position, bytes, offset) {
      const file = take(position) ?? openToWrite(path(position));
      keep(position, file);
      writeAt(file, bytes, offset);
    },
    async seal(position, syncs) {
      const entry = tree.entry(position);
      if (entry.kind !== 'file') return;
      const file = take(position) ?? openRegular(path(position));
      paths.delete(position);
      if (file === undefined) throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} is no regular file any more in the release under construction`);
      let handedOver = false;
      try {
        const { size } = fstatSync(file);
        if (size !== entry.size) throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} has ${size} bytes with all of its chunks in place, the tree says ${entry.size}: something else works in that directory`);
        fchmodSync(file, entry.mode);
        const { ino, ctimeMs } = fstatSync(file);
        stamps.set([ino, ctimeMs], position * columns);
        handedOver = true;
      } finally {
        if (!handedOver) closeSync(file);
      }
      await syncs.add(file);
    },
    isAsSealed(position, { ino, ctimeMs }) {
      const known = stamps[position * columns];
      return known === undefined || known === 0 ? undefined : known === ino && stamps[position * columns + 1] === ctimeMs;
    },
    close() {
      for (const file of open.values()) closeSync(file);
      open.clear();
    },
  };
}
