// The bytes of a revision manifest: canonical DAG-CBOR, so that one revision has one digest. A map with the fields of `Revision` under
// their own names; digests are 32 bytes, each index chunk is a pair [digest, length]. What the fields mean is in revision.ts.

import * as dagCbor from '@ipld/dag-cbor';
import { type Digest, digestFromBytes, digestToBytes } from './cid.ts';
import { parseDeploySpec } from './deploy-spec-codec.ts';
import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { quoted } from './path.ts';
import { chunkerProfile, type Revision } from './revision.ts';
import type { ChunkRef } from './tree.ts';

const format = 'starling.revision/1';
const keys = ['app', 'bytes', 'chunker', 'chunks', 'entries', 'format', 'indexBytes', 'indexChunks', 'spec', 'tree'];
const appPattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/**
 * The one encoding of a revision; its sha2-256 is the revision's identifier.
 * @throws {ProtocolError} when no decoder would accept it.
 */
export function encodeRevision(revision: Revision): Uint8Array {
  checkRevision(revision);
  const bytes = encodeChecked(revision);
  checkLength(bytes);
  return bytes;
}

/**
 * The revision in `bytes`. Defaults of the deploy spec are not filled in.
 * @throws {ProtocolError} TOO_LARGE, UNSUPPORTED_VERSION, INVALID_NAME, MALFORMED, or NOT_CANONICAL when the same revision is
 * encoded otherwise.
 */
export function decodeRevision(bytes: Uint8Array): Revision {
  checkLength(bytes);
  const revision = revisionFrom(decodeCbor(bytes));
  checkRevision(revision);
  if (Buffer.compare(encodeChecked(revision), bytes) !== 0) {
    throw new ProtocolError('NOT_CANONICAL', 'the revision manifest is not in canonical DAG-CBOR');
  }
  return revision;
}

function encodeChecked(revision: Revision): Uint8Array {
  const { app, bytes, chunker, chunks, entries, indexBytes, spec } = revision;
  const indexChunks = revision.indexChunks.map(({ id, length }) => [digestToBytes(id), length]);
  return dagCbor.encode({ app, bytes, chunker, chunks, entries, format, indexBytes, indexChunks, spec, tree: digestToBytes(revision.tree) });
}

function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return dagCbor.decode(bytes);
  } catch (cause) {
    // The library throws plain errors, and RangeError where nesting exhausts the stack.
    throw new ProtocolError('MALFORMED', 'the revision manifest is not DAG-CBOR', { cause });
  }
}

function revisionFrom(value: unknown): Revision {
  if (!isRecord(value)) throw new ProtocolError('MALFORMED', 'the revision manifest is not a map');
  if (value['format'] !== format) {
    throw new ProtocolError('UNSUPPORTED_VERSION', `the revision's format is ${shown(value['format'])}; this program reads '${format}'`);
  }
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw new ProtocolError('MALFORMED', `the revision manifest has an unknown field ${quoted(unknown)}`);
  if (value['chunker'] !== chunkerProfile) {
    throw new ProtocolError('UNSUPPORTED_VERSION', `the revision's chunker is ${shown(value['chunker'])}; this program cuts with '${chunkerProfile}'`);
  }
  const { app, indexChunks } = value;
  if (typeof app !== 'string') throw new ProtocolError('MALFORMED', "the revision's 'app' is not a string");
  if (!Array.isArray(indexChunks)) throw new ProtocolError('MALFORMED', "the revision's 'indexChunks' is not a list");
  return {
    format,
    app,
    chunker: chunkerProfile,
    tree: digestField(value['tree'], 'tree'),
    indexBytes: countField(value['indexBytes'], 'indexBytes'),
    indexChunks: indexChunks.map(chunkRefFrom),
    entries: countField(value['entries'], 'entries'),
    chunks: countField(value['chunks'], 'chunks'),
    bytes: countField(value['bytes'], 'bytes'),
    spec: parseDeploySpec(value['spec']),
  };
}

function chunkRefFrom(value: unknown): ChunkRef {
  if (!Array.isArray(value) || value.length !== 2) {
    throw new ProtocolError('MALFORMED', "an entry of the revision's 'indexChunks' is not a pair of digest and length");
  }
  return { id: digestField(value[0], 'indexChunks'), length: countField(value[1], 'indexChunks') };
}

/** What must hold between the fields and for each, whoever made the revision. */
function checkRevision(revision: Revision): void {
  const { app, indexBytes, indexChunks, entries, chunks, bytes } = revision;
  if (app.length > limits.nameLengthMax || !appPattern.test(app)) {
    throw new ProtocolError(
      'INVALID_NAME',
      `${quoted(app)} is not a name of 1 to ${limits.nameLengthMax} lower-case letters, digits and inner hyphens`,
    );
  }
  checkAtMost('indexBytes', indexBytes, limits.indexBytesMax);
  checkAtMost('entries', entries, limits.treeEntriesMax);
  checkAtMost('chunks', chunks, limits.treeChunksMax);
  checkAtMost('bytes', bytes, Number.MAX_SAFE_INTEGER);
  let sum = 0;
  for (const { length } of indexChunks) {
    checkAtMost('indexChunks', length, limits.chunkBytesMax);
    if (length === 0) throw new ProtocolError('MALFORMED', "a chunk of the revision's 'indexChunks' is empty");
    sum += length;
  }
  if (sum !== indexBytes || sum === 0) {
    throw new ProtocolError('MALFORMED', `the revision's index chunks have ${sum} bytes; 'indexBytes' is ${indexBytes}`);
  }
  parseDeploySpec(revision.spec);
}

function checkAtMost(field: string, value: number, maximum: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ProtocolError('MALFORMED', `the revision's '${field}' is ${value}, not a whole number from 0`);
  }
  if (value > maximum) throw new ProtocolError('TOO_LARGE', `the revision's '${field}' is ${value}; at most ${maximum} is allowed`);
}

function checkLength(bytes: Uint8Array): void {
  if (bytes.length > limits.revisionBytesMax) {
    throw new ProtocolError('TOO_LARGE', `the revision manifest has ${bytes.length} bytes; at most ${limits.revisionBytesMax} are allowed`);
  }
}

function digestField(value: unknown, field: string): Digest {
  if (!(value instanceof Uint8Array)) throw new ProtocolError('MALFORMED', `the revision's '${field}' holds no bytes where a digest belongs`);
  return digestFromBytes(value);
}

function countField(value: unknown, field: string): number {
  if (typeof value !== 'number') throw new ProtocolError('MALFORMED', `the revision's '${field}' holds no whole number where one belongs`);
  return value;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? quoted(value) : 'missing or no text';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
