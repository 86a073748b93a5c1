// From a directory to a tree: walk, cut, hash, index. Streamed: memory holds one read buffer and what the index will say, never a file.
// Reading is synchronous in slices, which is several times faster than a promise for each file; between slices others get their turn.

import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { chunkLengths, isSingleChunk } from '../../../proto/chunker.ts';
import type { Digest } from '../../../proto/cid.ts';
import { defaultDeploySpec, type DeploySpec } from '../../../proto/deploy-spec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import { encodeRevision } from '../../../proto/revision-codec.ts';
import { chunkerProfile, type Revision } from '../../../proto/revision.ts';
import { createTreeBuilder, decodeTree, type TreeBuilder } from '../../../proto/tree-index.ts';
import { quoted } from '../../../proto/path.ts';
import type { ChunkRef, Tree } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { throwIfAborted } from '../failures.ts';
import { bufferBytes, cutFile, type CutFile } from './cut-file.ts';
import { createEntryPaths } from '../entry-paths.ts';
import { firstPlaces } from '../places.ts';
import { createProblems, readFailure, type Problems } from './problems.ts';
import { createFingerprint, encodeRemembered, totalsOf, type Fingerprint, type Remembered, type Stamp, type TreeTotals } from './remembered.ts';
import { callBytes, createSlices } from '../slices.ts';
import { fileMode, walk, type Found } from './walk.ts';

/** Bytes read between turns of the event loop, some 10 ms: an interrupt or a progress bar waits no longer. */
const sliceBytes = 4 * 1024 * 1024;

export interface IngestOptions {
  readonly signal: AbortSignal;
  /** Called between slices. `bytes` counts what was read so far. */
  readonly onProgress?: (progress: { readonly entries: number; readonly bytes: number }) => void;
  /** Names that differ only in case may stand side by side: only for trees that no case-blind file system will ever hold. */
  readonly caseSensitive?: boolean;
  /** What an earlier reading of this directory found, if any, and the machine's clock in milliseconds: then {@link Ingested.remembered} is there. */
  readonly memory?: { readonly remembered: Remembered | undefined; readonly now: () => number };
}

/** A directory as a tree, still lying where it was read. */
export interface Ingested {
  readonly tree: Tree;
  readonly totals: TreeTotals;
  readonly index: Uint8Array;
  /** sha2-256 of the index. */
  readonly digest: Digest;
  /** The index, cut by the same chunker. */
  readonly indexChunks: readonly ChunkRef[];
  /**
   * Reads a chunk again from where it was found, and checks it.
   * @throws {DaemonError} FILE_CHANGED when its file has other bytes now.
   */
  readChunk(ordinal: number): Promise<Uint8Array>;
  /** What to keep for the next reading; absent when it is kept already. */
  readonly remembered?: Uint8Array;
}

/**
 * Reads the tree under `directory`. Modes keep their bits within 0755; times and owners are left out.
 * @throws {DaemonError} UNREADABLE_FILE, FILE_CHANGED, UNSUPPORTED_FILE, INVALID_PATH, PATH_COLLISION or TREE_TOO_LARGE with every problem found, a line
 * each; ABORTED when the signal fires.
 */
