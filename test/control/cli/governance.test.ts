// The commands about what holds things back and what people say to them, against a control plane that runs over a pipeline.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { config, digestOf, hourMs, edge, pipeline, place } from '../../support/pipeline-world.ts';
import { governed, monday, type Governed } from '../http/governed.ts';
import { until } from '../http/harness.ts';
import { run, type Ran } from './world.ts';

const approval = { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: true, expiresAfterMs: 24 * hourMs } as const;
const spec = pipeline({
  stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod', { windows: ['hours'] })] }],
  edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false, approval })],
  windows: [{ window: 'hours', kind: 'allow', timeZone: 'Europe/Berlin', schedule: { kind: 'weekly', rows: [{ days: ['mon', 'tue'], times: { from: '09:00', to: '13:00' } }] }, onClose: 'pause', override: { group: 'leads', count: 1 } }],
});

let system: Governed;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  system = await governed({ spec, more: [{ kind: 'hold.placed', edge: 'shop/alpha-prod', reason: 'rolled back to web@1' }] });
  tokens['olga'] = await system.person('olga', [], ['read:*', 'promote:*']);
  tokens['quinn'] = await system.person('quinn', ['qa']);
  tokens['lee'] = await system.person('lee', ['leads']);
});
afterAll(async () => await system[Symbol.asyncDispose]());

async function starling(who: string, ...args: readonly string[]): Promise<Ran> {
  const token = who === 'admin' ? system.control.admin : (tokens[who] ?? '');
  return await run(args, { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: token, TZ: 'Europe/Berlin' }, clock: system.clock });
}

async function data(who: string, ...args: readonly string[]) {
  const ran = await starling(who, ...args, '-o', 'json');
  expect({ args, ...ran, out: '' }).toEqual({ args, code: 0, out: '', err: expect.any(String) });
  return JSON.parse(ran.out);
}

test('CDS-20 CDS-9 lock add, list, release and break', async () => {
  const ran = await starling('olga', 'lock', 'add', '--scope', 'stage:shop/prod', '--reason', 'migration', '--until', '3h');
  expect(ran.out).toMatch(/^stage shop\/prod is locked: lock-\S+, until Mon 1 Jun 17:00 \S+ \(in 3 h 0 min\)\n$/);
  const [lock] = await data('olga', 'lock', 'list', '--environment', 'prod');
  expect((await starling('olga', 'lock', 'list')).out).toContain('stage shop/prod  olga    just now');
  expect(await starling('admin', 'lock', 'release', lock.lock)).toMatchObject({ code: 4, err: expect.stringContaining('break it with a reason') });
  expect(await starling('admin', 'lock', 'break', lock.lock)).toMatchObject({ code: 2, err: expect.stringContaining("'--reason <text>' not specified") });
  expect(await data('admin', 'lock', 'break', lock.lock, '--reason', 'away')).toEqual(lock);
  const own = await data('olga', 'lock', 'add', '--scope', 'prod', '--reason', 'x');
  expect(await starling('olga', 'lock', 'release', own.lock)).toMatchObject({ code: 0, out: `environment prod is no longer locked by ${own.lock}\n` });
  expect(await starling('olga', 'lock', 'list')).toMatchObject({ code: 0, out: '', err: 'nothing is locked\n' });
  expect(await starling('olga', 'lock', 'add', '--scope', 'planet:earth', '--reason', 'x')).toMatchObject({ code: 2 });
  expect(await starling('olga', 'lock', 'add', '--scope', 'prod', '--reason', 'x', '--until', 'soon')).toMatchObject({ code: 2, err: expect.stringContaining("'soon' is neither a duration such as 4h") });
});

