// A policy over a store: bytes that do not hash to their identifier are never given out; the store forgets them, so that they can be put again, and
// somebody is told. Bringing them again is the listener's.

import { hash } from 'node:crypto';
import type { Digest } from '../../proto/cid.ts';
import type { ChunkStore } from './store.ts';

/** `store`, never giving out wrong bytes. `onForgotten` is told once of each chunk that was damaged and is no longer held. */
export function verified(store: ChunkStore, onForgotten: (id: Digest) => void): ChunkStore {
  return {
    has: async (ids) => await store.has(ids),
    async get(id, options) {
      const bytes = await store.get(id, options);
      if (bytes !== undefined && hash('sha256', bytes) === id) return bytes;
      // What cannot be read, too, may still be in the store's books.
      for (const forgotten of await store.forgetDamaged([id], options)) onForgotten(forgotten);
      return undefined;
    },
    put: async (chunks, options) => await store.put(chunks, options),
    async forgetDamaged(ids, options) {
      const forgotten = await store.forgetDamaged(ids, options);
      for (const id of forgotten) onForgotten(id);
      return forgotten;
    },
    usage: () => store.usage(),
    close: async () => await store.close(),
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
  };
}
