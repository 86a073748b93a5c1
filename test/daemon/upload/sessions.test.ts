// Upload sessions: what is asked for, what is refused, and that nothing is whole before it is.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeBitmap } from '../../../proto/bitmap.ts';
import { encodeUploadFrame } from '../../../proto/upload-frame.ts';
import type { SessionReply } from '../../../proto/upload.ts';
import { openManifests } from '../../../daemon/content/manifests.ts';
import { openPackStore, type PackStore } from '../../../daemon/content/pack/pack.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { createUploads } from '../../../daemon/upload/sessions.ts';
import type { Bearer, Uploads } from '../../../daemon/upload/upload.ts';
import { buildRevision, type BuiltRevision } from '../../support/revisions.ts';

const signal = new AbortController().signal;
let directory: string;
let store: PackStore;
let uploads: Uploads;
let handedOver: number;

function bearer(project: string, app = 'web'): Bearer {
  return { compact: 'grant', grant: { id: 'grant-0001', project, app, user: `user-${project}`, notBefore: 0, notAfter: 4_000_000_000 } };
}

async function open(): Promise<void> {
  store = await openPackStore(join(directory, 'store'));
  let id = 0;
  uploads = createUploads({
    store,
    ownership: store.ownership,
    manifests: await openManifests(join(directory, 'manifests')),
    clock: systemClock,
    newId: () => `session-${(id += 1)}`,
    onRevision: () => undefined,
    onReceived: () => undefined,
    link: {
      sync: () => Promise.reject(new Error('not used')),
      report: () => Promise.reject(new Error('not used')),
      manifest: () => Promise.reject(new Error('not used')),
      handOver: () => Promise.resolve({ app: 'web', revision: 'a'.repeat(64), number: (handedOver += 1), created: true }),
    },
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-upload-'));
  handedOver = 0;
  await open();
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

function ordinals(reply: SessionReply, built: BuiltRevision): number[] {
  const missing = decodeBitmap(Buffer.from(reply.missing ?? '', 'base64'), built.tree.chunkCount);
  return missing.ranges().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at));
}

async function send(who: Bearer, built: BuiltRevision, reply: SessionReply): Promise<void> {
  const parts = ordinals(reply, built).map((ordinal) => ({ ordinal, bytes: built.chunk(ordinal) }));
  await uploads.frame(who, reply.session, zstdCompressSync(encodeUploadFrame(parts)), { signal });
}

async function push(who: Bearer, built: BuiltRevision): Promise<number> {
  let reply = await uploads.open(who, built.manifest, undefined, { signal });
  if (reply.needs === 'index') reply = await uploads.index(who, reply.session, zstdCompressSync(built.index), { signal });
  const asked = reply.needs === 'chunks' ? ordinals(reply, built).length : 0;
  if (reply.needs === 'chunks') await send(who, built, reply);
  await uploads.complete(who, reply.session, { signal });
  return asked;
}

describe('upload sessions', () => {
  test('ask for everything at first, and only for what differs afterwards', async () => {
    const first = buildRevision('web', { 'a.txt': 'one', 'b.txt': 'two', 'c.txt': 'three' });
    const second = buildRevision('web', { 'a.txt': 'one', 'b.txt': 'two, changed', 'c.txt': 'three' });
    expect(await push(bearer('shop'), first)).toBe(3);
    expect(await push(bearer('shop'), second)).toBe(1);
    expect(await push(bearer('shop'), second)).toBe(0);
  });

  test('do not ask again for what was acknowledged before a restart', async () => {
    const built = buildRevision('web', { 'a.txt': 'one', 'b.txt': 'two' });
    const who = bearer('shop');
    const opened = await uploads.open(who, built.manifest, undefined, { signal });
    const reply = await uploads.index(who, opened.session, zstdCompressSync(built.index), { signal });
    await uploads.frame(who, reply.session, zstdCompressSync(encodeUploadFrame([{ ordinal: 0, bytes: built.chunk(0) }])), { signal });
    await store.close();
    await open();
    const again = await uploads.open(who, built.manifest, undefined, { signal });
    expect(again.needs).toBe('chunks');
    expect(ordinals(again, built)).toEqual([1]);
  });

  test('tell one project nothing of what another has sent', async () => {
    const built = buildRevision('web', { 'a.txt': 'secret of the shop' });
    await push(bearer('shop'), built);
    expect(await push(bearer('rival'), built)).toBe(1);
  });

  test('refuse to complete what is not whole', async () => {
    const built = buildRevision('web', { 'a.txt': 'one', 'b.txt': 'two' });
    const who = bearer('shop');
    const { session } = await uploads.open(who, built.manifest, undefined, { signal });
    await expect(uploads.complete(who, session, { signal })).rejects.toMatchObject({ code: 'INCOMPLETE' });
    await uploads.index(who, session, zstdCompressSync(built.index), { signal });
    await expect(uploads.complete(who, session, { signal })).rejects.toMatchObject({ code: 'INCOMPLETE' });
    expect(handedOver).toBe(0);
  });

  test('keep nothing whose bytes are not what the identifier says', async () => {
    const built = buildRevision('web', { 'a.txt': 'one' });
    const who = bearer('shop');
    const { session } = await uploads.open(who, built.manifest, undefined, { signal });
    await expect(uploads.index(who, session, zstdCompressSync(Buffer.from('another index')), { signal })).rejects.toMatchObject({ code: 'CORRUPT_CHUNK' });
    await uploads.index(who, session, zstdCompressSync(built.index), { signal });
    const wrong = zstdCompressSync(encodeUploadFrame([{ ordinal: 0, bytes: Buffer.from('onE') }]));
    await expect(uploads.frame(who, session, wrong, { signal })).rejects.toMatchObject({ code: 'CORRUPT_CHUNK' });
    expect(await store.has([built.tree.chunk(0).id])).toEqual([false]);
  });

  test('stop a decompression bomb at the announced size', async () => {
    const built = buildRevision('web', { 'a.txt': 'one' });
    const { session } = await uploads.open(bearer('shop'), built.manifest, undefined, { signal });
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    await expect(uploads.index(bearer('shop'), session, bomb, { signal })).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('are nobody else\'s', async () => {
    const built = buildRevision('web', { 'a.txt': 'one' });
    const { session } = await uploads.open(bearer('shop'), built.manifest, undefined, { signal });
    const own = bearer('shop');
    for (const other of [bearer('rival'), { ...own, grant: { ...own.grant, user: 'user-other' } }, { ...own, grant: { ...own.grant, project: 'other' } }, bearer('shop', 'api')]) {
      await expect(uploads.complete(other, session, { signal })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' });
    }
    await expect(uploads.complete(own, session, { signal })).rejects.toMatchObject({ code: 'INCOMPLETE' });
    await expect(uploads.open(bearer('shop', 'api'), built.manifest, undefined, { signal })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('check that the chunks of a large file make up the file', async () => {
    const large = Buffer.alloc(300_000, 'x');
    const built = buildRevision('web', { 'large.bin': large }, { wrongDigestOf: 'large.bin' });
    await expect(push(bearer('shop'), built)).rejects.toMatchObject({ code: 'CORRUPT_CHUNK' });
    expect(handedOver).toBe(0);
  });

  test('are bounded in number, also when many are opened at the same moment', async () => {
    const opened = await Promise.allSettled(Array.from({ length: 70 }, async (_, count) => await uploads.open(bearer('shop'), buildRevision('web', { 'a.txt': `${count}` }).manifest, undefined, { signal })));
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(64);
    await expect(uploads.open(bearer('shop'), buildRevision('web', { 'a.txt': 'more' }).manifest, undefined, { signal })).rejects.toMatchObject({ code: 'TOO_MANY_SESSIONS' });
  });
});