test('hold list and release, pin and unpin', async () => {
  expect((await starling('olga', 'hold', 'list')).out).toContain('shop/alpha-prod   prod  system');
  expect(await data('olga', 'hold', 'list')).toEqual((await system.control.get('/v1/holds')).body.items);
  expect(await starling('olga', 'hold', 'release', 'shop/alpha-prod', '--reason', 'mended')).toMatchObject({ code: 0, out: 'shop/alpha-prod is no longer on hold\n' });
  expect(await starling('olga', 'hold', 'release', 'shop', '--reason', 'x')).toMatchObject({ code: 2 });
  expect(await starling('olga', 'unpin', 'prod', '--reason', 'x')).toMatchObject({ code: 3 });
  expect((await starling('olga', 'pin', 'prod', '--revision', 'web@1', '--reason', 'trial', '--until', '2026-06-02T09:00Z')).out).toBe('prod is pinned to web@1 until Tue 2 Jun 11:00 CEST (in 21 h 0 min): trial\n');
  expect((await starling('olga', 'unpin', 'prod', '--reason', 'done')).out).toBe('prod is no longer pinned to web@1\n');
});

test('freeze start, list and end; window list and next', async () => {
  const frozen = await data('olga', 'freeze', 'start', '--scope', 'project:shop', '--reason', 'holidays', '--break-glass', 'leads=1');
  expect((await starling('olga', 'freeze', 'list')).out).toContain('1 of leads');
  expect((await starling('olga', 'freeze', 'end', frozen.freeze, '--reason', 'over')).out).toBe(`project shop is no longer frozen by ${frozen.freeze}\n`);
  expect((await starling('olga', 'window', 'next', 'prod')).out.split('\n').slice(0, 2)).toEqual([
    'prod is closed; opens Tue 2 Jun 09:00 CEST (in 19 h 0 min)',
    '  hours is not open, until Tue 2 Jun 09:00 CEST (in 19 h 0 min)',
  ]);
  expect((await starling('olga', 'window', 'next', 'prod', '--at', '20h')).out).toContain('prod is open; closes Tue 2 Jun 13:00');
  expect((await starling('olga', 'window', 'list')).out).toContain('mon,tue 09:00-13:00');
  expect(await data('olga', 'window', 'next', 'prod')).toEqual((await system.control.get(`/v1/environments/prod/windows?at=${monday}`)).body);
});

test('automation set and list; edge list, disable and enable', async () => {
  expect(await starling('olga', 'automation', 'set', 'off', '--edge', 'shop/alpha-prod')).toMatchObject({ code: 2, err: expect.stringContaining('needs a reason') });
  expect(await starling('olga', 'automation', 'set', 'off')).toMatchObject({ code: 2 });
  expect((await starling('olga', 'automation', 'set', 'off', '--edge', 'shop/alpha-prod', '--reason', 'flaky')).out).toBe('automation of edge shop/alpha-prod is off\n');
  expect((await starling('olga', 'automation', 'list')).out).toContain('edge shop/alpha-prod  olga');
  expect((await starling('olga', 'automation', 'set', 'on', '--edge', 'shop/alpha-prod')).code).toBe(0);
  expect((await starling('admin', 'edge', 'disable', 'shop/alpha-prod', '--reason', 'x')).out).toBe('shop/alpha-prod is disabled\n');
  expect((await starling('olga', 'edge', 'list', 'shop')).out).toMatch(/shop\/alpha-prod +alpha +prod +web +disabled/);
  expect((await starling('admin', 'edge', 'enable', 'shop/alpha-prod')).out).toBe('shop/alpha-prod is enabled\n');
});

