// A chunk store in memory, for tests and for what need not outlive the process. Durable in the sense of the port only while it lives.

import { hash } from 'node:crypto';
import type { Digest } from '../../proto/cid.ts';
import { throwIfAborted } from './failures.ts';
import type { ChunkStore } from './store.ts';

/** An empty store. */
export function createMemoryStore(): ChunkStore {
  const chunks = new Map<Digest, Uint8Array>();
  let bytes = 0;
  return {
    has: async (ids) => await Promise.resolve(ids.map((id) => chunks.has(id))),
    async get(id, { signal }) {
      throwIfAborted(signal, 'reading a chunk');
      return await Promise.resolve(chunks.get(id));
    },
    async put(added, { signal }) {
      throwIfAborted(signal, 'adding chunks');
      await Promise.resolve();
      for (const chunk of added) {
        if (chunks.has(chunk.id)) continue;
        // Not slice(): of a Buffer that is a view of the caller's memory.
        chunks.set(chunk.id, Uint8Array.from(chunk.bytes));
        bytes += chunk.bytes.length;
      }
    },
    async forgetDamaged(ids, { signal }) {
      throwIfAborted(signal, 'looking for damage');
      const damaged = ids.filter((id) => {
        const held = chunks.get(id);
        if (held === undefined || hash('sha256', held) === id) return false;
        bytes -= held.length;
        return chunks.delete(id);
      });
      return await Promise.resolve(damaged);
    },
    usage: () => ({ chunks: chunks.size, bytes }),
    close: async () => await Promise.resolve(),
    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}
