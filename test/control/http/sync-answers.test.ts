// What ten thousand members are told alike is made once, and arrives as it would have.

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { SyncAnswers } from '../../../control/http/sync-answers.ts';
import type { SyncReply } from '../../../proto/fleet.ts';

const answer = (more: Partial<SyncReply>): SyncReply => ({ orders: [], metadata: {}, pollAfterMs: 0, ...more });
const long = 'h.'.concat('x'.repeat(100_000), '.s');

test('a whole roster is one text, compressed for who takes that, and the same bytes for everybody', async () => {
  const answers = new SyncAnswers();
  const plain = await answers.encode(answer({ roster: long }), undefined);
  expect(plain.encoding).toBeUndefined();
  expect(JSON.parse(Buffer.from(plain.bytes).toString())).toEqual(answer({ roster: long }));
  const first = await answers.encode(answer({ roster: long }), 'gzip, deflate');
  expect(first.encoding).toBe('gzip');
  expect(gunzipSync(first.bytes)).toEqual(plain.bytes);
  expect((await answers.encode(answer({ roster: long }), 'gzip')).bytes).toBe(first.bytes);
  expect((await answers.encode(answer({ roster: long }), undefined)).bytes).toBe(plain.bytes);
});

test('a change that everybody is told is made once; another one is another', async () => {
  const answers = new SyncAnswers();
  const change = (epoch: number) => ({ from: 1, epoch, members: [], revoked: [], header: 'h', signature: 's' });
  const one = change(2);
  const { bytes } = await answers.encode(answer({ rosterChange: one }), 'gzip');
  expect((await answers.encode(answer({ rosterChange: one }), 'gzip')).bytes).toBe(bytes);
  expect(Buffer.from((await answers.encode(answer({ rosterChange: change(3) }), 'gzip')).bytes).toString()).toContain('"epoch":3');
});

test('what is for one member alone is never anybody else\'s', async () => {
  const answers = new SyncAnswers();
  await answers.encode(answer({ roster: long }), 'gzip');
  for (const more of [{ orders: ['a.b.c'] }, { orders: ['a.b.c', 'not "an" order', 'ä.b.c'], certificate: 'd.e.f' }, { certificate: 'd.e.f' }, { metadata: { 'timestamp.json': '{}' } }, { pollAfterMs: 250 }]) {
    const { bytes, encoding } = await answers.encode(answer({ roster: long, ...more }), 'gzip');
    expect(encoding).toBeUndefined();
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual(answer({ roster: long, ...more }));
    const again = await answers.encode(answer({ roster: long, ...more }), undefined);
    expect(again.bytes).toEqual(bytes);
  }
});

test('targets of the same orders are answered with the same bytes, unless anything else in their answers differs', async () => {
  const answers = new SyncAnswers();
  const common = { orders: ['a.b.c', 'd.e.f'], metadata: { 'timestamp.json': '{}' }, manifests: ['AA=='] };
  const { bytes } = await answers.encode(answer(common), 'gzip');
  expect((await answers.encode(answer({ ...common, orders: [...common.orders], metadata: { ...common.metadata } }), 'gzip')).bytes).toBe(bytes);
  for (const more of [{ orders: ['d.e.f'] }, { orders: ['x.b.c', 'd.e.f'] }, { metadata: {} }, { metadata: { 'timestamp.json': '{"version":2}' } }, { manifests: ['AAA='] }, { pollAfterMs: 250 }, { roster: long }, { certificate: 'g.h.i' }]) {
    await answers.encode(answer(common), 'gzip');
    const other = await answers.encode(answer({ ...common, ...more }), 'gzip');
    expect(JSON.parse(Buffer.from(other.bytes).toString())).toEqual(answer({ ...common, ...more }));
  }
});
