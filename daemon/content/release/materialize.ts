// Builds a release from a tree: unchanged files from the release before, chunks that this machine has, and whatever is written into it. Each
// file is given its mode and synced when its last chunk is in; links are made last. There is no journal of progress: what
// an earlier attempt left is hashed, which says more than any record of it could.

import { hash } from 'node:crypto';
import { chmodSync, closeSync, fstatSync, rmSync } from 'node:fs';
import { createBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import { quoted } from '../../../proto/path.ts';
import type { FileEntry, Tree } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { throwIfAborted, storageFailure } from '../failures.ts';
import { audit, createDirectories, makeLinks, type Directories } from './audit.ts';
import { createOwnFiles, type OwnFiles } from './own-files.ts';
import { createPlacement, type Placement } from './placement.ts';
import { createRecentMemory, type RecentChunks } from './recent-chunks.ts';
import { createReuse, unchangedFiles, type Reuse } from './reuse.ts';
import { checkSpace, hasLeftovers, keepFitting, makeDirectories, type Leftover } from './resume.ts';
import { callBytes, createSlices, type Spend } from '../slices.ts';
import { holdsAt, openRegular, readAt } from './staged-files.ts';
import type { ChunkSource, Materialize, MaterializeOptions, ReadOptions, ReleaseBuild, Seals } from '../store.ts';
import { createSyncQueue } from './sync-queue.ts';

/** Chunks asked of the local source in one question. */
const questionIdsMax = 4096;

/** {@link Materialize} on this machine's disk. */
export const materialize: Materialize = async (options) => {
  const release = new Release(options);
  try {
    await release.begin(options);
    return release;
  } catch (cause) {
    await release.end();
    throw release.failure(cause);
  }
};

class Release implements ReleaseBuild {
  readonly #tree: Tree;
  readonly #directory: string;
  /** Where it is now. */
  #home: string;
  readonly #placement: Placement;
  /** Files that are there, whole or not, by entry. */
  readonly #made: Uint8Array;
  readonly #syncs = createSyncQueue();
  readonly #directories: Directories;
  readonly #recent: RecentChunks;
  readonly #files: OwnFiles;
  #spend: Spend;
  /** Whether the directory is ours to remove, and whether what is in it is of no use: the disk is full or failed, or the tree lied. */
  #begun = false;
  #spoilt = false;
  #over = false;

  constructor({ tree, directory, recent = createRecentMemory(), signal }: MaterializeOptions) {
    this.#tree = tree;
    this.#directory = directory;
    this.#home = directory;
    this.#placement = createPlacement(tree);
    this.#made = new Uint8Array(tree.entryCount);
    this.#recent = recent.open();
    this.#files = createOwnFiles(tree, directory);
    this.#spend = createSlices(signal, `building ${directory}`);
    this.#directories = createDirectories(directory, tree, this.#syncs);
  }

  async begin({ local, previous, links, signal }: MaterializeOptions): Promise<void> {
    throwIfAborted(signal, `building ${this.#directory}`);
    const resumes = hasLeftovers(this.#directory);
    this.#begun = true;
    const leftovers = resumes ? await keepFitting(this.#directory, this.#tree, this.#spend) : [];
    const unchanged = previous === undefined ? new Set<number>() : unchangedFiles(this.#tree, previous);
    await checkSpace(this.#directory, this.#tree, leftovers, links === 'auto' || links === 'hardlink' ? unchanged : new Set());
    await makeDirectories(this.#directory, this.#tree, this.#spend);
    for (const leftover of leftovers) await this.#takeUp(leftover);
    if (previous !== undefined) await this.#takeUnchanged(unchanged, createReuse(previous, links, this.#spend));
    // A chunk that is in one file of the release may be lacking in another.
    if (this.#made.includes(1)) await this.#fill(async (_, ordinal) => await this.#read(ordinal));
    await this.#makeEmptyFiles();
    await this.#fill(async (id) => await local.get(id, { signal }), local);
    await this.#directories.settle((position) => this.#made[position] === 0);
  }

  held(): Bitmap {
    const copy = createBitmap(this.#tree.chunkCount);
    for (const { from, to } of this.#placement.held.ranges()) copy.setRange(from, to);
    return copy;
  }

  async write(ordinal: number, bytes: Uint8Array, placed?: () => void): Promise<void> {
    this.#checkUsable();
    const { id, length } = this.#tree.chunk(ordinal);
    if (bytes.length !== length) throw new DaemonError('CORRUPT_CHUNK', `chunk ${id} has ${length} bytes, not ${bytes.length}`);
    try {
      await this.#place(ordinal, bytes, () => {
        this.#recent.add(ordinal, bytes);
        placed?.();
      });
    } catch (cause) {
      throw this.failure(cause);
    }
  }

  async read(ordinal: number, { signal, into }: ReadOptions): Promise<Uint8Array | undefined> {
    throwIfAborted(signal, 'reading a chunk');
    try {
      return this.#recent.get(ordinal, into) ?? (await this.#read(ordinal, into));
    } catch (cause) {
      throw storageFailure(`cannot read chunk ${ordinal} in ${this.#directory}`, cause);
    }
  }

  async readRun(ordinals: readonly number[], places: readonly Uint8Array[], { signal }: { readonly signal: AbortSignal }): Promise<number> {
    throwIfAborted(signal, 'reading chunks');
    return await Promise.resolve(this.#recent.getRun(ordinals, places));
  }

  async finish({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.#checkUsable();
    throwIfAborted(signal, `finishing ${this.#directory}`);
    const { held } = this.#placement;
    if (!held.isFull) {
      throw new DaemonError('INCOMPLETE', `${held.size - held.count} of ${held.size} chunks of ${this.#directory} are missing, the first is chunk ${held.missing(1)[0]?.from ?? 0}`);
    }
    this.#spend = createSlices(signal, `finishing ${this.#directory}`);
    try {
      await this.#syncs.drained();
      await makeLinks(this.#directory, this.#tree, this.#spend);
      await audit(this.#directory, this.#tree, this.#files, this.#spend);
      await this.#directories.close();
      this.#over = true;
    } catch (cause) {
      throw this.failure(cause);
    }
  }

  get seals(): Seals {
    return this.#files;
  }

  async abandon(): Promise<void> {
    this.#over = true;
    await this.#syncs.settled();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async end(): Promise<void> {
    this.#recent.clear();
    this.#files.close();
    if (this.#spoilt && !this.#over) await this.abandon();
    this.#over = true;
    await this.#syncs.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** Our own error for what went wrong. Remembers when what was built is of no use any more. */
  failure(cause: unknown): DaemonError {
    const error = cause instanceof DaemonError ? cause : storageFailure(`cannot build ${this.#directory}`, cause);
    if (this.#begun && (error.code === 'NO_SPACE' || error.code === 'STORAGE_FAILED' || error.code === 'CORRUPT_CHUNK')) this.#spoilt = true;
    return error;
  }

  #checkUsable(): void {
    if (this.#over || this.#spoilt) throw new DaemonError('STORAGE_FAILED', `the release in ${this.#directory} is ${this.#spoilt ? 'spoilt by an earlier failure' : 'closed'}; begin it anew`);
  }

  /** Hashes what an earlier attempt left of a file, chunk by chunk. */
  async #takeUp({ entry: position, linked }: Leftover): Promise<void> {
    const entry = this.#tree.entry(position);
    if (entry.kind !== 'file') return;
    const path = this.#files.path(position);
    const file = openRegular(path);
    if (file === undefined) return;
    let whole = true;
    try {
      let offset = 0;
      for (const ordinal of entry.chunks) {
        const { id, length } = this.#tree.chunk(ordinal);
        if (hash('sha256', readAt(file, length, offset)) === id) this.#placement.found(ordinal, position, offset);
        else whole = false;
        offset += length;
        const pause = this.#spend(length + callBytes);
        if (pause !== undefined) await pause;
      }
    } finally {
      closeSync(file);
    }
    if (!whole && linked) {
      // Its bytes are another release's as well: it is let go of, never mended.
      rmSync(path);
      this.#placement.fileIsGone(position);
      return;
    }
    this.#made[position] = 1;
    if (whole) await this.#seal(position);
    else chmodSync(path, 0o600);
  }

  async #takeUnchanged(unchanged: ReadonlySet<number>, reuse: Reuse): Promise<void> {
    for (const position of unchanged) {
      const entry = this.#tree.entry(position);
      if (entry.kind !== 'file' || this.#made[position] === 1) continue;
      const taken = await reuse.take(entry, `${this.#directory}/${entry.path}`);
      if (taken === undefined) continue;
      this.#made[position] = 1;
      this.#placement.fileIsWhole(position);
      if (taken === 'copied') await this.#sealCopy(position, entry);
      const pause = this.#spend(callBytes);
      if (pause !== undefined) await pause;
    }
  }

  async #makeEmptyFiles(): Promise<void> {
    for (let position = 0; position < this.#tree.entryCount; position += 1) {
      const entry = this.#tree.entry(position);
      if (entry.kind !== 'file' || entry.size > 0 || this.#made[position] === 1) continue;
      this.#files.make(position);
      this.#made[position] = 1;
      await this.#seal(position);
    }
  }

  /** Places the chunks that are lacking and that `get` has; what it gives is hashed. `hint` spares useless questions. */
  async #fill(get: (id: Digest, ordinal: number) => Promise<Uint8Array | undefined>, hint?: Pick<ChunkSource, 'has'>): Promise<void> {
    const missing = this.#placement.held.missing().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at));
    for (let from = 0; from < missing.length; from += questionIdsMax) {
      const ordinals = missing.slice(from, from + questionIdsMax);
      const likely = await hint?.has(ordinals.map((ordinal) => this.#tree.chunk(ordinal).id));
      for (const [at, ordinal] of ordinals.entries()) {
        if (likely?.[at] === false) continue;
        const { id } = this.#tree.chunk(ordinal);
        const bytes = await get(id, ordinal);
        if (bytes !== undefined && hash('sha256', bytes) === id) await this.#place(ordinal, bytes);
        const pause = this.#spend(callBytes);
        if (pause !== undefined) await pause;
      }
    }
  }

  async #place(ordinal: number, bytes: Uint8Array, placed?: () => void): Promise<void> {
    const whole: number[] = [];
    for (const use of this.#placement.lacking(ordinal)) {
      if (this.#made[use.entry] === 0) this.#files.make(use.entry);
      this.#made[use.entry] = 1;
      this.#files.write(use.entry, bytes, use.offset);
      if (this.#placement.placed(ordinal, use)) whole.push(use.entry);
    }
    const { length } = bytes;
    placed?.();
    for (const position of whole) await this.#seal(position);
    const pause = this.#spend(length);
    if (pause !== undefined) await pause;
  }

  /** Of a file whose bytes have not come by us. */
  async #sealCopy(position: number, entry: FileEntry): Promise<void> {
    if (await holdsAt(this.#files.path(position), entry, this.#spend)) return await this.#seal(position);
    throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} was copied from the release before and does not hash to ${entry.digest}, as the tree says: the disk is damaged`);
  }

  async #seal(position: number): Promise<void> {
    await this.#files.seal(position, this.#syncs);
    const pause = this.#spend(callBytes);
    if (pause !== undefined) await pause;
  }

  /** A copy on disk, hashed; `undefined` when there is none or it is damaged. */
  async #read(ordinal: number, into?: Uint8Array): Promise<Uint8Array | undefined> {
    const use = this.#placement.somewhere(ordinal);
    if (use === undefined) return undefined;
    const { id, length } = this.#tree.chunk(ordinal);
    const file = this.#open(this.#files.name(use.entry));
    if (file === undefined) return undefined;
    try {
      const bytes = readAt(file, length, use.offset, into);
      return await Promise.resolve((bytes.length === length && this.#files.isAsSealed(use.entry, fstatSync(file)) === true) || hash('sha256', bytes) === id ? bytes : undefined);
    } finally {
      closeSync(file);
    }
  }

  /** What is finished may have been given its final name while neighbours still ask for it (`<id>.tmp` is renamed to `<id>`). */
  #open(path: string): number | undefined {
    try {
      return openRegular(`${this.#home}/${path}`);
    } catch (cause) {
      const renamed = this.#directory.replace(/\.tmp$/, '');
      if (!this.#over || this.#home === renamed || !(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
      this.#home = renamed;
      return openRegular(`${this.#home}/${path}`);
    }
  }
}
