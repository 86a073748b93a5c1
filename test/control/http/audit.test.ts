// The audit over the API and from the command line: who did what, what it was before, and whether somebody rewrote it.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../../proto/api/audit.ts';
import { openRecord, recordsOf } from '../../../control/journal/records.ts';
import { run, type Ran } from '../cli/world.ts';
import { TestControl } from './harness.ts';

let test: TestControl;
const starling = async (...args: readonly string[]): Promise<Ran> => await run(args, { environment: { STARLING_URL: test.url, STARLING_TOKEN: test.admin }, directory: test.dataDir, home: test.dataDir });

beforeAll(async () => {
  test = await TestControl.start();
  await test.post('/v1/apps', { app: 'web', project: 'shop' });
  await test.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' } });
  const { headers } = await test.get('/v1/environments/prod');
  await test.call('PUT', '/v1/environments/prod', { body: { selector: { env: 'prod' }, config: { maxParallel: 7 } }, headers: { 'if-match': headers.get('etag') ?? '' } });
  await test.post('/v1/tokens', { use: 'api', name: 'robot', scopes: ['read:*'] });
});
afterAll(async () => await test[Symbol.asyncDispose]());

async function audit(query = ''): Promise<readonly AuditEntry[]> {
  return (await test.get(`/v1/audit${query}`)).body.items;
}

describe('CDS-15 the audit', () => {
  it('O-1 has every entry of the journal once, with who did what to what', async () => {
    const up = await audit('?after=0');
    expect(up.map(({ seq }) => seq)).toEqual(Array.from({ length: up.length }, (_, index) => index + 1));
    expect(up.length).toBe((await test.events()).length);
    expect(await audit()).toEqual(up.toReversed());
    const pages: number[] = [];
    for (let next = ''; ; ) {
      const { body } = await test.get(`/v1/audit?limit=2${next}`);
      pages.push(...body.items.map(({ seq }: AuditEntry) => seq));
      if (body.next === undefined) break;
      next = `&cursor=${body.next}`;
    }
    expect(pages).toEqual(up.map(({ seq }) => seq).toReversed());
  });

  it('says what a change of configuration changed, and what was before', async () => {
    const [changed] = await audit('?action=environment.changed');
    expect(changed).toMatchObject({ object: 'environment:prod', actor: expect.stringMatching(/^token:/), actorName: 'admin', changes: [{ pointer: '/config/maxParallel', before: 1, after: 7 }] });
    const [created] = await audit('?action=app.created&object=web');
    expect(created?.changes).toEqual([{ pointer: '', after: { project: 'shop' } }]);
  });

  it('finds by actor, object, action and time', async () => {
    expect((await audit('?object=environment:prod')).map(({ action }) => action)).toEqual(['environment.changed', 'environment.created']);
    expect((await audit('?action=token')).map(({ action }) => action)).toEqual(['token.created', 'token.created']);
    expect(await audit('?actor=nobody')).toEqual([]);
    expect(await audit(`?since=${Date.now() + 60_000}`)).toEqual([]);
  });

  it('shows no secret', async () => {
    expect(JSON.stringify([await audit(), (await test.get('/v1/audit/export')).body])).not.toMatch(/"secretDigest":"[0-9a-f]{64}"/);
  });

  it('is read on the command line, with the differences below', async () => {
    const { code, out } = await starling('audit', 'list', '--object', 'prod');
    expect(code).toBe(0);
    expect(out).toContain('/config/maxParallel: 1 → 7');
    expect((await starling('audit', 'list', '--since', 'yesterday')).code).toBe(2);
  });
});

describe('O-1 verify', () => {
  it('finds the journal whole, and goes on from where it ended', async () => {
    const { body } = await test.get('/v1/audit/verify');
    expect(body).toMatchObject({ whole: true, complete: true, unchained: 0, entries: body.head.seq });
    const kept = `${body.head.seq}:${body.head.hash}`;
    expect((await starling('audit', 'verify', '--checkpoint', kept)).code).toBe(0);
    expect(await starling('audit', 'verify', '--checkpoint', `${body.head.seq}:${'0'.repeat(64)}`)).toMatchObject({ code: 1, err: expect.stringContaining('the journal was rewritten') });
  });

  it('an export is checked without the control plane, and an edited one names the entry', async () => {
    expect((await starling('audit', 'export', '--out', 'audit.jsonl')).code).toBe(0);
    expect(await starling('audit', 'verify', 'audit.jsonl')).toMatchObject({ code: 0, out: expect.stringContaining('each as it was written') });
    const lines = (await readFile(join(test.dataDir, 'audit.jsonl'), 'utf8')).trim().split('\n');
    const edits: readonly (readonly [readonly string[], string])[] = [
      [lines.map((line, index) => (index === 2 ? line.replace('"project":"shop"', '"project":"shed"').replace('"env":"prod"', '"env":"test"') : line)), 'entry 3 is not what was written'],
      [lines.toSpliced(1, 1), 'entry 2 is missing'],
      [lines.slice(0, -2), 'not where it says'],
      [lines.toSpliced(-2, 1), 'not where it says'],
      [[...lines.slice(0, 2), '{}'], 'is no entry of an audit'],
    ];
    for (const [edited, said] of edits) {
      await writeFile(join(test.dataDir, 'edited.jsonl'), edited.join('\n'));
      expect(await starling('audit', 'verify', 'edited.jsonl')).toMatchObject({ code: expect.any(Number), err: expect.stringContaining(said) });
    }
  });

  it('finds one entry that was edited on the disk, checksum and all', async () => {
    await using other = await TestControl.start();
    await other.post('/v1/apps', { app: 'web', project: 'shop' });
    await other.stop();
    const database = new Level<Uint8Array, Uint8Array>(join(other.dataDir, 'journal'), { keyEncoding: 'view', valueEncoding: 'view' });
    const [found] = await database.iterator({ limit: 1 }).all();
    if (found === undefined) throw new Error('no entry');
    const [first, ...others] = openRecord(found[1]).entries;
    if (first === undefined) throw new Error('no entry');
    const [edited] = recordsOf([{ ...first, actor: 'token:somebody-else' }, ...others].map((entry) => ({ entry })));
    if (edited !== undefined) await database.put(found[0], edited.value);
    await database.close();
    await other.start();
    expect((await other.get('/v1/audit/verify')).body).toMatchObject({ whole: false, breach: { seq: 1, kind: 'edited' } });
  });
});
