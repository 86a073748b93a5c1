// The installed trees as a chunk source. An index of 8-byte identifier prefixes says where a chunk should be; what is read is hashed
// before it is given out, so a file that somebody changed is noticed (drift), never passed on. A file that this process wrote itself, of verified bytes, and
// that nothing has touched since needs no hash: after a restart it does.

import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readv, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import type { Digest } from '../../../proto/cid.ts';
import type { Tree } from '../../../proto/tree.ts';
import { throwIfAborted, storageFailure, systemCode } from '../failures.ts';
import { createEntryPaths } from '../entry-paths.ts';
import { firstPlaces, type FirstPlaces } from '../places.ts';
import type { InstalledTrees, Seals } from '../store.ts';

const readFile = promisify(readv);

interface Installed {
  readonly tree: Tree;
  readonly directory: string;
  readonly places: FirstPlaces;
  /** Identifier prefixes, ascending, and the ordinal of each. */
  readonly prefixes: BigUint64Array;
  readonly ordinals: Uint32Array;
  /** Entries whose file is not what it was. */
  readonly drifted: Set<number>;
  readonly seals: Seals | undefined;
  readonly pathOf: (entry: number) => string;
}

/** `onDrift` is told the absolute path of each file that was found changed, once. */
export function createInstalledTrees(onDrift: (path: string) => void): InstalledTrees {
  const trees = new Map<string, Installed>();

  const find = (id: Digest): { readonly installed: Installed; readonly ordinal: number } | undefined => {
    for (const installed of trees.values()) {
      const ordinal = ordinalOf(installed, id);
      if (ordinal !== undefined && !installed.drifted.has(installed.places.of(ordinal).entry)) return { installed, ordinal };
    }
    return undefined;
  };

  return {
    async add(tree, directory, { except, seals } = {}) {
      await Promise.resolve();
      trees.set(directory, { tree, directory, places: firstPlaces(tree), ...sortedPrefixes(tree), drifted: replaced(tree, except ?? []), seals, pathOf: createEntryPaths(tree) });
    },
    remove(directory) {
      trees.delete(directory);
    },
    mended(directory, position) {
      trees.get(directory)?.drifted.delete(position);
    },
    has: async (ids) => await Promise.resolve(ids.map((id) => find(id) !== undefined)),
    async get(id, { signal, into }) {
      // Each round either returns or rules one file out, so this ends.
      for (let found = find(id); found !== undefined; found = find(id)) {
        throwIfAborted(signal, 'reading a chunk');
        const { installed, ordinal } = found;
        const { entry, offset } = installed.places.of(ordinal);
        const path = `${installed.directory}/${installed.pathOf(entry)}`;
        const length = installed.tree.chunkLength(ordinal);
        const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafe(length);
        const done = await readAt(path, offset, [bytes], (stats) => installed.seals?.isAsSealed(entry, stats) === true);
        if (done === 'sealed' || (done === 'read' && hash('sha256', bytes) === id)) return bytes;
        installed.drifted.add(entry);
        // A release that has just been removed is not drift.
        if (trees.has(installed.directory)) onDrift(path);
      }
      return undefined;
    },
    async getRun(ids, places, { signal }) {
      throwIfAborted(signal, 'reading chunks');
      const [first] = ids;
      const found = first === undefined ? undefined : find(first);
      if (found === undefined) return 0;
      const { installed, ordinal } = found;
      const { entry, offset } = installed.places.of(ordinal);
      const count = countBehind(installed, ordinal, ids);
      const path = `${installed.directory}/${installed.pathOf(entry)}`;
      const taken = places.slice(0, count);
      const done = await readAt(path, offset, taken, (stats) => installed.seals?.isAsSealed(entry, stats) === true);
      // What is wrong with a file is found out when the first of them is read by itself.
      return done === 'sealed' || (done === 'read' && taken.every((place, at) => hash('sha256', place) === ids[at])) ? count : 0;
    },
  };
}

/** Chunks of `ids` that lie in one file, each where the one before it ends; the first of them is `ordinal`. */
function countBehind({ tree, places }: Installed, ordinal: number, ids: readonly Digest[]): number {
  const { entry, offset } = places.of(ordinal);
  let end = offset;
  for (const [at, id] of ids.entries()) {
    if (ordinal + at >= tree.chunkCount) return at;
    const chunk = tree.chunk(ordinal + at);
    const place = places.of(ordinal + at);
    if (chunk.id !== id || place.entry !== entry || place.offset !== end) return at;
    end += chunk.length;
  }
  return ids.length;
}

/** Entries at or under a path that holds something else by now. */
function replaced(tree: Tree, except: readonly string[]): Set<number> {
  const entries = new Set<number>();
  if (except.length === 0) return entries;
  for (let position = 0; position < tree.entryCount; position += 1) {
    const { path } = tree.entry(position);
    if (except.some((other) => path === other || path.startsWith(`${other}/`))) entries.add(position);
  }
  return entries;
}

function sortedPrefixes(tree: Tree): { readonly prefixes: BigUint64Array; readonly ordinals: Uint32Array } {
  const byOrdinal = new BigUint64Array(tree.chunkCount);
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) byOrdinal[ordinal] = prefixOf(tree.chunk(ordinal).id);
  const at = (ordinal: number): bigint => byOrdinal[ordinal] ?? 0n;
  const ordinals = Uint32Array.from(byOrdinal.keys()).sort((a, b) => (at(a) < at(b) ? -1 : 1));
  return { ordinals, prefixes: BigUint64Array.from(ordinals, at) };
}

function prefixOf(id: Digest): bigint {
  return BigInt(`0x${id.slice(0, 16)}`);
}

function ordinalOf({ tree, prefixes, ordinals }: Installed, id: Digest): number | undefined {
  const wanted = prefixOf(id);
  let low = 0;
  let high = prefixes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((prefixes[middle] ?? 0n) < wanted) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < prefixes.length && prefixes[at] === wanted; at += 1) {
    const ordinal = ordinals[at];
    if (ordinal !== undefined && tree.chunk(ordinal).id === id) return ordinal;
  }
  return undefined;
}

/** What these say of a path is that it is no longer the file that was installed. Of any other failure the file is innocent. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ESPIPE']);

/**
 * Reads what follows one another in a file into places; 'sealed' when the file has not changed since it was sealed. `undefined` when it is not there or too
 * short: to the caller the same as other bytes. @throws {DaemonError} STORAGE_FAILED.
 */
async function readAt(path: string, offset: number, places: readonly Uint8Array[], isAsSealed: (stats: Stats) => boolean): Promise<'sealed' | 'read' | undefined> {
  try {
    // Without O_NONBLOCK a named pipe in the file's place would hold the reader for ever. Opening is done at once, since handing it to a thread and back costs
    // ten times as much; reading is what can take long.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { bytesRead } = await readFile(file, places, offset);
      if (bytesRead !== places.reduce((sum, { length }) => sum + length, 0)) return undefined;
      // Looked at after the bytes were read: what changes later does not change them.
      return isAsSealed(fstatSync(file)) ? 'sealed' : 'read';
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return undefined;
    throw storageFailure(`cannot read ${path}`, cause);
  }
}
