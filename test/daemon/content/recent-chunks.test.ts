// Chunks kept in memory for a moment: which are kept, and how many.

import { describe, expect, it } from 'vitest';
import { createRecentChunks } from '../../../daemon/content/recent-chunks.ts';

describe('recent chunks', () => {
  it('are the newest, within their bound', () => {
    const recent = createRecentChunks(10);
    for (const ordinal of [1, 2, 3]) recent.add(ordinal, new Uint8Array(4).fill(ordinal));
    expect([1, 2, 3].map((ordinal) => recent.get(ordinal)?.[0])).toEqual([undefined, 2, 3]);
  });

  it('do not begin with one that is larger than all of them may be', () => {
    const recent = createRecentChunks(10);
    recent.add(1, new Uint8Array(4));
    recent.add(2, new Uint8Array(11));
    expect(recent.get(2)).toBeUndefined();
    expect(recent.get(1)).toHaveLength(4);
  });
});
