// The state as it was at an entry, in a file beside the journal, so that a start folds only what came after. Nothing depends on it: one that is damaged,
// of another program, or of another journal is left aside, and the journal is folded from its beginning. When one is made is control/run/snapshot.ts.

import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import type { JournalEntry } from '../../proto/events.ts';
import { withPlainMaps } from '../core/model/shared-map.ts';
import type { State } from '../core/model/model.ts';
import type { Journal } from './journal.ts';

/** What is in the file, behind its own digest. */
interface Snapshot {
  /** What folded it: {@link programDigest}. */
  readonly program: string;
  /** The entry at which it was made: another journal has another one there. */
  readonly entry: JournalEntry;
  readonly state: State;
}

/** A state, or why there is none: absent when no snapshot was ever made. */
export type Loaded = { readonly kind: 'state'; readonly state: State } | { readonly kind: 'none'; readonly why?: string };

const digestBytes = 32;

/** The snapshot in `file`, if it is of this `program` and of this journal. Never fails: there is another way. */
export async function loadSnapshot(file: string, program: string, journal: Pick<Journal, 'head' | 'read'>): Promise<Loaded> {
  const bytes = await readFile(file).catch((cause: unknown) => (isAbsent(cause) ? undefined : String(cause)));
  if (typeof bytes !== 'object') return bytes === undefined ? { kind: 'none' } : { kind: 'none', why: bytes };
  const payload = bytes.subarray(digestBytes);
  if (!digestOf(payload).equals(bytes.subarray(0, digestBytes))) return { kind: 'none', why: 'it is damaged' };
  const { program: by, entry, state } = decode(payload);
  if (by !== program) return { kind: 'none', why: 'another version of the program made it' };
  const [here] = entry.seq > journal.head() ? [] : await journal.read(entry.seq - 1, 1);
  if (!isDeepStrictEqual(here, entry)) return { kind: 'none', why: `it is of another journal: entry ${entry.seq} is not the same, as after a backup was put back` };
  return { kind: 'state', state };
}

/** Writes it; the one before is replaced as a whole. `entry` is the last that `state` has. @throws {Error} when it cannot be written. */
export async function saveSnapshot(file: string, program: string, entry: JournalEntry, state: State): Promise<void> {
  const payload = encode({ program, entry, state });
  const draft = `${file}.tmp`;
  await using handle = await open(draft, 'w', 0o600);
  await handle.writeFile(Buffer.concat([digestOf(payload), payload]));
  await handle.sync();
  await rename(draft, file);
}

/** Equal objects stay one object: lists of the state name members of its maps. */
function encode({ state, ...rest }: Snapshot): Buffer {
  const plain = withPlainMaps(state);
  const deployments = new Map([...plain.deployments].map(([id, one]) => [id, withPlainMaps(one)] as const));
  return serialize({ ...rest, state: { ...plain, deployments } } satisfies Snapshot);
}

/** Its digest was right, so that it is what {@link encode} made; that of another program is looked at no further than its name. */
function decode(payload: Buffer): Snapshot {
  const snapshot: Snapshot = deserialize(payload);
  return snapshot;
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
