// Revisions out of a few literal files, for tests that need a real manifest and real chunks but no disk.

import { hash } from 'node:crypto';
import { createRevision } from '../../daemon/content/ingest/ingest.ts';
import { chunkLengths, isSingleChunk } from '../../proto/chunker.ts';
import { createTreeBuilder } from '../../proto/tree-index.ts';
import type { ChunkRef, Tree } from '../../proto/tree.ts';

/** A revision with everything that a client would send of it. */
export interface BuiltRevision {
  readonly tree: Tree;
  readonly index: Uint8Array;
  readonly manifest: Uint8Array;
  readonly digest: string;
  chunk(ordinal: number): Uint8Array;
}

function cutAll(bytes: Uint8Array): { readonly refs: readonly ChunkRef[]; readonly parts: readonly Uint8Array[] } {
  if (bytes.length === 0) return { refs: [], parts: [] };
  const lengths = isSingleChunk(bytes.length) ? [bytes.length] : chunkLengths(bytes);
  let offset = 0;
  const parts = lengths.map((length) => bytes.subarray(offset, (offset += length)));
  return { parts, refs: parts.map((part) => ({ id: hash('sha256', part), length: part.length })) };
}

/** Files by path (no directories in it); `wrongDigestOf` lies about one file's whole digest. */
export function buildRevision(app: string, files: Readonly<Record<string, string | Uint8Array>>, options: { readonly wrongDigestOf?: string } = {}): BuiltRevision {
  const builder = createTreeBuilder({ caseSensitive: false });
  const contents = new Map<string, Uint8Array>();
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const { refs, parts } = cutAll(bytes);
    refs.forEach(({ id }, at) => contents.set(id, parts[at] ?? new Uint8Array()));
    const digest = path === options.wrongDigestOf ? hash('sha256', 'a lie') : hash('sha256', bytes);
    builder.add({ kind: 'file', path, mode: 0o644, size: bytes.length, digest, chunks: refs });
  }
  const { bytes: index, tree } = builder.finish();
  const { bytes: manifest, digest } = createRevision(app, { tree, index, digest: hash('sha256', index), indexChunks: cutAll(index).refs });
  return { tree, index, manifest, digest, chunk: (ordinal) => contents.get(tree.chunk(ordinal).id) ?? new Uint8Array() };
}
