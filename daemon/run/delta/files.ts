// Delta sets on disk: the payload in one file, descriptor and statement in another that is written last, so that a set is kept when that one is there.
// Who shares them and for how long is shelf.ts's.

import { hash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createBitmap, fullBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import { payloadBytes, type DeltaSet } from '../../../proto/delta-set.ts';
import { decodeDeltaSet } from '../../../proto/delta-set-codec.ts';
import { limits } from '../../../proto/limits.ts';
import { DaemonError } from '../../errors.ts';

/** A set and what is held of its payload. */
export interface KeptDelta {
  /** sha2-256 of the descriptor. */
  readonly digest: Digest;
  readonly set: DeltaSet;
  readonly descriptor: Uint8Array;
  readonly statement: string;
  /** `index`: segments were not tried. */
  readonly extent: 'index' | 'all';
  /** Made here; otherwise it came from a neighbour. */
  readonly isMade: boolean;
  /** Ascending with the time of keeping. */
  readonly serial: number;
  readonly held: Bitmap;
}

/** What is stated of a set when it is kept. */
export type DeltaLabel = Pick<KeptDelta, 'descriptor' | 'statement' | 'extent'>;

/** A payload that is being made: its parts in order. */
export interface DeltaDraft {
  add(part: Uint8Array): Promise<void>;
  /** Resolves when all is synced. */
  keep(label: DeltaLabel): Promise<KeptDelta>;
  discard(): Promise<void>;
}

/** Sets in one directory. All throw {DaemonError} STORAGE_FAILED or NO_SPACE. */
export interface DeltaFiles {
  /** Those that were kept whole when this was opened. */
  readonly found: readonly KeptDelta[];
  draft(): Promise<DeltaDraft>;
  /** A set that came from a neighbour, without any part. It is gone when the daemon starts anew. */
  adopt(label: DeltaLabel): Promise<KeptDelta>;
  write(delta: KeptDelta, ordinal: number, part: Uint8Array): Promise<void>;
  /** A held part whose bytes are what the descriptor says. */
  read(delta: KeptDelta, ordinal: number): Promise<Uint8Array | undefined>;
  drop(delta: KeptDelta): Promise<void>;
}

interface Places {
  readonly directory: string;
  readonly payload: (digest: Digest) => string;
  readonly label: (digest: Digest) => string;
}

/** Opens the directory, makes it when it is missing, and clears away what was not finished. */
export async function openDeltaFiles(directory: string): Promise<DeltaFiles> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const places: Places = { directory, payload: (digest) => join(directory, `${digest}.payload`), label: (digest) => join(directory, `${digest}.set`) };
  const found = await findKept(places);
  let serial = found.at(-1)?.serial ?? 0;
  const { payload, label } = places;

  return {
    found,
    async draft() {
      serial += 1;
      return await createDraft(places, serial);
    },
    async adopt(stated) {
      serial += 1;
      const digest = hash('sha256', stated.descriptor);
      const set = decodeDeltaSet(stated.descriptor);
      await guarded(payload(digest), async () => await (await open(payload(digest), 'w', 0o600)).close());
      return { ...stated, digest, set, serial, isMade: false, held: createBitmap(set.parts.length) };
    },
    async write({ digest, held }, ordinal, part) {
      await guarded(payload(digest), async () => {
        await using file = await open(payload(digest), 'r+');
        await file.write(part, 0, part.length, ordinal * limits.deltaPartBytes);
      });
      held.set(ordinal);
    },
    async read({ digest, set, held }, ordinal) {
      const part = set.parts[ordinal];
      if (part === undefined || !held.has(ordinal)) return undefined;
      const bytes = await readPart(payload(digest), ordinal, part.length);
      if (bytes !== undefined && hash('sha256', bytes) === part.id) return bytes;
      held.clear(ordinal);
      return undefined;
    },
    async drop({ digest }) {
      // The label first: without it the payload is cleared away at the next start.
      await guarded(label(digest), async () => await rm(label(digest), { force: true }));
      await guarded(payload(digest), async () => await rm(payload(digest), { force: true }));
    },
  };
}

