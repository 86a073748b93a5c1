// A release whose files wait to be synced: what is in place can be read all the same.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ingest } from '../../../../daemon/content/ingest/ingest.ts';
import { createMemoryStore } from '../../../../daemon/content/memory.ts';
import { materialize } from '../../../../daemon/content/release/materialize.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { noise } from '../../../support/trees.ts';

/** More than may wait to be synced. */
const files = 300;

it('reads what is in place before it is synced', async () => {
  const root = mkdtempSync(join(tmpdir(), 'starling-unsynced-'));
  try {
    mkdirSync(join(root, 'published'));
    for (let index = 0; index < files; index += 1) writeFileSync(join(root, 'published', `file-${index}`), noise(500, index + 1));
    const published = await ingest(join(root, 'published'), unending);
    await using release = await materialize({ tree: published.tree, directory: join(root, 'release.tmp'), local: createMemoryStore(), links: 'auto', signal: unending.signal });
    const chunks = await Promise.all(Array.from({ length: published.tree.chunkCount }, async (_, ordinal) => await published.readChunk(ordinal)));
    const placed: number[] = [];
    const writes = Promise.all(chunks.map(async (bytes, ordinal) => await release.write(ordinal, bytes, () => placed.push(ordinal))));
    // Not a turn of the event loop has passed.
    expect(placed).toEqual([...chunks.keys()]);
    for (const [ordinal, bytes] of chunks.entries()) expect(Buffer.compare(bytes, (await release.read(ordinal, unending)) ?? new Uint8Array(0))).toBe(0);
    await writes;
    await release.finish(unending);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
