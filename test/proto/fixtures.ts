// Values that the tests of proto share: repeatable bytes, identifiers, a small tree, a revision, one message of each kind, and generators.
// The golden vectors are made of these; test/vectors/generate.ts says how.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Digest } from '../../proto/cid.ts';
import { defaultDeploySpec, type DeploySpec } from '../../proto/deploy-spec.ts';
import { ProtocolError } from '../../proto/errors.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import { checkPath } from '../../proto/path.ts';
import { chunkerProfile, type Revision } from '../../proto/revision.ts';
import type { EntryInput } from '../../proto/tree-index.ts';
import type { ChunkRef } from '../../proto/tree.ts';

/** sha2-256 of a text: identifiers for chunks that no test has to hold. */
export function digestOf(text: string | Uint8Array): Digest {
  return createHash('sha256').update(text).digest('hex');
}

/** Bytes that look random and are the same everywhere: sha2-256 of "seed:0", "seed:1" and so on, one after the other. */
export function repeatableBytes(seed: string, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    createHash('sha256').update(`${seed}:${index}`).digest(),
  );
  return Uint8Array.from(Buffer.concat(blocks).subarray(0, length));
}

/** A chunk that is named by a word. */
export function chunkOf(word: string, length: number): ChunkRef {
  return { id: digestOf(word), length };
}

/** A file whose chunks are these; the digest of one of several chunks is made up from its path. */
export function fileOf(path: string, chunks: readonly ChunkRef[], mode = 0o644): EntryInput {
  const size = chunks.reduce((sum, { length }) => sum + length, 0);
  const [first] = chunks;
  const digest = first === undefined ? digestOf('') : chunks.length === 1 ? first.id : digestOf(`file ${path}`);
  return { kind: 'file', path, mode, size, digest, chunks };
}

export function directoryOf(path: string, mode = 0o755): EntryInput {
  return { kind: 'directory', path, mode };
}

export function linkOf(path: string, target: string): EntryInput {
  return { kind: 'symlink', path, target };
}

/** One of everything: shared chunks, a file of several, an empty one, names between a directory and what is in it, links, no ASCII. */
export const smallTree: readonly EntryInput[] = [
  directoryOf('bin'),
  fileOf('bin/run', [chunkOf('run', 512)], 0o755),
  directoryOf('lib'),
  fileOf('lib-old.txt', [chunkOf('readme', 40)]),
  fileOf('lib.txt', []),
  fileOf('lib/app.wasm', [chunkOf('wasm 1', 70_000), chunkOf('wasm 2', 65_536), chunkOf('wasm 1', 70_000), chunkOf('wasm 3', 9)]),
  fileOf('lib/copy.wasm', [chunkOf('wasm 2', 65_536), chunkOf('wasm 3', 9)]),
  linkOf('lib/latest', '../bin/run'),
  fileOf('lib/libc6:amd64.list', [chunkOf('readme', 40)]),
  directoryOf('systemd', 0o500),
  fileOf('systemd/dev-disk-x\\x2dy.mount', [chunkOf('unit', 262_144)], 0o444),
  fileOf('Übersicht 概要 🐦.md', [chunkOf('readme', 40)]),
  linkOf('Überblick', 'Übersicht 概要 🐦.md'),
];

/** A deploy spec that uses a bit of everything. */
export const richSpec: DeploySpec = {
  apiVersion: 'starling/v1',
  kind: 'DeploySpec',
  install: { layout: 'releases', keepReleases: 3, shared: { directories: ['data'] } },
  hooks: { preActivate: [{ run: ['bin/migrate', '--to', 'latest'], timeoutSeconds: 0.5 }] },
  service: { manager: 'process', command: ['node', 'server.js'], env: { NODE_ENV: 'production' }, stopTimeoutSeconds: 5 },
  health: [{ kind: 'http', url: 'http://127.0.0.1:${PORT}/healthz', successes: 2 }],
};

export const smallRevision: Revision = {
  format: 'starling.revision/1',
  app: 'web',
  chunker: chunkerProfile,
  tree: digestOf('index'),
  indexBytes: 70_001,
  indexChunks: [chunkOf('index 1', 65_000), chunkOf('index 2', 5_001)],
  entries: 11,
  chunks: 7,
  bytes: 123_456_789_012,
  spec: richSpec,
};

export const plainRevision: Revision = { ...smallRevision, app: 'a', indexBytes: 8, indexChunks: [chunkOf('index', 8)], spec: defaultDeploySpec };

