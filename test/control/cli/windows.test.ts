// `starling window add`, `update` and `delete`: windows of a pipeline without its file, against a control plane that runs.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { edge, pipeline, place } from '../../support/pipeline-world.ts';
import { governed, type Governed } from '../http/governed.ts';
import { run, type Ran } from './world.ts';

let system: Governed;
beforeAll(async () => {
  system = await governed({ spec: pipeline({ stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })], windows: [] }) });
});
afterAll(async () => await system[Symbol.asyncDispose]());

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(['window', ...args], { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin, TZ: 'Europe/Berlin' }, clock: system.clock });
}
const of = ['--pipeline', 'shop'] as const;

test('CDS-7 a window is added, holds what it is said to hold, is changed in parts, and deleted', async () => {
  const added = await starling('add', 'hours', ...of, '--kind', 'allow', '--zone', 'Europe/Berlin', '--weekly', 'mon-thu 09:00-16:00', '--weekly', 'fri 09:00-12:00', '--environments', 'prod', '--override', 'leads:2');
  expect(added).toMatchObject({ code: 0, out: 'window shop/hours added; it holds prod\n', err: expect.stringContaining('`starling pipeline export shop` writes one that does') });
  expect((await starling('list', '-e', 'prod')).out).toMatch(/shop\/hours +allow +mon,tue,wed,thu 09:00-16:00; fri 09:00-12:00 +Europe\/Berlin +pause +prod/);
  expect((await starling('update', 'hours', ...of, '--on-close', 'finish', '--environments', 'alpha,prod')).out).toBe('window shop/hours changed; it holds alpha, prod\n');
  expect((await starling('update', 'hours', ...of, '--cron', '0 9 * * mon-fri', '--duration', '2h', '--jitter', '5m', '--max-deploys', '3')).out).toBe('window shop/hours changed; it holds alpha, prod\n');
  const [window] = JSON.parse((await starling('list', '-o', 'json')).out);
  expect(window).toMatchObject({ kind: 'allow', timeZone: 'Europe/Berlin', schedule: { kind: 'cron', expression: '0 9 * * mon-fri', durationMs: 7_200_000 }, onClose: 'finish', jitterMs: 300_000, maxDeploysPerOccurrence: 3, override: { group: 'leads', count: 2 }, environments: ['alpha', 'prod'] });
  expect((await starling('delete', 'hours', ...of)).out).toBe('window shop/hours deleted; it held alpha, prod\n');
  expect((await starling('next', 'prod')).out).toContain('prod is open, since no window holds it');
});

test('a window that cannot be is refused with what is wrong, and changes nothing', async () => {
  const allow = ['add', 'w', ...of, '--kind', 'allow', '--zone', 'Europe/Berlin'] as const;
  const wrong: readonly (readonly [readonly string[], number, string])[] = [
    [['add', 'w', ...of, '--zone', 'UTC', '--weekly', 'sat'], 2, '--kind: it is not said whether'],
    [['add', 'w', ...of, '--kind', 'deny', '--weekly', 'sat'], 2, '--zone: it is not said'],
    [['add', 'w', ...of, '--kind', 'deny', '--zone', 'Europe/Berlim', '--weekly', 'sat'], 2, "there is no zone 'Europe/Berlim'"],
    [allow, 2, "a window needs a schedule: one of 'weekly', 'cron' and 'once'"],
    [[...allow, '--weekly', 'mon-fri 9-17'], 2, "--weekly: 'mon-fri 9-17' is not days with their times"],
    [[...allow, '--weekly', 'mon-thr 09:00-16:00'], 2, "'mon-thr' is not a day or a range of days"],
    [[...allow, '--cron', '0 9 * * *'], 2, "needs 'duration'"],
    [[...allow, '--from', '2026-12-18T00:00'], 2, '--from and --to go together'],
    [[...allow, '--from', '2026-12-18T00:00', '--to', '2026-12-17T00:00'], 2, '2026-12-17T00:00 is not after 2026-12-18T00:00'],
    [[...allow, '--weekly', 'sat', '--environments', 'prd'], 2, "there is no environment 'prd' in the pipeline; it has alpha, prod"],
    [[...allow, '--weekly', 'sat', '--jitter', 'long'], 2, "--jitter: 'long' is not a duration"],
    [['update', 'w', ...of, '--kind', 'deny'], 3, "pipeline 'shop' has no window 'w'; it has none"],
    [['delete', 'w', ...of], 3, "pipeline 'shop' has no window 'w'"],
    [['delete', 'w', '--pipeline', 'none'], 3, "'none'"],
  ];
  for (const [args, code, said] of wrong) expect({ args, ...(await starling(...args)) }).toMatchObject({ args, code, err: expect.stringContaining(said) });
  expect((await starling('add', 'w', ...of, '--kind', 'deny', '--zone', 'UTC', '--from', '2026-12-18T00:00', '--to', '2027-01-03T00:00')).out).toBe('window shop/w added; it holds nothing: name --environments\n');
  expect(await starling(...allow, '--weekly', 'sat')).toMatchObject({ code: 5, err: expect.stringContaining('starling window update') });
});
