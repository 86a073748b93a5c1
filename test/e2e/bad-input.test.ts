// What people and machines get wrong, told to the real programs: each is one line for each problem on standard error, the documented
// exit code, and nothing half-done. Growing files and races of a walk are under test/daemon/content, where they can be made to happen.

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileCache } from '../support/compile-cache.ts';
import { Sandbox, type Program } from './cli-program.ts';

const daemonProgram = fileURLToPath(new URL('../../daemon/main.ts', import.meta.url));
const { PATH = '' } = process.env;

let sandbox: Sandbox;
let control: Program;
let environment: Record<string, string>;
const daemons: ChildProcess[] = [];

const at = (...names: string[]): string => join(sandbox.directory, ...names);

function starlingd(...args: string[]): { readonly code: number | null; readonly err: string } {
  const { status, stderr } = spawnSync(process.execPath, [daemonProgram, ...args], { cwd: sandbox.directory, env: { ...compileCache(), PATH, HOME: sandbox.directory }, encoding: 'utf8', timeout: 100_000 });
  return { code: status, err: stderr };
}

async function starling(...args: string[]): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return await sandbox.starling(args, environment).ended;
}

async function runDaemon(config: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [daemonProgram, 'run', '--config', config], { cwd: sandbox.directory, env: { ...compileCache(), PATH, HOME: sandbox.directory }, stdio: ['ignore', 'ignore', 'pipe'] });
  daemons.push(child);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('the daemon runs')) resolve();
    });
    child.once('close', () => reject(new Error(`starlingd ended: ${said}`)));
  });
  return child;
}

function config(name: string, lines: readonly string[], dataDir = at(name)): string {
  const path = at(`${name}.yaml`);
  writeFileSync(path, [`name: ${name}`, `dataDir: ${dataDir}`, 'listen: /ip4/127.0.0.1/tcp/0', 'http: { port: 0 }', ...lines, ''].join('\n'));
  return path;
}

function tree(name: string, fill: (path: (...names: string[]) => string) => void): string {
  mkdirSync(at(name));
  writeFileSync(at(name, 'a.txt'), 'a');
  fill((...names) => at(name, ...names));
  return name;
}

/** Mounts a small disk. `undefined`, said loudly, where that is refused. */
function smallDisk(name: string, megabytes: number): string | undefined {
  mkdirSync(at(name));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', at(name)], { encoding: 'utf8' });
  if (status === 0) return at(name);
  process.stderr.write(`SKIPPED: full disks need the right to mount a tmpfs, which was refused: ${stderr.trim()}\n`);
  return undefined;
}

beforeAll(async () => {
  sandbox = await Sandbox.create();
  control = sandbox.starling(['control', '--listen', '127.0.0.1:0', '--data-dir', 'control', '-o', 'json']);
  await control.said('"adminTokenFile"');
  const { url, adminTokenFile } = JSON.parse(control.out()) as { url: string; adminTokenFile: string };
  environment = { STARLING_URL: url, STARLING_TOKEN_FILE: adminTokenFile };
  await sandbox.ended(sandbox.starling(['app', 'create', 'web'], environment), 0);
  await sandbox.ended(sandbox.starling(['env', 'create', 'prod', '--app', 'web', '--targets', 'env=prod'], environment), 0);
}, 120_000);

afterAll(async () => {
  for (const child of daemons) child.kill('SIGKILL');
  for (const name of ['disk-seed', 'disk-agent', 'disk-control']) if (existsSync(at(name))) spawnSync('umount', ['-l', at(name)]);
  await sandbox[Symbol.asyncDispose]();
}, 120_000);

