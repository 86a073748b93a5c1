// The form of a pack file: each chunk after its digest and its length; writing some in it, and reading one without its index.
// Only bytes that hash to their digest are found; where they are recorded is the index's business.

import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { digestBytes, digestFromBytes, digestToBytes, type Digest } from '../../../proto/cid.ts';
import { limits } from '../../../proto/limits.ts';
import type { Chunk } from '../store.ts';

/** Before each chunk: its digest and its length, so that a pack can be read without the index. */
export const headerBytes = digestBytes + 4;

/** A chunk in a pack; `offset` is that of its bytes. */
export interface PackedChunk {
  readonly id: Digest;
  readonly offset: number;
  readonly length: number;
}

/** Chunks as they are written from `at` on, in parts, where each comes to lie, and where they end. */
export function packed(chunks: readonly Chunk[], at: number): { readonly parts: readonly Uint8Array[]; readonly found: readonly PackedChunk[]; readonly end: number } {
  let end = at;
  const parts: Uint8Array[] = [];
  const found = chunks.map(({ id, bytes }): PackedChunk => {
    const header = Buffer.alloc(headerBytes);
    header.set(digestToBytes(id), 0);
    header.writeUInt32BE(bytes.length, digestBytes);
    parts.push(header, bytes);
    const offset = end + headerBytes;
    end = offset + bytes.length;
    return { id, offset, length: bytes.length };
  });
  return { parts, found, end };
}

/**
 * The undamaged chunks of a pack, and the end of the last of them. A damaged chunk is passed over by its length; where no length can
 * be right the scan ends, since what follows cannot be told apart from a torn end. System errors of reading come as they are.
 */
export async function scanPack(path: string): Promise<{ readonly found: readonly PackedChunk[]; readonly end: number }> {
  const file = await open(path, 'r');
  try {
    const found: PackedChunk[] = [];
    const { size } = await file.stat();
    const record = Buffer.alloc(headerBytes + limits.chunkBytesMax);
    let end = 0;
    for (let at = 0; at + headerBytes < size; ) {
      const { bytesRead } = await file.read(record, 0, record.length, at);
      const length = bytesRead < headerBytes ? 0 : record.readUInt32BE(digestBytes);
      if (length === 0 || length > limits.chunkBytesMax || headerBytes + length > bytesRead) break;
      const id = digestFromBytes(record.subarray(0, digestBytes));
      const intact = hash('sha256', record.subarray(headerBytes, headerBytes + length)) === id;
      if (intact) found.push({ id, offset: at + headerBytes, length });
      at += headerBytes + length;
      if (intact) end = at;
    }
    return { found, end };
  } finally {
    await file.close();
  }
}