/** Sets with their whole payload, oldest first; all other files are removed. */
async function findKept({ directory, payload }: Places): Promise<readonly KeptDelta[]> {
  const names = await readdir(directory);
  const found: KeptDelta[] = [];
  for (const name of names.filter((candidate) => candidate.endsWith('.set'))) {
    const kept = readLabel(name.slice(0, -'.set'.length), await readFile(join(directory, name), 'utf8'));
    const size = kept === undefined ? undefined : await stat(payload(kept.digest)).then((file) => file.size, () => undefined);
    if (kept !== undefined && size === payloadBytes(kept.set)) found.push(kept);
  }
  const wanted = new Set(found.flatMap(({ digest }) => [`${digest}.set`, `${digest}.payload`]));
  for (const name of names) if (!wanted.has(name)) await rm(join(directory, name), { force: true, recursive: true });
  return found.toSorted((a, b) => a.serial - b.serial);
}

async function createDraft({ directory, payload, label }: Places, serial: number): Promise<DeltaDraft> {
  const temporary = join(directory, `draft-${serial}`);
  const file = await guarded(temporary, async () => await open(temporary, 'w', 0o600));
  let closed = false;
  const close = async (): Promise<void> => {
    if (!closed) await file.close();
    closed = true;
  };
  return {
    add: async (part) => await guarded(temporary, async () => await file.writeFile(part)),
    async keep(stated) {
      const digest = hash('sha256', stated.descriptor);
      const set = decodeDeltaSet(stated.descriptor);
      await guarded(payload(digest), async () => {
        await file.sync();
        await close();
        await rename(temporary, payload(digest));
        const text = JSON.stringify({ serial, extent: stated.extent, statement: stated.statement, descriptor: Buffer.from(stated.descriptor).toString('base64') });
        await using head = await open(`${temporary}.label`, 'w', 0o600);
        await head.writeFile(text);
        await head.sync();
        await rename(`${temporary}.label`, label(digest));
        await using folder = await open(directory, 'r');
        await folder.sync();
      });
      return { ...stated, digest, set, serial, isMade: true, held: fullBitmap(set.parts.length) };
    },
    async discard() {
      await close();
      await rm(temporary, { force: true });
    },
  };
}

/** `undefined` when a part is gone or cut short, which to the caller is the same as other bytes. */
async function readPart(path: string, ordinal: number, length: number): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path, 'r');
    const bytes = new Uint8Array(length);
    const { bytesRead } = await file.read(bytes, 0, length, ordinal * limits.deltaPartBytes);
    return bytesRead === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** `undefined` for a file that is not what we write: the set is then made anew. */
function readLabel(digest: Digest, text: string): KeptDelta | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('serial' in value && 'extent' in value && 'statement' in value && 'descriptor' in value)) return undefined;
    const { serial, extent, statement, descriptor: encoded } = value;
    if (typeof serial !== 'number' || (extent !== 'index' && extent !== 'all') || typeof statement !== 'string' || typeof encoded !== 'string') return undefined;
    const descriptor = Uint8Array.from(Buffer.from(encoded, 'base64'));
    if (hash('sha256', descriptor) !== digest) return undefined;
    const set = decodeDeltaSet(descriptor);
    return { digest, set, descriptor, statement, extent, serial, isMade: true, held: fullBitmap(set.parts.length) };
  } catch {
    return undefined;
  }
}

/** Bytes of a kept set on disk. */
export function bytesKept({ set, descriptor }: KeptDelta): number {
  return payloadBytes(set) + descriptor.length;
}

async function guarded<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const full = cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
    throw new DaemonError(full ? 'NO_SPACE' : 'STORAGE_FAILED', `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