test('CDS-1 revision get, diff, veto, unveto, priority and describe: its changes, and what it was built of', async () => {
  expect((await starling('olga', 'revision', 'veto', 'web@2', '--reason', 'loses data')).out).toBe('web@2 is vetoed by olga: loses data\n');
  expect((await starling('olga', 'revision', 'get', 'web@2')).out).toContain('vetoed by olga: loses data');
  expect((await starling('olga', 'revision', 'unveto', 'web@2', '--reason', 'mended')).out).toBe('web@2 is not vetoed\n');
  expect((await starling('olga', 'revision', 'priority', 'web@2', '10')).out).toBe('web@2 has priority 10\n');
  const uploader = await system.person('ci', [], ['upload:app/web']);
  await system.control.post('/v1/apps/web/revisions/2/describe', { changes: [{ commit: 'c0ffee', author: 'Quinn <quinn@example.org>', message: 'faster', checkedInAt: monday }], tests: { passed: 9, total: 10 } }, { token: uploader });
  expect((await starling('olga', 'revision', 'get', 'web@2')).out).toContain('tests: 9 of 10 passed');
  expect((await starling('olga', 'revision', 'diff', 'web@1', 'web@2')).out).toContain('web@2 c0ffee Quinn <quinn@example.org>: faster');
  const built = async (number: number, closure: readonly object[]) => await system.control.post(`/v1/apps/web/revisions/${number}/describe`, { closure }, { token: uploader });
  await built(1, [{ name: 'left-pad', version: '1.0.0' }, { name: 'ws', version: '8.0.0' }, { name: 'zod', version: '4.0.0', digest: 'sha512-a' }]);
  await built(2, [{ name: 'ws', version: '8.1.0' }, { name: 'ws', version: '7.5.0' }, { name: 'zod', version: '4.0.0', digest: 'sha512-b' }, { name: 'yaml', version: '2.9.1' }]);
  expect((await starling('olga', 'revision', 'get', 'web@2')).out).toContain('built of 4 dependencies');
  expect((await starling('olga', 'revision', 'diff', 'web@1', 'web@2')).out).toMatch(
    / {2}no longer built of left-pad 1\.0\.0\n {2}built of ws 7\.5\.0, 8\.1\.0 instead of 8\.0\.0\n {2}built of yaml 2\.9\.1\n {2}built of zod 4\.0\.0 \(sha512-b\) instead of 4\.0\.0 \(sha512-a\)\n/,
  );
  expect((await data('olga', 'revision', 'list', 'web')).map(({ number }: { readonly number: number }) => number)).toEqual([2, 1]);
  expect(await starling('olga', 'revision', 'get', 'web@9')).toMatchObject({ code: 3, err: expect.stringContaining('the latest is web@2') });
  expect(await starling('olga', 'revision', 'get', 'web')).toMatchObject({ code: 2 });
});

test('CDS-10 CDS-17 a promotion waits, explain says why, until when and who can act, people approve and lift the window, and it goes', async () => {
  const made = await data('olga', 'promote', '--to', 'prod', '--revision', 'web@1', '--reason', 'CHG-1');
  const waiting = await starling('olga', 'explain', 'prod');
  expect(waiting.code).toBe(6);
  expect(waiting.out).toContain('blocked by window: window \'hours\' is not open now (Europe/Berlin); wait for it, or ask 1 of group \'leads\' for an override');
  expect(waiting.out).toContain('opens Tue 2 Jun 09:00 CEST (in 19 h 0 min)');
  expect(waiting.out).toContain(`can act: group leads\n    by: starling override create --promotion ${made.promotion} --reason …`);
  const explained = JSON.parse((await starling('olga', 'explain', 'prod', '-o', 'json')).out);
  // T-2: the same answer in the command line, the API, and the gate.
  expect(explained).toEqual((await system.control.get('/v1/environments/prod/explain')).body);
  expect(explained.blockers).toEqual((await system.control.get('/v1/environments/prod/gate')).body.blockers);

  const [request] = await data('quinn', 'approval', 'list', '--mine');
  expect(waiting.out).toContain(`by: starling approve ${request.approval}`);
  expect(await starling('lee', 'approval', 'list', '--mine')).toMatchObject({ code: 0, out: '', err: 'nothing waits for you\n' });
  expect((await starling('lee', 'approval', 'list')).out).toContain(`${request.approval}  promotion to prod  web@1  open    1 of group qa`);
  expect(await starling('lee', 'approve', request.approval)).toMatchObject({ code: 4, err: expect.stringContaining("is for group 'qa', which lee is not in") });
  expect(await starling('olga', 'approve', request.approval)).toMatchObject({ code: 4 });
  expect((await starling('quinn', 'approve', request.approval, '--comment', 'looks good')).out).toContain('quinn approved just now (qa): looks good');
  expect(await starling('quinn', 'reject', request.approval)).toMatchObject({ code: 2 });

  const override = await data('olga', 'override', 'create', '--promotion', made.promotion, '--reason', 'customers wait');
  expect(override).toMatchObject({ purpose: 'override', lifts: ['window:hours'], reason: 'customers wait', mine: { may: false } });
  expect((await starling('lee', 'approve', override.approval)).code).toBe(0);
  await until(async () => ((await starling('olga', 'explain', made.promotion)).out.includes('is under way') ? true : undefined));
  const evidence = await starling('olga', 'compliance', 'evidence', made.promotion);
  expect(evidence.out).toContain('stored data gives the same decision');
  expect(evidence.out).toContain(`past window by override [${override.approval}]`);
});