/** One message of each kind, and the kinds with two forms twice. */
export const everyMessage: readonly ExchangeMessage[] = [
  { kind: 'open', topic: 1, blob: 'tree', revision: digestOf('revision'), held: Uint8Array.of(0b1010_0101, 0x01) },
  { kind: 'open', topic: 0xffffffff, blob: 'index', revision: digestOf('revision'), held: new Uint8Array(0) },
  { kind: 'close', topic: 7 },
  { kind: 'have', topic: 7, ranges: [{ from: 5, to: 6 }, { from: 0, to: 3 }] },
  { kind: 'request', topic: 7, request: 9, ranges: [{ from: 0, to: 0xffffffff }] },
  { kind: 'data', topic: 7, request: 9, ordinal: 2, compression: 'none', bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'data', topic: 7, request: 9, ordinal: 3, compression: 'zstd', bytes: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd) },
  { kind: 'busy', request: 9, retryAfterMs: 250 },
  { kind: 'absent', request: 9, ranges: [{ from: 2, to: 3 }] },
  { kind: 'elsewhere', request: 9, holders: ['12D3KooWAbc', '12D3KooWDef'] },
  { kind: 'elsewhere', request: 10, holders: [] },
  { kind: 'cancel', request: 9 },
  { kind: 'want-manifest', request: 11, revision: digestOf('revision') },
  { kind: 'manifest', request: 11, bytes: Uint8Array.of(0xa0) },
  { kind: 'manifest', request: 12, bytes: new Uint8Array(0) },
  { kind: 'open', topic: 3, blob: 'delta', revision: digestOf('set'), held: Uint8Array.of(0b111) },
  { kind: 'want-delta', request: 13, to: digestOf('to'), bases: [digestOf('from'), digestOf('older')] },
  { kind: 'delta', request: 13, etaMs: 0, statement: 'eyJh.eyJi.c2ln', descriptor: Uint8Array.of(1, 2, 3) },
  { kind: 'delta', request: 14, etaMs: 1500, statement: '', descriptor: new Uint8Array(0) },
  { kind: 'bulk', port: 7404, token: Uint8Array.from({ length: 16 }, (_, at) => at) },
  { kind: 'bulk', port: 0, token: new Uint8Array(0) },
  { kind: 'mark', number: 3 },
  { kind: 'taken', number: 2 ** 40 + 1 },
  { kind: 'suggest', topic: 7, ranges: [{ from: 5, to: 9 }] },
];

/** What `decode` gives, or its ProtocolError's code. Any other error goes through and fails the test. */
export function outcome<Value>(decode: () => Value): { readonly value: Value } | { readonly code: string } {
  try {
    return { value: decode() };
  } catch (error) {
    if (error instanceof ProtocolError) return { code: error.code };
    throw error;
  }
}

/** `base` with one to four bytes changed, taken out or put in, or cut short. */
export function mutated(base: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'flip', 'remove', 'insert', 'cut'), byte: fc.nat(255) });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    let bytes = [...base];
    for (const { at, kind, byte } of edits) {
      const position = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === 'set') bytes[position] = byte;
      else if (kind === 'flip') bytes[position] = (bytes[position] ?? 0) ^ (1 << (byte & 7));
      else if (kind === 'remove') bytes.splice(position, 1);
      else if (kind === 'insert') bytes.splice(position, 0, byte);
      else bytes = bytes.slice(0, position);
    }
    return Uint8Array.from(bytes);
  });
}

const partArbitrary = fc
  .oneof(
    fc.stringMatching(/^[a-zA-Z0-9 ._:\\-]{1,12}$/),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).map((text) => text.normalize('NFC')),
  )
  .filter((part) => 'value' in outcome(() => checkPath(part)) && !part.includes('/'));

const contentArbitrary: fc.Arbitrary<readonly ChunkRef[]> = fc.oneof(
  fc.constant([]),
  fc.integer({ min: 1, max: 9 }).map((number) => [chunkOf(`small ${number}`, number * 100)]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 5 }).map((numbers) => numbers.map((number) => chunkOf(`large ${number}`, 70_000 + number))),
);

/** Entries of a valid case-sensitive tree, in no order: a set of paths closed under "parent", with anything at its leaves. */
export const treeArbitrary: fc.Arbitrary<readonly EntryInput[]> = fc
  .array(
    fc.record({
      parts: fc.array(partArbitrary, { minLength: 1, maxLength: 4 }),
      leaf: fc.constantFrom('file', 'directory', 'symlink'),
      mode: fc.integer({ min: 0, max: 0o777 }).map((mode) => mode & 0o755),
      content: contentArbitrary,
    }),
    { maxLength: 20 },
  )
  .map((leaves) => {
    const entries = new Map<string, EntryInput>();
    for (const { parts } of leaves) {
      for (let depth = 1; depth < parts.length; depth += 1) {
        const path = parts.slice(0, depth).join('/');
        entries.set(path, directoryOf(path));
      }
    }
    for (const { parts, leaf, mode, content } of leaves) {
      const path = parts.join('/');
      if (entries.has(path)) continue;
      if (leaf === 'file') entries.set(path, fileOf(path, content, mode));
      else entries.set(path, leaf === 'directory' ? directoryOf(path, mode) : linkOf(path, `${'../'.repeat(parts.length - 1)}x`));
    }
    return [...entries.values()];
  });
