// Pipelines over the API: applied whole or not at all, planned before, drawn as a graph, and never by those who may not.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bodyOf } from '../../../control/cli/commands/arrange/apply.ts';
import type { PipelineFile } from '../../../control/files/compile.ts';
import { readFileText } from '../../../control/files/read.ts';
import type { Graph, Plan } from '../../../proto/api/pipelines.ts';
import { ManualClock, problemOf, TestControl, type Answer } from './harness.ts';

const clock = new ManualClock();
let control: TestControl;

beforeAll(async () => {
  control = await TestControl.start({ clock });
});
afterAll(async () => await control[Symbol.asyncDispose]());

/** A file of one pipeline of two applications and three stages; `name` begins the names of its environments too. */
function shop(name: string, edit: (text: string) => string = (text) => text): PipelineFile {
  const text = readFileSync(new URL('../files/shop.yaml', import.meta.url), 'utf8').replaceAll('shop', name);
  const { pipelines, problems } = readFileText('shop.yaml', edit(text));
  expect(problems).toEqual([]);
  const [file] = pipelines;
  if (file === undefined) throw new Error('there is no pipeline in the file');
  return file;
}

async function put(file: PipelineFile, { etag, query = '', token }: { readonly etag?: string; readonly query?: string; readonly token?: string } = {}): Promise<Answer> {
  const headers = etag === undefined ? {} : { 'if-match': etag };
  return await control.call('PUT', `/v1/pipelines/${file.pipeline}${query}`, { body: bodyOf(file), headers, ...(token === undefined ? {} : { token }) });
}

async function made(file: PipelineFile): Promise<string> {
  const answer = await put(file);
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return answer.headers.get('etag') ?? '';
}

const plan = async (file: PipelineFile): Promise<Plan> => (await control.post(`/v1/pipelines/${file.pipeline}/plan`, bodyOf(file))).body;
const recorded = async (): Promise<readonly unknown[]> => (await control.events()).map(({ data }) => data);