export async function ingest(directory: string, options: IngestOptions): Promise<Ingested> {
  throwIfAborted(options.signal, `reading ${directory}`);
  const same = options.memory?.remembered;
  if (same?.fingerprint !== undefined && (await isUnchanged(directory, same, options))) return ingestedOf(directory, same.index, same.totals, () => decodeTree(same.index));
  const startedAt = options.memory?.now() ?? 0;
  const progress = createProgress(directory, options);
  const reading: Reading = {
    builder: createTreeBuilder({ caseSensitive: options.caseSensitive ?? false }),
    problems: createProblems(),
    buffer: new Uint8Array(bufferBytes),
    learned: options.memory === undefined ? undefined : { stamps: new Map(), fingerprint: createFingerprint(createHash('sha256')) },
    remembered: options.memory?.remembered,
    progress,
  };
  for (const found of walk(directory, options.caseSensitive ?? false, reading.problems)) {
    const adding = addEntry(reading, found);
    if (adding !== undefined) await adding;
    const pause = progress.entry();
    if (pause !== undefined) await pause;
  }
  reading.problems.throwIfAny();
  if (progress.entries() === 0) throw new DaemonError('UNREADABLE_FILE', `${directory} is empty; name a directory that holds what is to be published`);
  progress.tell();
  const { bytes: index, tree } = finish(reading.builder);
  const { learned } = reading;
  const totals = totalsOf(tree);
  const remembered = learned === undefined ? {} : { remembered: encodeRemembered({ tree, totals, index, stamps: learned.stamps, fingerprint: learned.fingerprint.digest(), startedAt }) };
  return ingestedOf(directory, index, totals, () => tree, remembered);
}

/** `decode` is asked for the tree when somebody needs more of it than its totals. */
function ingestedOf(directory: string, index: Uint8Array, totals: TreeTotals, decode: () => Tree, more: Pick<Ingested, 'remembered'> = {}): Ingested {
  let tree: Tree | undefined;
  let chunks: ((ordinal: number) => Promise<Uint8Array>) | undefined;
  return {
    get tree() {
      return (tree ??= decode());
    },
    totals,
    index,
    digest: hash('sha256', index),
    indexChunks: cutIndex(index),
    readChunk: async (ordinal) => await (chunks ??= reader(directory, (tree ??= decode())))(ordinal),
    ...more,
  };
}

/** Whether a walk finds what an earlier one found, down to inodes and times. It costs a call for each file, and reads none. */
async function isUnchanged(directory: string, { fingerprint, caseSensitive }: Remembered, options: IngestOptions): Promise<boolean> {
  if (caseSensitive !== (options.caseSensitive ?? false)) return false;
  const problems = createProblems();
  const found = createFingerprint(createHash('sha256'));
  const spend = createSlices(options.signal, `reading ${directory}`);
  for (const entry of walk(directory, caseSensitive, problems)) {
    const stamp = entry.kind === 'file' ? lstatSync(entry.absolute, { throwIfNoEntry: false }) : undefined;
    if (entry.kind === 'file' && stamp === undefined) return false;
    found.add(entry, stamp);
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
  }
  return problems.count() === 0 && found.digest() === fingerprint;
}

/** One reading under way. */
interface Reading {
  readonly builder: TreeBuilder;
  readonly problems: Problems;
  readonly buffer: Uint8Array;
  readonly learned: { readonly stamps: Map<string, Stamp>; readonly fingerprint: Fingerprint } | undefined;
  readonly remembered: Remembered | undefined;
  readonly progress: Progress;
}

/** Counts what was done, and lets others have their turn. */
interface Progress {
  entry(): Promise<void> | undefined;
  bytes(read: number): Promise<void> | undefined;
  entries(): number;
  tell(): void;
}

function createProgress(directory: string, { onProgress, signal }: IngestOptions): Progress {
  let [entries, bytes, slice] = [0, 0, 0];
  const tell = (): void => onProgress?.({ entries, bytes });
  const turn = async (): Promise<void> => {
    tell();
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal, `reading ${directory}`);
  };
  const spend = (work: number): Promise<void> | undefined => {
    slice += work;
    if (slice < sliceBytes) return undefined;
    slice = 0;
    return turn();
  };
  return {
    entry() {
      entries += 1;
      return spend(callBytes);
    },
    bytes(read) {
      bytes += read;
      return spend(read);
    },
    entries: () => entries,
    tell,
  };
}

