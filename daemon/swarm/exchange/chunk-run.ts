// Reading chunks for a neighbour: those that lie side by side in a file are read at once, since handing one read to a thread and back costs as much as reading
// 200 KiB. Each is read behind the room for its header, so that all of them leave as one piece. What is sent of them when is uploads.ts's.

import { ordinalBytes } from '../../../proto/exchange-frame.ts';
import { limits } from '../../../proto/limits.ts';
import type { Buffers } from '../buffers.ts';
import type { Holdings, Topic } from '../swarm.ts';

/** A chunk as it was read. */
export interface ReadChunk {
  readonly ordinal: number;
  /** Where it was to be read to, with the room for its header before it. */
  readonly room: Uint8Array;
  /** Not there: it is gone, or could not be read. */
  readonly bytes: Uint8Array | undefined;
}

export interface ChunkReader {
  readonly buffers: Buffers;
  readonly topic: Pick<Topic, 'chunk'>;
  readonly holdings: Holdings;
  /** Told of one that could not be read though nobody says that it is gone. */
  readonly onFailed: (ordinal: number, error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Before a chunk's bytes in a frame. */
export const headBytes = limits.exchangeHeaderBytes + ordinalBytes;
/** Of one run with its headers: what the longest of the buffers holds. */
const runBytesMax = limits.chunkBytesMax + headBytes;

/** The next chunks of `ordinals`, from `next` on, in one buffer: as many as can be read at once, and one at least. */
export async function readRun(reader: ChunkReader, ordinals: readonly number[], next: number): Promise<readonly ReadChunk[]> {
  const { buffers, topic, holdings, signal } = reader;
  const asked = holdings.readRun === undefined ? ordinals.slice(next, next + 1) : adjacent(topic, ordinals, next);
  const rooms = roomsFor(buffers, topic, asked);
  const places = rooms.map((room) => room.subarray(headBytes));
  const count = asked.length === 1 ? 0 : await countRead(holdings, asked, places, signal);
  const chunk = (at: number, bytes: Uint8Array | undefined): ReadChunk => ({ ordinal: asked[at] ?? -1, room: rooms[at] ?? none, bytes });
  return count > 0 ? places.slice(0, count).map((bytes, at) => chunk(at, bytes)) : [chunk(0, await readOne(reader, asked[0] ?? -1, places[0] ?? none))];
}

const none = new Uint8Array(0);

/** Ordinals that follow one another, as far as their chunks fit into one buffer. */
function adjacent({ chunk }: Pick<Topic, 'chunk'>, ordinals: readonly number[], next: number): readonly number[] {
  let bytes = 0;
  let end = next;
  do {
    bytes += headBytes + chunk(ordinals[end] ?? -1).length;
    if (end > next && bytes > runBytesMax) break;
    end += 1;
  } while (end < ordinals.length && ordinals[end] === (ordinals[end - 1] ?? -1) + 1);
  return ordinals.slice(next, end);
}

function roomsFor(buffers: Buffers, { chunk }: Pick<Topic, 'chunk'>, ordinals: readonly number[]): readonly Uint8Array[] {
  const lengths = ordinals.map((ordinal) => headBytes + chunk(ordinal).length);
  const buffer = buffers.take(lengths.reduce((sum, length) => sum + length, 0));
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return buffer.subarray(end - length, end);
  });
}

async function countRead(holdings: Holdings, ordinals: readonly number[], places: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
  try {
    return (await holdings.readRun?.(ordinals, places, { signal })) ?? 0;
  } catch {
    // Read by itself, the first of them says what is the matter.
    return 0;
  }
}

async function readOne({ holdings, onFailed, signal }: ChunkReader, ordinal: number, into: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await holdings.read(ordinal, { signal, into });
  } catch (error) {
    if (!signal.aborted) onFailed(ordinal, error);
    return undefined;
  }
}
