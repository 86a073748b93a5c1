// The commands about what happened, against a control plane that runs over a pipeline with a past.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { config, hourMs } from '../../support/pipeline-world.ts';
import { governed, monday, type Governed } from '../http/governed.ts';
import { run, type Ran } from './world.ts';

let system: Governed;
beforeAll(async () => {
  system = await governed({ pushed: 4, inAlpha: 2 });
  const change = (commit: string, author: string, hoursAgo: number) => ({ commit, author, message: `${commit}: faster\n\nmuch faster`, checkedInAt: monday - hoursAgo * hourMs });
  await system.control.post('/v1/apps/web/revisions/2/describe', { changes: [change('aaaa1111', 'Ada <ada@shop.example>', 50), change('bbbb2222', 'Eve <eve@shop.example>', 49)] });
  await system.control.post('/v1/apps/web/revisions/3/describe', { changes: [change('cccc3333', 'Ada <ada@shop.example>', 20)] });
});
afterAll(async () => await system[Symbol.asyncDispose]());

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(args, { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin, TZ: 'UTC' }, clock: system.clock });
}

async function data(...args: readonly string[]) {
  const ran = await starling(...args, '-o', 'json');
  expect({ args, ...ran, out: '' }).toEqual({ args, code: 0, out: '', err: expect.any(String) });
  return JSON.parse(ran.out);
}

describe('CDS-16 changes', () => {
  test('are told newest first, with how far each is and what it waits for', async () => {
    const { code, out } = await starling('changes');
    expect(code).toBe(0);
    const [head, ...rows] = out.split('\n\n')[0]?.split('\n') ?? [];
    expect(head).toMatch(/^WHEN +CHANGE +AUTHOR +WHAT +ALPHA +PROD$/);
    expect(rows.map((row) => /(web@\d|[a-c]{4}\d{4} \(web@\d\))/.exec(row)?.[0])).toEqual(['web@4', 'web@1', 'cccc3333 (web@3)', 'bbbb2222 (web@2)', 'aaaa1111 (web@2)']);
    expect(rows[2]).toMatch(/20 h 0 min ago +cccc3333 \(web@3\) +Ada +cccc3333: faster +waiting +-$/);
    expect(rows[3]).toMatch(/there, since just now +waiting$/);
    expect(out).toContain("cccc3333:\n  alpha (with web@4): environment 'alpha' has no targets; let a machine join it");
  });

  test('are found by time, author, application and pipeline, page by page', async () => {
    const names = async (...flags: readonly string[]) => (await data('changes', ...flags)).map(({ commit, app, number }: { readonly commit?: string; readonly app: string; readonly number: number }) => commit ?? `${app}@${number}`);
    expect(await names('--since', '36h')).toEqual(['web@4', 'web@1', 'cccc3333']);
    expect(await names('--author', 'ada')).toEqual(['cccc3333', 'aaaa1111']);
    expect(await names('--pipeline', 'shop', '--limit', '2')).toEqual(['web@4', 'web@1']);
    expect(await starling('changes', '--app', 'nothing')).toMatchObject({ code: 3, err: expect.stringContaining("no application 'nothing'") });
    expect(await starling('changes', '--pipeline', 'nothing')).toMatchObject({ code: 3 });
    expect(await starling('changes', '--since', 'monday')).toMatchObject({ code: 2 });
    const paged: unknown[] = [];
    for (let next = ''; ; ) {
      const { body } = await system.control.get(`/v1/pipelines/shop/changes?limit=2${next}`);
      paged.push(...body.items);
      if (body.next === undefined) break;
      next = `&cursor=${body.next}`;
    }
    expect(paged).toEqual((await system.control.get('/v1/changes')).body.items);
    expect(await names('--all')).toHaveLength(5);
  });
});

test('CDS-13 env compare tells what differs, with the changes between', async () => {
  const { code, out } = await starling('env', 'compare', 'alpha', 'prod');
  expect([code, out]).toEqual([0, 'web: alpha runs web@2, prod nothing; alpha has 2 changes that prod lacks\n  aaaa1111 (web@2) Ada <ada@shop.example>: aaaa1111: faster\n  bbbb2222 (web@2) Eve <eve@shop.example>: bbbb2222: faster\n']);
  expect(await data('env', 'compare', 'prod', 'alpha')).toMatchObject({ same: false, apps: [{ app: 'web', there: { number: 2 } }] });
  expect((await starling('env', 'compare', 'alpha', 'alpha')).out).toContain('alpha and alpha run the same');
  expect((await starling('env', 'compare', 'alpha', 'nowhere')).code).toBe(3);
  expect((await starling('env', 'history', 'prod')).err).toContain('nothing was deployed here yet');
});

test('CDS-16 a commit that changed two applications is one row, with how far each of them is', async () => {
  const revision = { kind: 'revision.created', app: 'api', number: 1, revision: 'b'.repeat(64), cid: 'cidapi', manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' } as const;
  await using both = await governed({ pushed: 2, inAlpha: 2, more: [{ kind: 'app.created', app: 'api', project: 'shop' }, { kind: 'environment.created', environment: 'api-live', app: 'api', selector: { env: 'api' }, config }, revision] });
  const changes = [{ commit: 'dddd4444', author: 'Ada', message: 'both', checkedInAt: monday - hourMs }];
  for (const [app, number] of [['web', 2], ['api', 1]] as const) await both.control.post(`/v1/apps/${app}/revisions/${number}/describe`, { changes });
  const { items } = (await both.control.get('/v1/changes?since=1')).body;
  expect(items.map(({ app, commit, also = [] }: { readonly app: string; readonly commit?: string; readonly also?: readonly { readonly app: string }[] }) => [commit, app, ...also.map((one) => one.app)])).toEqual([[undefined, 'web'], ['dddd4444', 'web', 'api']]);
  const { out } = await run(['changes'], { environment: { STARLING_URL: both.control.url, STARLING_TOKEN: both.control.admin, TZ: 'UTC' }, clock: both.clock });
  expect(out.split('\n').filter((line) => line.includes('dddd4444')).map((line) => line.replace(/ {2,}/g, '  '))).toEqual([expect.stringMatching(/dddd4444 \(web@2, api@1\) {2}Ada {2}both {2}there, since just now {2}waiting {2}-$/), 'dddd4444:']);
});