test('CDS-20 promotion list, get and abort; target get; app get', async () => {
  const { promotion } = await data('olga', 'promote', '--to', 'prod', '--revision', 'web@2', '--reason', 'CHG-2');
  const listed = (await starling('olga', 'promotion', 'list', '-e', 'prod', '--phase', 'waiting')).out;
  expect(listed).toMatch(new RegExp(`${promotion} +web@2 +prod +waiting +by hand +just now +CHG-2`));
  expect(await data('olga', 'promotion', 'get', promotion)).toEqual((await system.control.get(`/v1/promotions/${promotion}`)).body);
  expect((await starling('olga', 'promotion', 'get', promotion)).out).toContain(`what holds it: starling explain ${promotion}`);
  expect((await starling('olga', 'promotion', 'abort', promotion, '--reason', 'not today')).out).toContain('aborted: not today');
  expect(await starling('olga', 'promotion', 'get', 'nothing')).toMatchObject({ code: 3 });
  expect(await starling('olga', 'promotion', 'list', '--phase', 'stuck')).toMatchObject({ code: 2, err: expect.stringContaining("'stuck' is none of waiting, deploying") });
  expect((await starling('olga', 'target', 'get', 'prod-1')).out).toMatch(/^prod-1 {2}agent {2}offline, not heard since the control plane was started\n {2}member prod-1, joined/);
  expect(await starling('olga', 'target', 'revoke', 'prod-1', '--reason', 'stolen')).toMatchObject({ code: 4 });
  expect((await starling('olga', 'app', 'get', 'web')).out).toBe('web of project shop: 2 revisions, newest web@2\n');
});

test('CDS-17 compliance reviews and review: a use of break-glass is looked at by somebody who had no part in it; pipelines by label', async () => {
  await using used = await governed({
    spec: { ...spec, labels: { team: 'checkout' } },
    more: [
      { kind: 'approval.requested', request: 'over-1', subject: { purpose: 'override', source: 'prod', members: { web: digestOf(1) }, destination: 'prod', policy: '' }, rules: [{ group: 'leads', count: 1 }], excluded: [], reason: 'checkout is down', lifts: ['policy:pci'], countsForMs: hourMs, review: true },
      { kind: 'approval.voted', request: 'over-1', decision: 'approve', by: 'lee', groups: ['leads'] },
      { kind: 'approval.settled', request: 'over-1', status: 'approved' },
      { kind: 'deployment.started', deployment: 'prod-1', promotion: 'made', environment: 'prod', app: 'web', type: 'promote', seq: 1, to: digestOf(1), number: 1, config, batches: [['prod-1']], exemptions: [{ gate: 'compliance', why: 'override', ref: 'over-1' }] },
      { kind: 'deployment.finished', deployment: 'prod-1', phase: 'succeeded' },
    ],
  });
  const as = async (person: string, ...args: readonly string[]) => await run(args, { environment: { STARLING_URL: used.control.url, STARLING_TOKEN: await used.person(person, ['leads']), TZ: 'UTC' }, clock: used.clock });
  expect((await as('quinn', 'compliance', 'reviews')).out).toMatch(/over-1 +policy:pci +web@1 to prod +prod-1 +just now +system: checkout is down/);
  expect(await as('lee', 'compliance', 'review', 'over-1', '--comment', 'fine')).toMatchObject({ code: 4, err: expect.stringContaining('lee had a part in override') });
  expect((await as('quinn', 'compliance', 'review', 'over-1', '--comment', 'the key was lost')).out).toContain('used by prod-1, reviewed by quinn: the key was lost');
  expect(await as('quinn', 'compliance', 'reviews')).toMatchObject({ code: 0, out: '', err: 'every use of break-glass was reviewed\n' });
  expect([(await as('quinn', 'pipeline', 'list', '-l', 'team=checkout', '-o', 'name')).out, (await as('quinn', 'pipeline', 'list', '-l', 'team!=checkout', '-o', 'name')).out]).toEqual(['shop\n', '']);
});