describe('a pipeline', () => {
  test('CDS-2 CDS-3 is applied with its applications, environments and promotions in one request, and read back as it was written', async () => {
    const file = shop('one');
    const etag = await made(file);
    const { body, headers } = await control.get('/v1/pipelines/one');
    expect(headers.get('etag')).toBe(etag);
    expect(body).toMatchObject({ pipeline: 'one', project: 'one', enabled: true, spec: file.spec, apps: ['one-web', 'one-api'], environments: file.environments });
    expect((await control.get('/v1/environments/one-prod')).body.apps).toMatchObject([{ app: 'one-web' }, { app: 'one-api' }]);
    expect((await control.get('/v1/pipelines?project=one')).body.items).toMatchObject([{ pipeline: 'one', stages: [{ stage: 'alpha', environments: ['one-alpha'] }, { stage: 'beta' }, { stage: 'prod' }] }]);
    expect((await control.get('/v1/pipelines?project=none')).body.items).toEqual([]);
  });

  test('CDS-4 says how its applications are built; of whom it says nothing, that stays', async () => {
    const plain = shop('built');
    const etag = await made(shop('built', (text) => text.replace('{name: built-api}]', '{name: built-api, repo: {url: "https://git.example.com/x"}, autoBuild: {command: make, enabled: false}}]')));
    expect((await control.get('/v1/apps/built-api/auto-build')).body).toMatchObject({ command: 'make', enabled: false, repo: { branch: 'main' } });
    expect((await put(plain, { etag })).body.builds).toMatchObject([{ app: 'built-api', settings: { command: 'make' } }]);
    const other = shop('built', (text) => text.replace('{name: built-api}]', '{name: built-api, repo: {url: "https://git.example.com/x"}, autoBuild: {command: make all, enabled: false}}]'));
    expect((await plan(other)).changes).toEqual([{ action: 'change', path: 'builds/built-api/settings/command', before: 'make', after: 'make all' }]);
    const wrong = { ...other, builds: other.builds.map((one) => ({ ...one, settings: { ...one.settings, output: '../..' } })) };
    expect(problemOf(await put(wrong, { etag })).detail).toContain("'../..' is not a directory of the checkout");
  });

  test('that is the same already is not recorded again', async () => {
    const file = shop('same');
    const etag = await made(file);
    const before = await recorded();
    expect((await put(file, { etag })).status).toBe(200);
    expect(await recorded()).toEqual(before);
    expect(await plan(file)).toMatchObject({ kind: 'none', changes: [] });
  });

  test('G-1 a refused edit changes nothing: neither the pipeline, nor the environments and applications beside it', async () => {
    const file = shop('whole');
    const etag = await made(file);
    const before = await recorded();
    const [first] = file.spec.edges;
    if (first === undefined) throw new Error('there are no promotions');
    const bad: readonly (readonly [PipelineFile, RegExp])[] = [
      [{ ...file, spec: { ...file.spec, edges: [...file.spec.edges, { ...first, edge: 'second' }] } }, /'whole-web' in 'whole-alpha' has two sources/],
      [{ ...file, spec: { ...file.spec, edges: file.spec.edges.map((edge) => (edge.to === 'whole-beta' ? { ...edge, from: { kind: 'environment', environment: 'whole-prod' } } : edge)) } }, /in a circle/],
      [{ ...file, apps: [...file.apps, 'whole-new'], spec: { ...file.spec, stages: [] } }, /which is not in this pipeline/],
      [{ ...file, environments: file.environments.map((one) => ({ ...one, config: { ...one.config, minHealthy: '100%' } })) }, /100% lets no target be changed/],
      [{ ...file, environments: [{ ...file.environments[0], environment: 'whole-other', apps: ['nowhere'], selector: {}, config: file.environments[0]?.config ?? never() }] }, /no application 'nowhere'/],
    ];
    for (const [wrong, problem] of bad) {
      for (const query of ['', '?dryRun=true']) {
        const answer = await put(wrong, { etag, query });
        const { detail, errors = [] } = problemOf(answer);
        expect([answer.status, [detail, ...errors.map((one) => one.detail)]]).toEqual([400, expect.arrayContaining([expect.stringMatching(problem)])]);
      }
      expect((await control.post('/v1/pipelines/whole/validate', bodyOf(wrong))).body).toMatchObject({ valid: false, problems: expect.arrayContaining([expect.stringMatching(problem)]) });
    }
    expect(await recorded()).toEqual(before);
  });

  test('that nobody has read since it changed is not overwritten', async () => {
    const file = shop('seen');
    const etag = await made(file);
    expect(problemOf(await put(file))).toMatchObject({ code: 'PRECONDITION_REQUIRED' });
    const longer = shop('seen', (text) => text.replace('soak: 5m', 'soak: 1h'));
    expect((await put(longer, { etag })).status).toBe(200);
    expect(problemOf(await put(file, { etag }))).toMatchObject({ code: 'PRECONDITION' });
    expect(problemOf(await put(shop('unseen'), { etag }))).toMatchObject({ code: 'PRECONDITION', detail: expect.stringContaining('somebody deleted it') });
  });

  test('of two who write at the same time what both have read, one is told of the other', async () => {
    const etag = await made(shop('both'));
    const [first, second] = [shop('both', (text) => text.replace('soak: 5m', 'soak: 1h')), shop('both', (text) => text.replace('soak: 5m', 'soak: 2h'))];
    const answers = await Promise.all([put(first, { etag }), put(second, { etag })]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, expect.toSatisfy((status: number) => status === 409 || status === 412)]);
    expect((await control.get('/v1/pipelines/both')).body.generation).toBe(2);
  });

  test('is only looked at with dryRun', async () => {
    const before = await recorded();
    const answer = await put(shop('maybe'), { query: '?dryRun=true' });
    expect([answer.status, answer.body.pipeline, answer.body.apps]).toEqual([200, 'maybe', ['maybe-web', 'maybe-api']]);
    expect(await recorded()).toEqual(before);
    expect((await control.get('/v1/pipelines/maybe')).status).toBe(404);
  });

  test('T-7 is disabled and enabled with a reason, and deleted without its environments', async () => {
    const etag = await made(shop('off'));
    expect((await control.post('/v1/pipelines/off/disable', { reason: 'audit' })).body).toMatchObject({ enabled: false, switchReason: 'audit' });
    expect((await control.get('/v1/pipelines/off/graph')).body.enabled).toBe(false);
    expect((await control.post('/v1/pipelines/off/enable')).body).toMatchObject({ enabled: true });
    expect((await control.post('/v1/pipelines/none/enable').catch((error: Error) => error.message))).toContain("there is no pipeline 'none'");
    expect(problemOf(await control.call('DELETE', '/v1/pipelines/off')).code).toBe('PRECONDITION_REQUIRED');
    expect((await control.call('DELETE', '/v1/pipelines/off?reason=gone', { headers: { 'if-match': etag } })).status).toBe(204);
    expect((await control.get('/v1/pipelines/off')).status).toBe(404);
    expect((await control.get('/v1/environments/off-prod')).status).toBe(200);
  });

  test('G-3 is changed by whoever may administer all of it, and by nobody who may only change an environment', async () => {
    const file = shop('mine');
    const etag = await made(file);
    const token = async (name: string, scopes: readonly string[]) => (await control.post('/v1/tokens', { use: 'api', name, scopes })).body.text as string;
    for (const [name, scopes] of [['env', ['admin:env/mine-prod', 'read:*']], ['promote', ['promote:*', 'read:*']]] as const) {
      const answer = await put(file, { etag, token: await token(name, scopes) });
      expect([answer.status, problemOf(answer).detail]).toEqual([403, expect.stringContaining('admin:*')]);
    }
  });
});

