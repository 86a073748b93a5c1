// Upload sessions: what is missing, what arrived, and whether it is whole. Chunks go straight to the store, synced frame by frame,
// so a session is only a memory of what was asked: losing one costs a round trip, never a byte that was acknowledged.

import { createHash, hash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { createBitmap, type Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import type { Revision } from '../../proto/revision.ts';
import type { ChunkRef } from '../../proto/tree.ts';
import { decodeUploadFrame } from '../../proto/upload-frame.ts';
import type { CompleteReply, SessionReply } from '../../proto/upload.ts';
import type { Clock } from '../clock.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import type { Chunk, ChunkStore } from '../content/store.ts';
import { DaemonError } from '../errors.ts';
import type { Link } from '../link/link.ts';
import type { Bearer, Ownership, Uploads } from './upload.ts';

const decompress = promisify(zstdDecompress);

/** Chunk ids asked of the store or the ownership index in one call: bounds the memory of a question about a million chunks. */
const questionIdsMax = 8192;

/** What sessions need of the rest of the proxy. */
export interface SessionsDeps {
  readonly store: ChunkStore;
  readonly ownership: Ownership;
  readonly manifests: Manifests;
  readonly link: Link;
  readonly clock: Clock;
  /** A fresh, unguessable session id. */
  readonly newId: () => string;
  /** Called with each revision that is whole and kept, before the control plane hears of it: from then on it is served. */
  readonly onRevision: (manifest: Manifest) => void;
  readonly onReceived: (bytes: number) => void;
}

interface Session {
  readonly id: string;
  readonly project: string;
  readonly user: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly revision: Revision;
  readonly alias: string | undefined;
  manifest: Manifest | undefined;
  missing: Bitmap | undefined;
  receivedBytes: number;
  usedAt: number;
}

/** Sessions over one store. */
export function createUploads(deps: SessionsDeps): Uploads {
  const sessions = new Map<string, Session>();
  const find = (bearer: Bearer, id: string): Session => found(sessions, bearer, id, deps.clock.monotonic());

  return {
    async open(bearer, bytes, alias) {
      forget(sessions, deps.clock.monotonic());
      const revision = decodeRevision(bytes);
      if (revision.app !== bearer.grant.app) {
        throw new DaemonError('FORBIDDEN', `the grant is for application '${bearer.grant.app}', the revision is of '${revision.app}'`);
      }
      if (sessions.size >= limits.uploadSessionsMax) {
        throw new DaemonError('TOO_MANY_SESSIONS', `this proxy has ${sessions.size} uploads under way, its limit; try again in a minute or use another proxy`);
      }
      const { project, user } = bearer.grant;
      const digest = hash('sha256', bytes);
      const session: Session = { id: deps.newId(), project, user, digest, bytes, revision, alias, manifest: undefined, missing: undefined, receivedBytes: bytes.length, usedAt: deps.clock.monotonic() };
      deps.onReceived(bytes.length);
      await begin(deps, sessions, session);
      return describe(session);
    },

    async index(bearer, id, compressed) {
      const session = find(bearer, id);
      received(deps, session, compressed.length);
      const index = await inflate(compressed, session.revision.indexBytes);
      await takeIndex(deps, session, index);
      return describe(session);
    },

    async frame(bearer, id, compressed, { signal }) {
      const session = find(bearer, id);
      received(deps, session, compressed.length);
      if (session.manifest === undefined || session.missing === undefined) throw new DaemonError('INCOMPLETE', 'the tree index must come before the chunks');
      const frame = await inflate(compressed, limits.uploadFrameBytesMax);
      const chunks = checkFrame(session.manifest, frame);
      await deps.store.put(chunks.map(({ chunk }) => chunk), { signal });
      await deps.ownership.add(session.project, chunks.map(({ chunk }) => chunk.id));
      for (const { ordinal } of chunks) session.missing.clear(ordinal);
    },

    *chunksInUse() {
      for (const session of sessions.values()) yield* chunksOf(session);
    },

    async complete(bearer, id, { signal }) {
      const session = find(bearer, id);
      const manifest = await wholeManifest(deps, session);
      await verifyFiles(deps, session.project, manifest, signal);
      await deps.manifests.keep(manifest);
      deps.onRevision(manifest);
      const reply = await deps.link.handOver(
        {
          grant: bearer.compact,
          manifest: Buffer.from(session.bytes).toString('base64'),
          uploadedBytes: session.receivedBytes,
          ...(session.alias === undefined ? {} : { alias: session.alias }),
        },
        { signal },
      );
      sessions.delete(session.id);
      return { ...reply, receivedBytes: session.receivedBytes } satisfies CompleteReply;
    },
  };
}

/** @throws {DaemonError} UNKNOWN_SESSION when there is none of that id, or it is not theirs. */
function found(sessions: ReadonlyMap<string, Session>, { grant }: Bearer, id: string, now: number): Session {
  const session = sessions.get(id);
  if (session === undefined || session.project !== grant.project || session.user !== grant.user || session.revision.app !== grant.app) {
    throw new DaemonError('UNKNOWN_SESSION', `there is no upload session '${id}' for you here; open one again, what was acknowledged is kept`);
  }
  session.usedAt = now;
  return session;
}

function* chunksOf({ revision, manifest }: Session): Generator<Digest> {
  for (const { id } of revision.indexChunks) yield id;
  if (manifest === undefined) return;
  for (let ordinal = 0; ordinal < manifest.tree.chunkCount; ordinal += 1) yield manifest.tree.chunk(ordinal).id;
}

function forget(sessions: Map<string, Session>, now: number): void {
  for (const [id, session] of sessions) if (now - session.usedAt > limits.uploadSessionIdleMs) sessions.delete(id);
}

function received(deps: SessionsDeps, session: Session, bytes: number): void {
  session.receivedBytes += bytes;
  deps.onReceived(bytes);
}

function describe(session: Session): SessionReply {
  const { id, digest, manifest, missing } = session;
  if (manifest === undefined || missing === undefined) {
    return { session: id, revision: digest, needs: 'index', missingBytes: session.revision.indexBytes };
  }
  if (missing.count === 0) return { session: id, revision: digest, needs: 'whole', missingBytes: 0 };
  let missingBytes = 0;
  for (const { from, to } of missing.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) missingBytes += manifest.tree.chunkLength(ordinal);
  return { session: id, revision: digest, needs: 'chunks', missing: Buffer.from(missing.toBytes()).toString('base64'), missingBytes };
}

/** Counted before anything is awaited: so those who open one at the same moment are within the bound too, and what it names is no garbage. */
async function begin(deps: SessionsDeps, sessions: Map<string, Session>, session: Session): Promise<void> {
  sessions.set(session.id, session);
  try {
    await adoptOwnedIndex(deps, session);
  } catch (cause) {
    sessions.delete(session.id);
    throw cause;
  }
}

/** When this project already sent this very index, it need not travel again. */
async function adoptOwnedIndex(deps: SessionsDeps, session: Session): Promise<void> {
  const [owned] = await deps.ownership.owns(session.project, [session.revision.tree]);
  if (owned !== true) return;
  const parts: Uint8Array[] = [];
  for (const { id } of session.revision.indexChunks) {
    const part = await deps.store.get(id, { signal: AbortSignal.timeout(limits.uploadSessionIdleMs) });
    if (part === undefined) return;
    parts.push(part);
  }
  const index = Buffer.concat(parts);
  if (hash('sha256', index) !== session.revision.tree) return;
  session.manifest = deps.manifests.assemble(session.digest, session.bytes, index);
  session.missing = await missingOrdinals(deps, session.project, session.manifest);
}

async function takeIndex(deps: SessionsDeps, session: Session, index: Uint8Array): Promise<void> {
  if (hash('sha256', index) !== session.revision.tree) {
    throw new DaemonError('CORRUPT_CHUNK', `the tree index hashes to ${hash('sha256', index)}, the revision manifest says ${session.revision.tree}; send it again`);
  }
  const manifest = deps.manifests.assemble(session.digest, session.bytes, index);
  const chunks = cutIndex(session.revision.indexChunks, index);
  await deps.store.put(chunks, { signal: AbortSignal.timeout(limits.uploadSessionIdleMs) });
  await deps.ownership.add(session.project, [...chunks.map(({ id }) => id), session.revision.tree]);
  session.manifest = manifest;
  session.missing = await missingOrdinals(deps, session.project, manifest);
}

function cutIndex(refs: readonly ChunkRef[], index: Uint8Array): Chunk[] {
  let offset = 0;
  const chunks = refs.map(({ id, length }) => {
    const bytes = index.subarray(offset, offset + length);
    offset += length;
    if (hash('sha256', bytes) !== id) throw new DaemonError('CORRUPT_CHUNK', `a chunk of the tree index hashes to ${hash('sha256', bytes)}, the revision manifest says ${id}`);
    return { id, bytes };
  });
  if (offset !== index.length) throw new ProtocolError('MALFORMED', `the chunks of the tree index cover ${offset} of its ${index.length} bytes`);
  return chunks;
}

async function missingOrdinals(deps: SessionsDeps, project: string, manifest: Manifest): Promise<Bitmap> {
  const missing = createBitmap(manifest.tree.chunkCount);
  for (let from = 0; from < missing.size; from += questionIdsMax) {
    const ids: Digest[] = [];
    for (let ordinal = from; ordinal < Math.min(missing.size, from + questionIdsMax); ordinal += 1) ids.push(manifest.tree.chunk(ordinal).id);
    const owned = await deps.ownership.owns(project, ids);
    const held = await deps.store.has(ids);
    ids.forEach((_, at) => {
      if (owned[at] !== true || held[at] !== true) missing.set(from + at);
    });
  }
  return missing;
}

function checkFrame(manifest: Manifest, frame: Uint8Array): { readonly ordinal: number; readonly chunk: Chunk }[] {
  return decodeUploadFrame(frame).map(({ ordinal, bytes }) => {
    if (ordinal >= manifest.tree.chunkCount) throw new ProtocolError('MALFORMED', `ordinal ${ordinal} is past the ${manifest.tree.chunkCount} chunks of the tree`);
    const { id, length } = manifest.tree.chunk(ordinal);
    if (bytes.length !== length || hash('sha256', bytes) !== id) {
      throw new DaemonError('CORRUPT_CHUNK', `chunk ${ordinal} has ${bytes.length} bytes that hash to ${hash('sha256', bytes)}; expected ${length} bytes that hash to ${id}; did its file change during the push?`);
    }
    return { ordinal, chunk: { id, bytes } };
  });
}

async function wholeManifest(deps: SessionsDeps, session: Session): Promise<Manifest> {
  if (session.manifest === undefined) throw new DaemonError('INCOMPLETE', 'the tree index has not been sent');
  const missing = await missingOrdinals(deps, session.project, session.manifest);
  session.missing = missing;
  if (missing.count > 0) throw new DaemonError('INCOMPLETE', `${missing.count} of ${missing.size} chunks have not been sent, the first is chunk ${missing.ranges(1)[0]?.from ?? 0}`);
  return session.manifest;
}

/** Files of several chunks: that the chunks in this order are the file is a claim of the client until it is hashed here. */
async function verifyFiles(deps: SessionsDeps, project: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
  const { tree } = manifest;
  const verified: Digest[] = [];
  for (const entry of tree.entries()) {
    if (entry.kind !== 'file' || entry.chunks.length < 2) continue;
    const [owned] = await deps.ownership.owns(project, [entry.digest]);
    if (owned === true) continue;
    const digest = createHash('sha256');
    for (const ordinal of entry.chunks) {
      const bytes = await deps.store.get(tree.chunk(ordinal).id, { signal });
      if (bytes === undefined) throw new DaemonError('INCOMPLETE', `chunk ${ordinal} of '${entry.path}' is no longer held; push again`);
      digest.update(bytes);
    }
    const found = digest.digest('hex');
    if (found !== entry.digest) throw new DaemonError('CORRUPT_CHUNK', `'${entry.path}' hashes to ${found}, the tree index says ${entry.digest}`);
    verified.push(entry.digest);
  }
  if (verified.length > 0) await deps.ownership.add(project, verified);
}

/** Decompresses at most `bytesMax`: a bomb stops one byte past it. */
async function inflate(compressed: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  try {
    return await decompress(compressed, { maxOutputLength: bytesMax });
  } catch (cause) {
    throw new ProtocolError('MALFORMED', `a body is not zstd of at most ${bytesMax} bytes: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
