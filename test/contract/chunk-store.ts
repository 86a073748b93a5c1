// What every chunk store must do, whatever it is made of. chunk-store.test.ts runs it on each.

import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../proto/limits.ts';
import type { Chunk, ChunkStore } from '../../daemon/content/store.ts';

/** Where a suite gets its stores from. */
export interface StoreFixture {
  open(): Promise<ChunkStore>;
  cleanUp(): Promise<void>;
  /** Whether a store that is closed and opened again holds what it held. */
  readonly durable: boolean;
}

export const unending = { signal: new AbortController().signal };

/** A chunk of these bytes. */
export function chunkOf(content: string | Uint8Array): Chunk {
  const bytes = Buffer.from(content);
  return { id: hash('sha256', bytes), bytes };
}

/** Registers the contract under `name`. */
export function chunkStoreContract(name: string, createFixture: () => Promise<StoreFixture>): void {
  describe(`${name}: chunk store`, () => {
    let fixture: StoreFixture;
    let store: ChunkStore;
    beforeEach(async () => {
      fixture = await createFixture();
      store = await fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.cleanUp();
    });

    const text = async (chunk: Chunk): Promise<string | undefined> => {
      const bytes = await store.get(chunk.id, unending);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
    };

    it('has nothing at first, and absence is no error', async () => {
      expect(await store.has([chunkOf('a').id])).toEqual([false]);
      expect(await store.get(chunkOf('a').id, unending)).toBeUndefined();
      expect(store.usage()).toEqual({ chunks: 0, bytes: 0 });
    });

    it('gives back what was put, of one byte and of the longest length', async () => {
      const chunks = [chunkOf('x'), chunkOf(new Uint8Array(limits.chunkBytesMax).fill(7))];
      await store.put(chunks, unending);
      for (const chunk of chunks) expect(await text(chunk)).toBe(Buffer.from(chunk.bytes).toString('latin1'));
      expect(store.usage()).toEqual({ chunks: 2, bytes: limits.chunkBytesMax + 1 });
    });

    it('answers has() in the order of the question, repetitions included', async () => {
      await store.put([chunkOf('a'), chunkOf('b')], unending);
      expect(await store.has(['b', 'none', 'a', 'b'].map((each) => chunkOf(each).id))).toEqual([true, false, true, true]);
      expect(await store.has([])).toEqual([]);
    });

    it('counts a chunk once, put again, put twice in one call or by two calls at once', async () => {
      await store.put([chunkOf('a'), chunkOf('a')], unending);
      await store.put([chunkOf('a')], unending);
      await Promise.all([store.put([chunkOf('b')], unending), store.put([chunkOf('b')], unending)]);
      expect(store.usage()).toEqual({ chunks: 2, bytes: 2 });
      expect(await text(chunkOf('b'))).toBe('b');
    });

    it('does nothing for no chunks', async () => {
      await store.put([], unending);
      expect(store.usage().chunks).toBe(0);
    });

    it('keeps its own bytes when the buffer that they came in is used again', async () => {
      const chunk = chunkOf('mine');
      await store.put([chunk], unending);
      chunk.bytes.fill(0);
      expect(await text(chunkOf('mine'))).toBe('mine');
    });

    it('holds each of many chunks put at once and read while others are put', async () => {
      const chunks = Array.from({ length: 600 }, (_, at) => chunkOf(`chunk ${at}`));
      const half = chunks.length / 2;
      await store.put(chunks.slice(0, half), unending);
      const writing = Promise.all(chunks.slice(half).map(async (chunk) => await store.put([chunk], unending)));
      const read = await Promise.all(chunks.slice(0, half).map(text));
      await writing;
      expect(read).toEqual(chunks.slice(0, half).map((_, at) => `chunk ${at}`));
      expect(await store.has(chunks.map(({ id }) => id))).toEqual(chunks.map(() => true));
    });

    it('forgets nothing that is whole, and knows nothing of what it never had', async () => {
      await store.put([chunkOf('a'), chunkOf('b')], unending);
      expect(await store.forgetDamaged([chunkOf('a').id, chunkOf('never').id], unending)).toEqual([]);
      expect(await store.has([chunkOf('a').id, chunkOf('b').id])).toEqual([true, true]);
      expect(store.usage()).toEqual({ chunks: 2, bytes: 2 });
    });

    it('refuses a call whose signal has fired, and holds nothing of it', async () => {
      const signal = AbortSignal.abort();
      await expect(store.put([chunkOf('a')], { signal })).rejects.toMatchObject({ name: 'DaemonError', code: 'ABORTED' });
      await expect(store.get(chunkOf('a').id, { signal })).rejects.toMatchObject({ name: 'DaemonError', code: 'ABORTED' });
      expect(await store.has([chunkOf('a').id])).toEqual([false]);
    });

    it('holds everything acknowledged after it was closed and opened again, if it is durable', async () => {
      const chunks = Array.from({ length: 50 }, (_, at) => chunkOf(`kept ${at}`));
      await Promise.all(chunks.map(async (chunk) => await store.put([chunk], unending)));
      const usage = store.usage();
      if (!fixture.durable) return;
      await store.close();
      store = await fixture.open();
      expect(store.usage()).toEqual(usage);
      for (const [at, chunk] of chunks.entries()) expect(await text(chunk)).toBe(`kept ${at}`);
    });
  });
}
