// `starling apply`, `validate`, `diff` and `pipeline` against a control plane that runs: what is said, and the codes.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestControl } from '../http/harness.ts';
import { run, type Ran } from './world.ts';

let control: TestControl;
let directory: string;
let shop: string;
beforeAll(async () => {
  control = await TestControl.start();
  directory = await mkdtemp(join(tmpdir(), 'starling-files-'));
  shop = await readFile(new URL('../files/shop.yaml', import.meta.url), 'utf8');
});
afterAll(async () => {
  await control[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(args, { environment: { STARLING_URL: control.url, STARLING_TOKEN: control.admin }, directory, stdin: Readable.from([Buffer.from(shop.replace('soak: 5m', 'soak: 5'))]) });
}
const write = async (name: string, text: string): Promise<void> => await writeFile(join(directory, name), text);

test('validate asks nobody, and names every problem; apply and diff refuse the same', async () => {
  await write('good.yaml', shop);
  await write('bad.yaml', shop.replace('soak: 5m', 'soak: 5 min').replace('bake: 10m', 'bakes: 10m'));
  expect(await starling('validate', '-f', 'good.yaml', '--url', 'http://127.0.0.1:1')).toMatchObject({ code: 0, out: 'good.yaml: nothing is wrong (shop)\n' });
  const said = [
    'starling: 2 things are wrong, and nothing was changed:',
    "bad.yaml:10:56: 'bakes' is not a known key here; did you mean 'bake'?",
    "bad.yaml:18:74: found '5 min'; expected a duration such as 30s, 10m, 2h or 7d",
    '',
  ].join('\n');
  for (const command of ['validate', 'apply', 'diff']) expect(await starling(command, '-f', 'bad.yaml')).toMatchObject({ code: 2, err: said });
  expect(await starling('validate', '-f', '-')).toMatchObject({ code: 2, err: expect.stringContaining('stdin:18:74: found the number 5') });
  const { problems } = JSON.parse((await starling('validate', '-f', 'bad.yaml', '-o', 'json')).out);
  expect(problems).toMatchObject([{ file: 'bad.yaml', line: 10, column: 56 }, { line: 18 }]);
  expect(await starling('validate', '-f', 'none.yaml')).toMatchObject({ code: 2, err: expect.stringContaining("there is no file 'none.yaml'") });
  expect(await starling('validate')).toMatchObject({ code: 2, err: expect.stringContaining('validate needs -f') });
  expect(JSON.parse((await starling('validate', '--schema', 'Pipeline')).out)).toMatchObject({ title: 'A pipeline of Starling' });
  expect(await starling('validate', '--schema', 'Pipelines')).toMatchObject({ code: 2, err: expect.stringContaining("'Pipelines' is not a kind of file; kinds are Pipeline") });
});

test('settings without effect are warned of, and refused with --strict', async () => {
  await write('ignored.yaml', shop.replace('{name: shop-web}', '{name: shop-web, repo: {url: "https://git.example.com/web.git"}}'));
  expect(await starling('validate', '-f', 'ignored.yaml')).toMatchObject({ code: 0, err: "warning: ignored.yaml:5:27: 'repo' has no effect in this version: it is for 'autoBuild' with a 'command'\n" });
  expect(await starling('validate', '-f', 'ignored.yaml', '--strict')).toMatchObject({ code: 2, err: expect.stringContaining("'repo' has no effect") });
});

test('CDS-2 a pipeline is planned, applied, compared, exported, changed, switched and deleted', async () => {
  await write('shop.yaml', shop);
  expect(await starling('pipeline', 'list')).toMatchObject({ code: 0, out: '', err: expect.stringContaining('no pipeline yet') });
  expect(await starling('diff', '-f', 'shop.yaml')).toMatchObject({ code: 1, out: expect.stringContaining('pipeline shop is new\n  + project shop\n  + stage alpha\n  +   environment shop-alpha (shop-web, shop-api) from shop-web, shop-api') });
  expect((await starling('apply', '-f', 'shop.yaml', '--dry-run')).code).toBe(0);
  expect((await starling('pipeline', 'get', 'shop')).code).toBe(3);

  const applied = await starling('apply', '-f', 'shop.yaml');
  expect(applied).toMatchObject({ code: 0, out: expect.stringMatching(/pipeline shop created\n$/), err: expect.stringMatching(/^warning: pipeline shop: the control plane's settings have no channel 'pager', .*there are none/) });
  expect(await starling('diff', '-f', 'shop.yaml')).toMatchObject({ code: 0, out: 'pipeline shop is as the file says\n' });
  expect((await starling('apply', '-f', 'shop.yaml')).out).toBe('pipeline shop unchanged\n');

  await write('exported.yaml', (await starling('pipeline', 'export', 'shop')).out);
  expect((await starling('diff', '-f', 'exported.yaml')).code).toBe(0);

  await write('shop.yaml', shop.replace('soak: 5m', 'soak: 1h').replace('size: 1,', 'size: 2,').replace('approval: {rules: [{group: qa, count: 1}]}', 'approval: {rules: [{group: qa, count: 2}]}').replace('auto: true, soak', 'auto: true, select: matchDestination, soak'));
  const plan = (await starling('pipeline', 'plan', '-f', 'shop.yaml')).out;
  expect(plan).toBe([
    'pipeline shop would change',
    '  ~ promotion shop-alpha-to-shop-beta select: latest -> matchDestination',
    '  ~ promotion shop-alpha-to-shop-beta soak: 5m -> 1h',
    '  ~ promotion shop-beta-to-shop-prod approval.rules.qa.count: 1 -> 2',
    '  ~ environment shop-prod batch one-box size: 1 -> 2',
    '',
  ].join('\n'));
  expect((await starling('apply', '-f', 'shop.yaml')).out).toBe(`${plan.split('\n').slice(1).join('\n')}pipeline shop changed\n`);

  expect((await starling('pipeline', 'list')).out).toMatch(/shop +shop +yes +shop-web, shop-api +alpha \(shop-alpha\) > beta \(shop-beta\) > prod \(shop-prod\)/);
  expect((await starling('pipeline', 'disable', 'shop', '--reason', 'audit')).out).toBe('pipeline shop disabled\n');
  expect((await starling('pipeline', 'get', 'shop')).out).toMatch(/^pipeline shop of project shop, DISABLED: nothing is promoted\nstage alpha\n {2}shop-alpha: empty \(0 targets\)\n {4}from shop-web: shop-web; automatic; nothing new/);
  expect(await starling('apply', '-f', 'exported.yaml')).toMatchObject({ code: 0, out: expect.stringContaining('pipeline shop changed (disabled)') });
  expect((await starling('pipeline', 'enable', 'shop')).out).toBe('pipeline shop enabled\n');
  expect((await starling('pipeline', 'delete', 'shop')).code).toBe(0);
  expect(await starling('pipeline', 'delete', 'shop')).toMatchObject({ code: 3, err: expect.stringContaining("there is no pipeline 'shop'") });
});

test('G-1 of a directory nothing is applied when one of its files cannot be', async () => {
  await mkdir(join(directory, 'many'));
  await write('many/a.yaml', shop.replaceAll('shop', 'first'));
  await write('many/b.yaml', shop.replaceAll('shop', 'second').replaceAll('second-alpha', 'first-alpha'));
  // Each alone is right; together one environment is in two pipelines.
  expect((await starling('apply', '-f', 'many/a.yaml')).code).toBe(0);
  await write('many/a.yaml', shop.replaceAll('shop', 'first').replace('soak: 5m', 'soak: 9m'));
  expect(await starling('apply', '-f', 'many')).toMatchObject({ code: 2, err: expect.stringContaining("environment 'first-alpha' is in pipeline 'first' already") });
  expect((await control.get('/v1/pipelines/first')).body.generation).toBe(1);
  await write('many/b.yaml', shop.replaceAll('shop', 'second'));
  expect(await starling('apply', '-f', 'many')).toMatchObject({ code: 0, out: expect.stringMatching(/soak: 5m -> 9m\npipeline first changed\n[^]*pipeline second created\n$/) });
  await write('many/c.yaml', shop.replaceAll('shop', 'second'));
  expect(await starling('validate', '-f', 'many')).toMatchObject({ code: 2, err: expect.stringContaining("pipeline 'second' is there twice, in many/b.yaml and many/c.yaml") });
});

test('a deploy spec is read from where a pipeline says that it is, and only from there', async () => {
  await write('named.yaml', shop.replaceAll('shop-', 'named-').replace('name: shop', 'name: named').replace('{name: named-web}', '{name: named-web, deploySpec: deploy/prod.yaml}'));
  const tree = join(directory, 'tree');
  await mkdir(join(tree, 'deploy'), { recursive: true });
  await writeFile(join(tree, 'deploy.yaml'), 'of: another program\n');
  expect(await starling('push', tree, '--app', 'named-web')).toMatchObject({ code: 3 });
  expect(await starling('apply', '-f', 'named.yaml')).toMatchObject({ code: 0, err: expect.not.stringContaining('deploySpec') });
  expect(await starling('push', tree, '--app', 'named-web')).toMatchObject({ code: 2, err: expect.stringContaining(`there is no 'deploy/prod.yaml' in ${tree}, where a pipeline says that the deploy spec of application 'named-web' is`) });
  await writeFile(join(tree, 'deploy/prod.yaml'), 'apiVersion: starling/v1\nknd: DeploySpec\n');
  expect(await starling('push', tree, '--app', 'named-web')).toMatchObject({ code: 2, err: expect.stringContaining("deploy/prod.yaml:2:1: unknown key 'knd'") });
  expect(await starling('push', tree, '--app', 'named-api')).toMatchObject({ code: 2, err: expect.stringContaining("deploy.yaml:1:1: unknown key 'of'") });
  expect((await starling('pipeline', 'export', 'named')).out).toContain('deploySpec: deploy/prod.yaml');
  await write('second.yaml', shop.replaceAll('shop-', 'second-').replace('name: shop', 'name: second').replace(/second-(web|api)/g, 'named-$1').replace('{name: named-web}', '{name: named-web, deploySpec: other.yaml}'));
  expect(await starling('apply', '-f', 'second.yaml')).toMatchObject({ code: 2, err: expect.stringContaining("the deploy spec of application 'named-web' is 'deploy/prod.yaml' in pipeline 'named', and 'other.yaml' here") });
  await write('out.yaml', shop.replace('{name: shop-web}', '{name: shop-web, deploySpec: ../prod.yaml}'));
  expect(await starling('validate', '-f', 'out.yaml')).toMatchObject({ code: 2, err: expect.stringMatching(/out\.yaml:5:39: '\.\.\/prod\.yaml' .*; expected a path inside of what is pushed/) });
});

test('what only the control plane can know to be wrong is told a line each', async () => {
  await write('shop.yaml', shop);
  await starling('apply', '-f', 'shop.yaml');
  await write('other.yaml', shop.replace('name: shop\n', 'name: other\n').replace('{name: shop}', '{name: other}'));
  const { code, err } = await starling('apply', '-f', 'other.yaml');
  expect([code, err]).toEqual([2, ["starling: pipeline 'other': 3 things are wrong", ...['shop-alpha', 'shop-beta', 'shop-prod'].map((name) => `  environment '${name}' is in pipeline 'shop' already`), ''].join('\n')]);
});