describe('a plan', () => {
  test('names each difference by the place in the file', async () => {
    const file = shop('plan');
    expect(await plan(file)).toMatchObject({ pipeline: 'plan', kind: 'create' });
    await made(file);
    const edited = shop('plan', (text) => text.replace('soak: 5m', 'soak: 1h').replace('size: 1,', 'size: 2,').replace('{name: beta, timeout', '{name: second, timeout').replace('workflow: beta', 'workflow: second'));
    expect((await plan(edited)).changes).toEqual([
      { action: 'change', path: 'stages/beta/environments/plan-beta/workflow', before: 'beta', after: 'second' },
      { action: 'change', path: 'edges/plan-alpha-to-plan-beta/soakMs', before: 300_000, after: 3_600_000 },
      { action: 'add', path: 'workflows/second', after: expect.objectContaining({ workflow: 'second' }) },
      { action: 'remove', path: 'workflows/beta', before: expect.objectContaining({ workflow: 'beta' }) },
      { action: 'change', path: 'environments/plan-prod/config/batches/one-box/size', before: 1, after: 2 },
    ]);
    const swapped = shop('plan', (text) => text.replace('- {name: alpha, env', '- {name: zeta, env'));
    expect((await plan(swapped)).changes.map(({ action, path }) => `${action} ${path}`)).toEqual(['add stages/zeta', 'remove stages/alpha']);
  });
});

describe('the graph', () => {
  test('shows stages, environments, and promotions with what holds them', async () => {
    await made(shop('map'));
    const graph: Graph = (await control.get('/v1/pipelines/map/graph')).body;
    expect(graph).toMatchObject({ pipeline: 'map', generation: 1, apps: [{ app: 'map-web', revisions: 0 }, { app: 'map-api' }] });
    expect(graph.stages.map(({ stage, environments }) => [stage, environments.map(({ environment, targets, windows }) => [environment, targets, windows.open])])).toEqual([
      ['alpha', [['map-alpha', 0, true]]],
      ['beta', [['map-beta', 0, true]]],
      ['prod', [['map-prod', 0, true]]],
    ]);
    expect(graph.edges.map(({ from, to, apps, auto, automation }) => [from.app ?? from.environment, to, apps.length, auto, automation])).toEqual([
      ['map-web', 'map-alpha', 1, true, true],
      ['map-api', 'map-alpha', 1, true, true],
      ['map-alpha', 'map-beta', 2, true, true],
      ['map-beta', 'map-prod', 2, false, false],
    ]);
  });
});

function never(): never {
  throw new Error('the file has environments');
}
