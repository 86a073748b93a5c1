// From a directory to a tree: walk, cut, hash, index. Streamed: memory holds one read buffer and what the index will say, never a file.
// Reading is synchronous in slices, which is several times faster than a promise for each file; between slices others get their turn.

import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { chunkLengths, isSingleChunk } from '../../proto/chunker.ts';
import type { Digest } from '../../proto/cid.ts';
import { defaultDeploySpec, type DeploySpec } from '../../proto/deploy-spec.ts';
import { ProtocolError } from '../../proto/errors.ts';
import { encodeRevision } from '../../proto/revision-codec.ts';
import { chunkerProfile, type Revision } from '../../proto/revision.ts';
import { createTreeBuilder, type TreeBuilder } from '../../proto/tree-index.ts';
import { quoted } from '../../proto/path.ts';
import type { ChunkRef, Tree } from '../../proto/tree.ts';
import { DaemonError } from '../errors.ts';
import { throwIfAborted } from './abort.ts';
import { bufferBytes, cutFile, type CutFile } from './cut-file.ts';
import { firstPlaces } from './places.ts';
import { createProblems, readFailure, type Problems } from './problems.ts';
import { fileMode, walk, type Found } from './walk.ts';

/** Bytes read between turns of the event loop, some 10 ms: an interrupt or a progress bar waits no longer. */
const sliceBytes = 4 * 1024 * 1024;
/** What looking at an entry costs, in bytes that could have been read instead. */
const entryBytes = 32 * 1024;

export interface IngestOptions {
  readonly signal: AbortSignal;
  /** Called between slices. `bytes` counts what was read so far. */
  readonly onProgress?: (progress: { readonly entries: number; readonly bytes: number }) => void;
  /** Names that differ only in case may stand side by side: only for trees that no case-blind file system will ever hold. */
  readonly caseSensitive?: boolean;
}

/** A directory as a tree, still lying where it was read. */
export interface Ingested {
  readonly tree: Tree;
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
}

/**
 * Reads the tree under `directory`. Modes keep their bits within 0755; times and owners are left out.
 * @throws {DaemonError} UNREADABLE_FILE, FILE_CHANGED, UNSUPPORTED_FILE, INVALID_PATH, PATH_COLLISION or TREE_TOO_LARGE with every problem found, a line
 * each; ABORTED when the signal fires.
 */
export async function ingest(directory: string, options: IngestOptions): Promise<Ingested> {
  const problems = createProblems();
  const builder = createTreeBuilder({ caseSensitive: options.caseSensitive ?? false });
  const buffer = new Uint8Array(bufferBytes);
  let entries = 0;
  let bytes = 0;
  let slice = 0;
  const spend = (work: number): Promise<void> | undefined => {
    slice += work;
    if (slice < sliceBytes) return undefined;
    slice = 0;
    return turn();
  };
  const turn = async (): Promise<void> => {
    options.onProgress?.({ entries, bytes });
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(options.signal, `reading ${directory}`);
  };
  const onBytes = (read: number): Promise<void> | undefined => {
    bytes += read;
    return spend(read);
  };
  throwIfAborted(options.signal, `reading ${directory}`);
  for (const found of walk(directory, options.caseSensitive ?? false, problems)) {
    const adding = addEntry(builder, found, buffer, problems, onBytes);
    if (adding !== undefined) await adding;
    entries += 1;
    const pause = spend(entryBytes);
    if (pause !== undefined) await pause;
  }
  problems.throwIfAny();
  if (entries === 0) throw new DaemonError('UNREADABLE_FILE', `${directory} is empty; name a directory that holds what is to be published`);
  options.onProgress?.({ entries, bytes });
  const { bytes: index, tree } = finish(builder);
  return { tree, index, digest: hash('sha256', index), indexChunks: cutIndex(index), readChunk: reader(directory, tree) };
}

/** The revision manifest of a tree: the document, its encoding, and the digest that names it. */
export function createRevision(app: string, ingested: Pick<Ingested, 'tree' | 'index' | 'digest' | 'indexChunks'>, spec: DeploySpec = defaultDeploySpec) {
  const { tree, index, digest, indexChunks } = ingested;
  const revision: Revision = {
    format: 'starling.revision/1',
    app,
    chunker: chunkerProfile,
    tree: digest,
    indexBytes: index.length,
    indexChunks,
    entries: tree.entryCount,
    chunks: tree.chunkCount,
    bytes: tree.bytes,
    spec,
  };
  const bytes = encodeRevision(revision);
  return { revision, bytes, digest: hash('sha256', bytes) } as const;
}

/** Adds what was found; a promise only where a file is large. */
function addEntry(builder: TreeBuilder, found: Found, buffer: Uint8Array, problems: Problems, onBytes: (bytes: number) => Promise<void> | undefined): Promise<void> | undefined {
  if (found.kind === 'directory' || found.kind === 'symlink') {
    builder.add(found);
    return undefined;
  }
  const add = ({ stats, ...content }: CutFile): void => builder.add({ kind: 'file', path: found.path, mode: fileMode(stats.mode), ...content });
  const refuse = (cause: unknown): void => {
    if (cause instanceof DaemonError && cause.code === 'ABORTED') throw cause;
    if (cause instanceof ProtocolError) throw new DaemonError('TREE_TOO_LARGE', cause.message, { cause });
    const { code, message } = cause instanceof DaemonError ? cause : readFailure(found.path, cause);
    problems.add(code, message);
  };
  try {
    const file = cutFile(found.absolute, found.path, buffer, onBytes);
    if (file instanceof Promise) return file.then(add).catch(refuse);
    add(file);
    return onBytes(file.size);
  } catch (cause) {
    refuse(cause);
    return undefined;
  }
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
  return async (ordinal) => {
    const { entry, offset } = places.of(ordinal);
    return await readAgain(directory, tree.entry(entry).path, offset, tree.chunk(ordinal));
  };
}

async function readAgain(directory: string, path: string, offset: number, { id, length }: ChunkRef): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  try {
    const file = await open(`${directory}/${path}`, 'r');
    try {
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead === length && hash('sha256', bytes) === id) return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    const { code, message } = readFailure(path, cause);
    throw new DaemonError(code, message, { cause });
  }
  throw new DaemonError('FILE_CHANGED', `${quoted(path)} changed after it was read: publish a directory that nobody writes to, and push again`);
}
