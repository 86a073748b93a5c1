// Environments of several applications at the command line: what is asked for by name, and how a set is written everywhere.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event } from '../../../proto/events.ts';
import { config, digestOf } from '../../support/pipeline-world.ts';
import { governed, type Governed } from '../http/governed.ts';
import { run, type Ran } from './world.ts';

const api: readonly Event[] = [
  { kind: 'app.created', app: 'api', project: 'shop' },
  { kind: 'revision.created', app: 'api', number: 1, revision: digestOf(1001), cid: 'api1', manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' },
  { kind: 'environment.created', environment: 'both', app: 'web', apps: ['web', 'api'], selector: { env: 'both' }, config },
];

let system: Governed;
beforeAll(async () => void (system = await governed({ more: api })));
afterAll(async () => await system[Symbol.asyncDispose]());

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(args, { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin }, clock: system.clock });
}

test('promote --set brings several applications as one promotion, written the same wherever it is shown', async () => {
  const promoted = await starling('promote', '--to', 'both', '--set', 'web=1,api=1');
  expect(promoted).toMatchObject({ code: 0, out: expect.stringMatching(/^pr-\S+ {2}web@1 \+ api@1 → both {2}waiting\n$/) });
  expect((await starling('explain', 'both')).out).toContain("api@1 + web@1 waits for 'both'");
  const again = await starling('promote', '--to', 'both', '--set', 'api@1+web@1');
  expect(again).toMatchObject({ code: 5, err: expect.stringContaining("is bringing api@1 + web@1 to 'both' already (waiting)") });
  const late = await starling('promote', '--to', 'both', '--app', 'web', '--revision', '2', '--wait', '1ms');
  expect(late).toMatchObject({ code: 7, err: expect.stringContaining("web@2 in 'both' is still waiting") });
});

test('an application is named where an environment runs several', async () => {
  expect(await starling('promote', '--to', 'both', '--revision', '1')).toMatchObject({ code: 3, err: expect.stringContaining("'1' may be of web, api: say whose, such as 'web@1'") });
  expect(await starling('promote', '--to', 'both', '--app', 'db')).toMatchObject({ code: 5, err: expect.stringContaining("runs 'web', 'api', not 'db'") });
  expect(await starling('promote', '--to', 'both', '--app', 'web', '--set', 'web@1')).toMatchObject({ code: 2, err: expect.stringContaining('leave --app and --revision out') });
  expect(await starling('promote', '--to', 'both', '--set', 'web')).toMatchObject({ code: 2, err: expect.stringContaining("'web' is not a set of revisions, such as web@41,api@7") });
  expect(await starling('rollback', 'both', '--to', 'web@9')).toMatchObject({ code: 3, err: expect.stringContaining("application 'web' has no revision 'web@9'; the latest is web@2") });
});

test('status and env show every application', async () => {
  const created = await starling('env', 'create', 'third', '--app', 'api, web', '--targets', 'env=third');
  expect(created).toMatchObject({ code: 0, out: 'environment third of api, web created; 0 targets have its labels now\n' });
  expect((await starling('env', 'list')).out).toMatch(/third +api, web +- +- +-/);
  expect((await starling('status')).out).toMatch(/alpha +web +1 +1 +1/);
});