describe('a tree that cannot be published', () => {
  const cases: readonly (readonly [string, (path: (...names: string[]) => string) => void, number, readonly string[]])[] = [
    ['named pipe', (path) => execFileSync('mkfifo', [path('pipe')]), 1, ['"pipe" is a named pipe; only files, directories and symbolic links can be published: leave it out']],
    ['links out of it', (path) => (symlinkSync('/etc/passwd', path('b')), symlinkSync('../../x', path('c'))), 1, ['points to an absolute path; write its target relative to where it is; or leave it out', 'points outside the tree']],
    ['case', (path) => writeFileSync(path('A.txt'), ''), 1, ['"A.txt" and "a.txt" differ only in case or Unicode normalisation; rename one of them']],
    ['unicode', (path) => (writeFileSync(path('\u00e9'), ''), writeFileSync(path('e\u0301'), '')), 1, ['is not in Unicode normalisation form C; rename it, or leave it out', '"e\u0301" (eU+0301)']],
    ['control character', (path) => writeFileSync(path('a\nb'), ''), 1, ['path "a\\nb" contains a control character; rename it']],
    ['deploy.yaml', (path) => writeFileSync(path('deploy.yaml'), 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases, keepReleses: 3 }\nservice: { manager: none }\nhealth: []\n'), 2, ["deploy.yaml:3:30: unknown key 'keepReleses'; did you mean 'keepReleases'?"]],
  ];
  test.each(cases)('%s', async (name, fill, code, problems) => {
    const result = await starling('push', tree(`tree ${name}`, fill), '--app', 'web');
    expect(result).toMatchObject({ code, out: '' });
    const lines = result.err.trimEnd().split('\n');
    expect(lines).toHaveLength(problems.length);
    for (const problem of problems) expect(result.err).toContain(problem);
    expect(JSON.parse((await starling('app', 'list', '-o', 'json')).out)).toMatchObject([{ app: 'web', revisions: 0 }]);
  });
});

describe('a name, token or option that is wrong', () => {
  const cases: readonly (readonly [readonly string[], Record<string, string>, number, string])[] = [
    [['push', 'tree', '--app', 'nosuch'], {}, 3, "there is no application 'nosuch'"],
    [['promote', '--to', 'nosuch', '--app', 'web'], {}, 3, "there is no environment 'nosuch'"],
    [['explain', 'nosuch'], {}, 3, "there is neither an environment nor a promotion 'nosuch'"],
    [['stauts'], {}, 2, "unknown command 'stauts'"],
    [['status', '--fast'], {}, 2, "unknown option '--fast'"],
    [['status'], { STARLING_TOKEN_FILE: '/nonexistent' }, 2, 'cannot read the token from /nonexistent: there is no such file'],
    [['status'], { STARLING_URL: 'http://127.0.0.1:9' }, 69, 'http://127.0.0.1:9'],
  ];
  test.each(cases)('starling %j', async (args, variables, code, message) => {
    mkdirSync(at('tree'), { recursive: true });
    const result = await sandbox.starling(args, { ...environment, ...variables }).ended;
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(message);
    expect(result.err).toMatch(/^starling: /);
  });
});

describe('a machine that is set up wrongly', () => {
  test('is told each mistake of its settings, and nothing is made', () => {
    writeFileSync(at('bad.yaml'), 'name: web-1\ndatDir: /x\nhttp: { prt: 0 }\n');
    expect(starlingd('run', '--config', 'bad.yaml')).toEqual({ code: 2, err: "starlingd: bad.yaml:2:1: unknown key 'datDir'; did you mean 'dataDir'?\nbad.yaml:3:9: unknown key 'prt'; did you mean 'port'?\n" });
    expect(starlingd('run', '--data-dir', 'fresh', '--log-level', 'loud', '--name', 'A B')).toMatchObject({ code: 2, err: expect.stringMatching(/^starlingd: --name: 'A B' is not .*\n--log-level: 'loud' is not one of debug, info, warn, error\n$/) });
    expect(starlingd('run', '--data-dir', 'fresh')).toMatchObject({ code: 2, err: expect.stringContaining('run `starlingd join URL --token-file FILE` first') });
    expect(starlingd('rum')).toMatchObject({ code: 2, err: expect.stringMatching(/^starlingd: unknown command 'rum'/) });
    expect(existsSync(at('fresh'))).toBe(false);
  });

  test('joins with no token that was used or revoked, or that is of another control plane', async () => {
    await starling('token', 'create', '--join', '--environments', 'prod', '--save', 'join.token');
    const { STARLING_URL: url = '' } = environment;
    expect(starlingd('join', url, '--token-file', 'join.token', '--data-dir', 'first').code).toBe(0);
    expect(starlingd('join', url, '--token-file', 'join.token', '--data-dir', 'second')).toMatchObject({ code: 4, err: expect.stringContaining('has been used 1 of 1 times; create a new one') });
    expect(existsSync(at('second', 'membership.json'))).toBe(false);
    await starling('token', 'create', '--join', '--environments', 'prod', '--save', 'revoked.token');
    const text = readFileSync(at('revoked.token'), 'utf8').trim();
    await sandbox.ended(sandbox.starling(['token', 'revoke', text.split('.')[2] ?? ''], environment), 0);
    expect(starlingd('join', url, '--token-file', 'revoked.token', '--data-dir', 'third')).toMatchObject({ code: 4, err: expect.stringContaining('revoked') });
    writeFileSync(at('other.token'), text.replace(/^staj1\.[0-9a-f]{64}/, `staj1.${'0'.repeat(64)}`));
    expect(starlingd('join', url, '--token-file', 'other.token', '--data-dir', 'fourth')).toMatchObject({ code: 4, err: expect.stringContaining('compare the join token with the control plane that it comes from') });
    expect(readdirSync(at('fourth', 'trust'))).toEqual([]);
    expect(starlingd('join', `${url}/path`, '--token-file', 'other.token', '--data-dir', 'fifth')).toMatchObject({ code: 2, err: expect.stringContaining('without a path') });
    expect(existsSync(at('fifth'))).toBe(false);
  }, 120_000);

  test('a directory or a port that another control plane has', async () => {
    const { STARLING_URL: url = '' } = environment;
    expect(await sandbox.starling(['control', '--listen', '127.0.0.1:0', '--data-dir', 'control']).ended).toMatchObject({ code: 1, err: expect.stringContaining('is in use by another process; stop that one, or choose another data directory') });
    expect(await sandbox.starling(['control', '--listen', new URL(url).host, '--data-dir', 'other']).ended).toMatchObject({ code: 1, err: expect.stringContaining('is in use by another process; stop that one, or choose another with --listen') });
  });
});

test('full disks of a seed and of a target: told to whoever pushes and promotes, and nothing is left', async ({ skip }) => {
  const [seedDisk, agentDisk] = [smallDisk('disk-seed', 48), smallDisk('disk-agent', 8)];
  if (seedDisk === undefined || agentDisk === undefined) return skip();
  const { STARLING_URL: url = '' } = environment;
  const seed = config('seed', ['roles: [seed, proxy]', 'upload: { host: 127.0.0.1, port: 0 }'], join(seedDisk, 'seed'));
  const target = config('target', ['apps:', `  web: { root: ${join(agentDisk, 'web')} }`]);
  await starling('token', 'create', '--join', '--roles', 'seed,proxy', '--save', 'seed.token');
  await starling('token', 'create', '--join', '--environments', 'prod', '--labels', 'env=prod', '--save', 'target.token');
  expect(starlingd('join', url, '--token-file', 'seed.token', '--config', seed)).toMatchObject({ code: 0 });
  expect(starlingd('join', url, '--token-file', 'target.token', '--config', target)).toMatchObject({ code: 0 });
  await runDaemon(seed);
  expect(starlingd('run', '--config', seed)).toMatchObject({ code: 1, err: expect.stringMatching(/is in use by the daemon that runs as process [0-9]+: stop that one, or name another directory/) });
  await runDaemon(target);
  tree('large', (path) => {
    mkdirSync(path('empty'));
    writeFileSync(path('zero'), '');
    writeFileSync(path('n'.repeat(255)), 'x');
    for (let part = 0; part < 16; part += 1) appendFileSync(path('blob'), crypto.getRandomValues(new Uint8Array(65_536)));
  });
  cpSync(at('large'), at('larger'), { recursive: true });
  truncateSync(at('larger', 'blob'), 0);
  for (let part = 0; part < 900; part += 1) appendFileSync(at('larger', 'blob'), crypto.getRandomValues(new Uint8Array(65_536)));

  expect(await starling('push', 'larger', '--app', 'web')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/the proxy 'seed' refused \(NO_SPACE\): .*the disk is full; free some space and try again\n$/) });
  execFileSync('mount', ['-o', 'remount,size=160m', seedDisk]);
  expect(await starling('push', 'large', '--app', 'web')).toMatchObject({ code: 0 });

  writeFileSync(join(agentDisk, 'ballast'), new Uint8Array(7.5 * 1024 * 1024));
  const promoted = await starling('promote', '--to', 'prod', '--wait', '90s');
  expect(promoted).toMatchObject({ code: 1, err: expect.stringMatching(/NO_SPACE: .* needs [0-9.]+ MB and its disk has [0-9.]+ MB free; free some space and try again/) });
  expect((await starling('explain', 'prod')).out).toContain('NO_SPACE');
  expect(readdirSync(join(agentDisk, 'web', 'releases'))).toEqual([]);

  rmSync(join(agentDisk, 'ballast'));
  expect(await starling('promote', '--to', 'prod', '--wait', '90s')).toMatchObject({ code: 0 });
}, 240_000);
