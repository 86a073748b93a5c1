// A policy over a source: bytes that do not hash to their identifier are as good as absent, and somebody is told.

import { hash } from 'node:crypto';
import type { Digest } from '../../proto/cid.ts';
import type { ChunkSource } from './store.ts';

/** `source`, never giving out wrong bytes. */
export function verified(source: ChunkSource, onCorrupt: (id: Digest) => void): ChunkSource {
  return {
    has: async (ids) => await source.has(ids),
    async get(id, options) {
      const bytes = await source.get(id, options);
      if (bytes === undefined || hash('sha256', bytes) === id) return bytes;
      onCorrupt(id);
      return undefined;
    },
  };
}
