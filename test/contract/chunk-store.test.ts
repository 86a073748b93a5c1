// The contract of chunk-store.ts, on every chunk store.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryStore } from '../../daemon/content/memory.ts';
import { openPackStore } from '../../daemon/content/pack/pack.ts';
import { chunkStoreContract } from './chunk-store.ts';

chunkStoreContract('memory', async () => await Promise.resolve({
  durable: false,
  open: async () => await Promise.resolve(createMemoryStore()),
  cleanUp: async () => await Promise.resolve(),
}));

chunkStoreContract('pack', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'starling-pack-'));
  return {
    durable: true,
    open: async () => await openPackStore(directory),
    cleanUp: async () => await rm(directory, { recursive: true, force: true }),
  };
});
