// The event stream over real sockets: what is on record, what happens, where to go on, and readers that do not read.

import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Feed, streamEvent } from '../../../control/http/feed.ts';
import { stuckMs } from '../../../control/http/events.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import { openProjection } from '../../../control/run/projection.ts';
import { ManualClock, TestControl, until } from './harness.ts';

describe('GET /v1/events', () => {
  test('sends what is on record, says where that ends, and goes on with what happens', async () => {
    await using control = await TestControl.start();
    await control.post('/v1/apps', { app: 'web' });
    const reader = await control.follow();
    expect(await reader.next()).toMatchObject({ id: '1', event: 'dev.starling.token.created.v1' });
    const created = await reader.next();
    expect(created).toMatchObject({ id: '2', event: 'dev.starling.app.created.v1' });
    expect(JSON.parse(created.data)).toMatchObject({ specversion: '1.0', subject: 'apps/web', sequence: 2, data: { app: 'web', project: 'web' } });
    expect(await reader.next()).toMatchObject({ event: 'snapshot-end', data: '{"seq":2}' });
    await control.post('/v1/apps', { app: 'api' });
    expect(await reader.next()).toMatchObject({ id: '3', event: 'dev.starling.app.created.v1' });
    reader.close();
  });

  test('goes on after Last-Event-ID, also across a restart', async () => {
    await using control = await TestControl.start();
    for (const app of ['a', 'b', 'c']) await control.post('/v1/apps', { app });
    await control.restart();
    const reader = await control.follow('?since=0', { headers: { 'last-event-id': '3' } });
    expect(await reader.next()).toMatchObject({ id: '4', event: 'dev.starling.app.created.v1' });
    expect(await reader.next()).toMatchObject({ event: 'snapshot-end' });
    reader.close();
  });

  test('says reset to a reader that knows more than there is', async () => {
    await using control = await TestControl.start();
    const reader = await control.follow('?since=999');
    expect(await reader.next()).toMatchObject({ event: 'reset', data: '{"seq":1}' });
    expect(await reader.next()).toMatchObject({ event: 'snapshot-end' });
    reader.close();
  });

  test('without since it begins with what is new; nonsense is refused', async () => {
    await using control = await TestControl.start();
    const reader = await control.follow('');
    expect(await reader.next()).toMatchObject({ event: 'snapshot-end', data: '{"seq":1}' });
    reader.close();
    expect((await control.get('/v1/events', { headers: { 'last-event-id': 'x' } })).status).toBe(400);
    expect((await control.get('/v1/events?since=-1')).status).toBe(400);
  });

  test('ends when its token is revoked, or has expired, before it says anything more', async () => {
    const clock = new ManualClock();
    await using control = await TestControl.start({ clock });
    const made = async (name: string, days: number) => (await control.post('/v1/tokens', { use: 'api', name, scopes: ['read:*'], ttlMs: days * 86_400_000 })).body;
    const [revoked, expired] = [await made('ada', 2), await made('grace', 1)];
    const [first, second, own] = [await control.follow('', { token: revoked.text }), await control.follow('', { token: expired.text }), await control.follow('')];
    for (const reader of [first, second, own]) expect(await reader.next()).toMatchObject({ event: 'snapshot-end' });
    await control.call('DELETE', `/v1/tokens/${revoked.token}`, { headers: { 'if-match': '*' } });
    await expect(first.next()).rejects.toThrow('the stream has ended');
    expect(await second.next()).toMatchObject({ event: 'dev.starling.token.revoked.v1' });
    clock.pass(86_400_000);
    await control.post('/v1/apps', { app: 'web' });
    await expect(second.next()).rejects.toThrow('the stream has ended');
    expect([await own.next(), await own.next()]).toMatchObject([{ event: 'dev.starling.token.revoked.v1' }, { event: 'dev.starling.app.created.v1' }]);
    own.close();
  });

  test('cuts a reader that takes nothing, and stops while readers are connected', async () => {
    const clock = new ManualClock();
    await using control = await TestControl.start({ clock });
    // Large enough that the buffers of both kernels are full long before the end.
    const labels = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`label-${index}`, 'x'.repeat(64)]));
    for (let index = 0; index < 1500; index += 100) {
      await Promise.all(Array.from({ length: 100 }, async (_, at) => await control.post('/v1/tokens', { use: 'join', name: `t-${index + at}`, roles: ['agent'], labels })));
    }
    const { hostname, port } = new URL(control.url);
    const socket = createConnection({ host: hostname, port: Number(port) });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write(`GET /v1/events?since=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${control.admin}\r\n\r\n`);
    socket.pause();
    const cut = async () => (control.logs.some((line) => line.includes('its reader takes nothing')) ? true : undefined);
    // The moment at which the buffers are full cannot be seen from here, so time passes until it has been noticed.
    await until(cut, async () => clock.pass(stuckMs));
    socket.resume();
    await closed;
    const reader = await control.follow();
    await control.stop();
    await expect((async () => { for (;;) await reader.next(); })()).rejects.toThrow(/terminated|ended|abort/);
  }, 60_000);
});

describe('the feed', () => {
  test('serves followers from memory and latecomers from the journal, alike', async () => {
    const journal = new MemoryJournal();
    const now = () => 1_700_000_000_000;
    const before = await openProjection(journal, now);
    await before.transact('system', () => ({ events: [{ kind: 'app.created', app: 'old', project: 'old' }], result: undefined }));
    const projection = await openProjection(journal, now);
    const feed = new Feed(projection, journal, 'test');
    for (const app of ['a', 'b', 'c']) await projection.transact('system', () => ({ events: [{ kind: 'app.created', app, project: app }], result: undefined }));
    const expected = (await journal.read(0, 10)).map((entry) => streamEvent(entry, '/starling/test'));
    for (const after of [0, 1, 2, 3, 4]) expect(await feed.read(after, 10)).toEqual(expected.slice(after));
    expect(await feed.read(1, 1)).toEqual(expected.slice(1, 2));
  });

  test('withholds digests of secrets, manifests and orders', () => {
    const entry = { seq: 1, at: 0, actor: 'system' } as const;
    const token = streamEvent({ ...entry, event: { kind: 'token.created', token: 't', use: 'api', name: 'n', secretDigest: 'ab', scopes: [], roles: [], environments: [], labels: {}, usesMax: 0, expiresAt: 1 } }, 's');
    expect(Object.keys(token.data)).not.toContain('secretDigest');
    const revision = streamEvent({ ...entry, event: { kind: 'revision.created', app: 'a', number: 1, revision: 'd', cid: 'c', manifest: 'm', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'p' } }, 's');
    expect(Object.keys(revision.data)).not.toContain('manifest');
  });
});