/** The revision manifest of a tree: the document, its encoding, and the digest that names it. */
export function createRevision(app: string, ingested: Pick<Ingested, 'tree' | 'index' | 'digest' | 'indexChunks'> & Partial<Pick<Ingested, 'totals'>>, spec: DeploySpec = defaultDeploySpec) {
  const { index, digest, indexChunks } = ingested;
  const totals = ingested.totals ?? totalsOf(ingested.tree);
  const revision: Revision = {
    format: 'starling.revision/1',
    app,
    chunker: chunkerProfile,
    tree: digest,
    indexBytes: index.length,
    indexChunks,
    entries: totals.entries,
    chunks: totals.chunks,
    bytes: totals.bytes,
    spec,
  };
  const bytes = encodeRevision(revision);
  return { revision, bytes, digest: hash('sha256', bytes) } as const;
}

/** Adds what was found; a promise only where a file is large. */
function addEntry(reading: Reading, found: Found): Promise<void> | undefined {
  const { builder, learned, progress } = reading;
  if (found.kind !== 'file') {
    builder.add(found);
    learned?.fingerprint.add(found, undefined);
    return undefined;
  }
  const add = ({ stats, size, digest, chunks }: CutFile): void => {
    builder.add({ kind: 'file', path: found.path, mode: fileMode(stats.mode), size, digest, chunks });
    learned?.fingerprint.add(found, stats);
    learned?.stamps.set(found.path, stats);
  };
  const refuse = (cause: unknown): void => {
    if (cause instanceof DaemonError && cause.code === 'ABORTED') throw cause;
    if (cause instanceof ProtocolError) throw new DaemonError('TREE_TOO_LARGE', cause.message, { cause });
    const { code, message } = cause instanceof DaemonError ? cause : readFailure(found.path, cause);
    reading.problems.add(code, message);
  };
  try {
    const known = knownFile(reading, found.path, found.absolute);
    const file = known ?? cutFile(found.absolute, found.path, reading.buffer, (bytes) => progress.bytes(bytes));
    if (file instanceof Promise) return file.then(add).catch(refuse);
    add(file);
    return known === undefined ? progress.bytes(file.size) : undefined;
  } catch (cause) {
    refuse(cause);
    return undefined;
  }
}

/** What an earlier reading says of a file that is as it was then. */
function knownFile({ remembered }: Reading, path: string, absolute: string): CutFile | undefined {
  if (remembered === undefined) return undefined;
  const stats = lstatSync(absolute);
  const known = stats.isFile() ? remembered.file(path, stats) : undefined;
  return known === undefined ? undefined : { ...known, stats };
}

/** What is left to be wrong when every entry was accepted: that two of them collide. */
function finish(builder: TreeBuilder): { readonly bytes: Uint8Array; readonly tree: Tree } {
  try {
    return builder.finish();
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new DaemonError(cause.code === 'TOO_LARGE' ? 'TREE_TOO_LARGE' : 'PATH_COLLISION', cause.message, { cause });
  }
}

function cutIndex(index: Uint8Array): ChunkRef[] {
  let offset = 0;
  return (isSingleChunk(index.length) ? [index.length] : chunkLengths(index)).map((length) => {
    const chunk = index.subarray(offset, (offset += length));
    return { id: hash('sha256', chunk), length };
  });
}

function reader(directory: string, tree: Tree): (ordinal: number) => Promise<Uint8Array> {
  const places = firstPlaces(tree);
  const pathOf = createEntryPaths(tree);
  return async (ordinal) => {
    const { entry, offset } = places.of(ordinal);
    return readAgain(directory, pathOf(entry), offset, tree.chunk(ordinal));
  };
}

/** Without a handle for each chunk: there may be a million small files, and what a handle costs the collector is more than the reading. */
function readAgain(directory: string, path: string, offset: number, { id, length }: ChunkRef): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  try {
    const file = openSync(`${directory}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (fstatSync(file).isFile() && readSync(file, bytes, 0, length, offset) === length && hash('sha256', bytes) === id) return bytes;
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const { code, message } = readFailure(path, cause);
    throw new DaemonError(code, message, { cause });
  }
  throw new DaemonError('FILE_CHANGED', `${quoted(path)} changed after it was read: publish a directory that nobody writes to, and push again`);
}
