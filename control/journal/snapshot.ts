// The state as it was at an entry, in a file beside the journal, so that a start folds only what came after. Nothing depends on it: one that is damaged,
// of another program, or of another journal is left aside, and the journal is folded from its beginning. When one is made is control/run/snapshot.ts.
// The file: blocks, each behind its length (4 bytes, big-endian), and a sha2-256 over all of them. The first is JSON and says whose it is; the others are pieces.

import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import type { JournalEntry } from '../../proto/events.ts';
import type { Member, State } from '../core/model/model.ts';
import type { Journal } from './journal.ts';
import { piecesOf, rebuilt, type Piece } from './pieces-codec.ts';

/** Whose a snapshot is. */
export interface Label {
  /** What folded it: {@link programDigest}. */
  readonly program: string;
  /** The entry at which it was made: another journal has another one there. */
  readonly entry: JournalEntry;
}

/** The state as it is written: the members that `targets` names are those of `members`, which pieces would not keep. */
interface Written extends Omit<State, 'targets'> {
  readonly targetIds: ReadonlyMap<string, readonly string[]>;
}

/** A state, or why there is none: absent when no snapshot was ever made. */
export type Loaded = { readonly kind: 'state'; readonly state: State } | { readonly kind: 'none'; readonly why?: string };

export interface SaveOptions {
  /** Bytes that are free where a directory is; for tests of a full disk. */
  readonly freeBytes?: (directory: string) => Promise<number>;
}

const digestBytes = 32;
const lengthBytes = 4;
/** Left to the journal, which cannot do without: a snapshot that would take of it is given up. */
const spareBytes = 64 << 20;
/** Bytes after which it is asked again how much is free. */
const askEveryBytes = 8 << 20;

/**
 * The snapshot in `file`, if it is of this `program` and of this journal. There is another way, so that whatever is wrong with the file is an answer.
 * @throws {ControlError} STORAGE_FAILED when the entry that it names cannot be read, which stands in that way too.
 */
export async function loadSnapshot(file: string, program: string, journal: Pick<Journal, 'head' | 'read'>): Promise<Loaded> {
  const bytes = await readFile(file).catch((cause: unknown) => (isAbsent(cause) ? undefined : String(cause)));
  if (typeof bytes !== 'object') return bytes === undefined ? { kind: 'none' } : { kind: 'none', why: bytes };
  const blocks = blocksIn(bytes);
  const [first, ...pieces] = blocks ?? [];
  if (first === undefined) return { kind: 'none', why: 'it is damaged' };
  const label = labelIn(first);
  // Before anything else is looked at: another version may not even be able to read it.
  if (label?.program !== program) return { kind: 'none', why: 'another version of the program made it' };
  const { entry } = label;
  const [here] = entry.seq > journal.head() ? [] : await journal.read(entry.seq - 1, 1);
  if (!isDeepStrictEqual(here, entry)) return { kind: 'none', why: `it is of another journal: entry ${entry.seq} is not the same, as after a backup was put back` };
  try {
    return { kind: 'state', state: stateOf(pieces) };
  } catch (error) {
    return { kind: 'none', why: `it cannot be read: ${String(error)}` };
  }
}

/**
 * Writes it, a little at a time, so that others have their turn in between; the one before is replaced as a whole. `entry` is the last that `state` has.
 * @throws {Error} when it cannot be written, or too little would be left to the journal: then nothing of it remains.
 */
export async function saveSnapshot(file: string, label: Label, state: State, { freeBytes = freeIn }: SaveOptions = {}): Promise<void> {
  const draft = `${file}.tmp`;
  // What a crash left behind, whoever that was.
  await rm(draft, { force: true });
  try {
    await using handle = await open(draft, 'wx', 0o600);
    await writeBlocks(handle, blocksOf(label, state), async () => {
      if ((await freeBytes(dirname(file))) < spareBytes) throw new Error(`less than ${spareBytes >> 20} MiB are free on the disk, and those are left to the journal; free some space`);
    });
    await handle.sync();
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Each block is made when the one before it is written. */
async function writeBlocks(handle: FileHandle, blocks: Iterable<Buffer>, assertRoom: () => Promise<void>): Promise<void> {
  const hash = createHash('sha256');
  let unasked = Infinity;
  for (const block of blocks) {
    if (unasked >= askEveryBytes) {
      await assertRoom();
      unasked = 0;
    }
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(block.length);
    const framed = Buffer.concat([length, block]);
    hash.update(framed);
    unasked += framed.length;
    await handle.appendFile(framed);
  }
  await handle.appendFile(hash.digest());
}

function* blocksOf({ program, entry }: Label, { targets, ...state }: State): Generator<Buffer> {
  yield Buffer.from(JSON.stringify({ program, entry } satisfies Label));
  const targetIds = new Map([...targets].map(([environment, members]) => [environment, members.map(({ member }) => member)] as const));
  for (const piece of piecesOf({ ...state, targetIds } satisfies Written)) yield serialize(piece);
}

/** The blocks of a file that is whole. */
function blocksIn(bytes: Buffer): readonly Buffer[] | undefined {
  const end = bytes.length - digestBytes;
  if (end < 0 || !createHash('sha256').update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) return undefined;
  const blocks: Buffer[] = [];
  for (let at = 0; at < end; ) {
    const from = at + lengthBytes;
    at = from + bytes.readUInt32BE(at);
    blocks.push(bytes.subarray(from, at));
  }
  return blocks;
}

/** Undefined when the first block is none of ours. */
function labelIn(block: Buffer): Label | undefined {
  try {
    const label: Label = JSON.parse(block.toString());
    return label;
  } catch {
    return undefined;
  }
}

/** Its digest was right and its program is this one, so that it is what {@link blocksOf} made. */
function stateOf(blocks: readonly Buffer[]): State {
  const { targetIds, ...state } = rebuilt<Written>(piecesIn(blocks));
  const found = (id: string): Member[] => {
    const member = state.members.get(id);
    return member === undefined ? [] : [member];
  };
  return { ...state, targets: new Map([...targetIds].map(([environment, ids]) => [environment, ids.flatMap(found)] as const)) };
}

function* piecesIn(blocks: readonly Buffer[]): Generator<Piece> {
  for (const block of blocks) yield deserialize(block);
}

async function freeIn(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
