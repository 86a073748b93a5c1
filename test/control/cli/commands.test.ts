// Every command against a control plane that runs, over a real socket: what it prints, what it says, and the code that it ends with.

import { createServer } from 'node:http';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExitCode } from '../../../control/cli/exit.ts';
import { runCommandLine } from '../../../control/cli/cli.ts';
import { readConfig } from '../../../control/config.ts';
import { createLog, startControl, type Control } from '../../../control/control.ts';
import { ControlError } from '../../../control/errors.ts';
import { systemClock } from '../../../control/clock.ts';
import { closedUrl } from './proxy.ts';
import { run, testWorld, type Ran } from './world.ts';

let home: string;
let control: Control;
let environment: Record<string, string | undefined>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'starling-cli-'));
  const dataDir = join(home, 'control');
  control = await startControl(readConfig({ environment: {}, flags: { listen: '127.0.0.1:0', dataDir } }), { log: createLog('error', () => undefined) });
  environment = { STARLING_URL: control.url, STARLING_TOKEN_FILE: join(dataDir, 'admin.token') };
  await expectCode(0, 'app', 'create', 'web');
  await expectCode(0, 'env', 'create', 'prod', '--app', 'web', '--targets', 'site=berlin', '--batches', '1,25%,100%', '--min-healthy', '50%', '--bake', '10m');
});
afterAll(async () => {
  await control.close();
  await rm(home, { recursive: true });
});

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(args, { environment, directory: home, home });
}

async function expectCode(code: ExitCode, ...args: readonly string[]): Promise<Ran> {
  const ran = await starling(...args);
  expect({ code: ran.code, err: ran.err }).toEqual({ code, err: code === 0 ? expect.any(String) : expect.stringMatching(/^starling: /) });
  return ran;
}

describe('usage', () => {
  test.each([
    [['stauts'], "unknown command 'stauts'\n(Did you mean status?)"],
    [['status', '--wach'], "unknown option '--wach'\n(Did you mean --watch?)"],
    [['env', 'crate'], "unknown command 'crate'\n(Did you mean create?)"],
    [['push', '--app', 'web'], "missing required argument 'dir'"],
    [['push', '.'], "required option '-a, --app <name>' not specified"],
    [['status', '-o', 'xml'], "'xml' is not a format; formats are table, json"],
    [['promote', '--to', 'prod', '--wait', 'soon'], "'soon' is not a duration"],
    [['rollback', 'prod', '--to', 'yesterday'], "'yesterday' is not 'previous' or the number"],
    [['token', 'create'], '--join for a machine, --api for a person'],
    [['token', 'create', '--api'], '--api needs --scopes'],
    [['token', 'create', '--api', '--scopes', 'promote:prod'], "'promote:prod' is not a scope; scopes are read:*"],
    [['token', 'create', '--join', '--roles', 'boss'], "'boss' is not a role"],
    [['env', 'create', 'x', '--app', 'web', '--targets', 'berlin'], "'berlin' is not of the form key=value"],
    [['env', 'create', 'x', '--app', 'web', '--targets', 'a=b', '--batches', '1,many'], "'many' is neither a number of targets nor a share"],
    [['events', '--since', 'now'], "'now' is not the number of an event"],
    [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish'],
    [['login', 'http://127.0.0.1:1'], 'login needs --token-file'],
    [['app', 'create', 'Not A Name'], '/app must be lower-case letters, digits and inner hyphens, at most 64'],
  ])('%j is told what was expected, with 2', async (args, expected) => {
    const { err } = await expectCode(2, ...args);
    expect(err).toContain(expected);
  });

  test('token create takes scopes of every kind, for workers too', async () => {
    await expectCode(0, 'token', 'create', '--api', '--scopes', 'work:*, read:env/prod');
  });

  test('a token that was saved is not said to have been shown', async () => {
    const file = join(home, 'saved.token');
    const { out, err } = await expectCode(0, 'token', 'create', '--join', '--save', file);
    expect(out).toBe(`${file}\n`);
    expect(err).toContain('nobody can read it anywhere else');
    expect(err).toContain(`--token-file ${file} --roles agent`);
    expect((await expectCode(0, 'token', 'create', '--join')).err).toContain('it is shown this once');
  });

  test('promote takes a revision or a set without a flag, and only one way of saying which', async () => {
    expect((await expectCode(3, 'promote', 'web@99', '--to', 'prod')).err).toContain("application 'web' has no revisions yet");
    expect((await expectCode(2, 'promote', 'web@1', '--revision', '2', '--to', 'prod')).err).toContain("'web@1' says what to promote, and so do --revision and --set: leave one out");
    expect((await expectCode(2, 'promote', 'web@1,', '--to', 'prod')).err).toContain("'web@1,' is not a set of revisions");
  });

  test.each([
    [['promote', '--too', 'prod'], 'usage: starling promote [options] [revision]; `starling promote --help` says more'],
    [['pipeline', 'get'], 'usage: starling pipeline get [options] <name>; `starling pipeline get --help` says more'],
    [['proomte'], '`starling --help` lists the commands'],
  ])('%j is told how it is called', async (args, usage) => {
    expect((await expectCode(2, ...args)).err).toMatch(new RegExp(`\n${usage.replace(/[[\]]/g, '\\$&')}\n$`));
  });

  test('without a command shows the help, with 2', async () => {
    expect(await starling()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Usage: starling') });
  });
});

describe('failures of the API', () => {
  test('what is not there: 3, with what is', async () => {
    expect((await expectCode(3, 'promote', '--to', 'prd')).err).toContain("no environment 'prd'; there are prod");
    expect((await expectCode(3, 'explain', 'nothing-here')).err).toContain("neither an environment nor a promotion 'nothing-here'");
    await expectCode(3, 'targets', '--environment', 'prd');
    await expectCode(3, 'push', '.', '--app', 'wbe');
    await expectCode(3, 'promote', '--to', 'prod');
  });

  test('a token that is not known, or may not do this: 4', async () => {
    const stale = { ...environment, STARLING_TOKEN: 'sta1.nonsense' };
    expect(await run(['status'], { environment: stale, home })).toMatchObject({ code: 4 });
    const { out } = await starling('token', 'create', '--api', '--scopes', 'read:*');
    const reader = { STARLING_URL: control.url, STARLING_TOKEN: out.trim() };
    expect(await run(['status'], { environment: reader, home })).toMatchObject({ code: 0 });
    expect(await run(['app', 'create', 'other'], { environment: reader, home })).toMatchObject({ code: 4, err: expect.stringContaining('starling: ') });
    expect(await run(['status'], { environment: { STARLING_URL: control.url }, home })).toMatchObject({ code: 4, err: expect.stringContaining('no token for') });
  });

  test('what exists already, or is for another application: 5', async () => {
    await expectCode(5, 'app', 'create', 'web');
    expect((await expectCode(5, 'promote', '--to', 'prod', '--app', 'other')).err).toContain("environment 'prod' runs 'web', not 'other'");
  });

  test('a gate: 6, with the blockers', async () => {
    const { err } = await expectCode(0, 'explain', 'prod');
    expect(err).toBe('');
    const blocked = { subject: { kind: 'environment', id: 'prod' }, environment: 'prod', phase: 'waiting', summary: 'it waits', blockers: [{ type: 'lock', reason: 'frozen \u001b[2J', since: 0 }], waits: [] };
    const server = createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(blocked)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const ran = await run(['explain', 'prod', '--url', url], { environment: { STARLING_TOKEN: 'x' }, home });
    server.close();
    server.closeAllConnections();
    expect(ran).toMatchObject({ code: 6, err: '', out: expect.stringContaining('blocked by lock: frozen \\x1b[2J') });
  });

  test('nobody there: 69, at once', async () => {
    const url = await closedUrl();
    const { code, err } = await run(['status', '--url', url], { environment: { STARLING_TOKEN: 'x' }, home });
    expect({ code, err }).toEqual({ code: 69, err: expect.stringContaining(`${url} does not answer (ECONNREFUSED): is the control plane running there?`) });
  });

  test('something else there: 1, with a doubt about the URL', async () => {
    const server = createServer((_request, response) => void response.end('<html>It works</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const ran = await run(['status', '--url', `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`], { environment: { STARLING_TOKEN: 'x' }, home });
    server.closeAllConnections();
    server.close();
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('is this the URL of a control plane?') });
  });

  test('an interrupt: 130', async () => {
    const world = testWorld({ arguments: ['events', '--follow'], environment, home });
    const running = runCommandLine(world);
    world.stop.abort(new ControlError('ABORTED', 'interrupted'));
    expect(await running).toBe(130);
    expect(world.written.err).toBe('starling: interrupted\n');
  });

  test('--debug shows where, and not otherwise', async () => {
    expect((await starling('app', 'create', 'web')).err).not.toContain('    at ');
    expect((await starling('--debug', 'app', 'create', 'web')).err).toContain('    at ');
  });
});

describe('data', () => {
  test('is on stdout and nothing else is', async () => {
    const { out, err } = await expectCode(0, 'env', 'list', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject([{ environment: 'prod', app: 'web', selector: { site: 'berlin' }, config: { batches: [1, '25%', '100%'], minHealthy: '50%', bakeMs: 600_000 } }]);
    expect(err).toBe('');
    expect((await starling('env', 'list', '-o', 'name')).out).toBe('prod\n');
    expect((await starling('status', '-o', 'yaml')).out).toContain('\n  - environment: prod\n');
    expect((await starling('status')).out).toContain('prod         web  -        -        -       0 of 0 serving, 0 online');
  });

  test('of events is the journal from its beginning', async () => {
    const lines = (await starling('events', '-o', 'json')).out.trim().split('\n').map((line) => JSON.parse(line) as { type: string; sequence: number });
    expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, at) => at + 1));
    expect(lines.map(({ type }) => type)).toContain('dev.starling.environment.created.v1');
    expect((await starling('events', '--since', `${lines.length - 1}`, '-o', 'name')).out).toBe(`${lines.length}\n`);
  });

  test('of a join token is its text alone, and what to do with it is a message', async () => {
    const { out, err } = await starling('token', 'create', '--join', '--environments', 'prod', '--labels', 'site=berlin');
    expect(out).toMatch(/^staj1\.[0-9a-f]{64}\.\w+\.\w+\n$/);
    expect(err).toContain(`starlingd join ${control.url} --token-file FILE --roles agent`);
  });

  test('of a saved token is in a file that only its owner reads, and not printed', async () => {
    const { out, err } = await starling('token', 'create', '--api', '--scopes', 'read:*', '--save', 'mine.token');
    const text = (await readFile(join(home, 'mine.token'), 'utf8')).trim();
    expect((await stat(join(home, 'mine.token'))).mode & 0o777).toBe(0o600);
    expect(out + err).not.toContain(text);
    expect((await starling('token', 'create', '--api', '--scopes', 'read:*', '--save', 'mine.token')).code).toBe(1);
  });

  test('of a revoked token is worth nothing', async () => {
    const { text, token } = JSON.parse((await starling('token', 'create', '--api', '--scopes', 'read:*', '-o', 'json')).out) as { text: string; token: string };
    await expectCode(0, 'token', 'revoke', token);
    expect(await run(['status'], { environment: { STARLING_URL: control.url, STARLING_TOKEN: text }, home })).toMatchObject({ code: 4 });
    expect((await starling('token', 'list')).out).toMatch(new RegExp(`^${token}.*revoked$`, 'm'));
  });

  test('of a login is remembered', async () => {
    await expectCode(0, 'login', control.url, '--token-file', join(home, 'control/admin.token'), '--name', 'here');
    expect(await run(['status', '-o', 'name'], { environment: {}, home })).toMatchObject({ code: 0, out: 'starling\n' });
    expect((await run(['context', 'list'], { environment: {}, home })).out).toMatch(/here \* +http:/);
    expect(await run(['context', 'use', 'there'], { environment: {}, home })).toMatchObject({ code: 2, err: expect.stringContaining("there is no context 'there'; there is here") });
    expect(await run(['context', 'use', 'here', '-o', 'name'], { environment: {}, home })).toMatchObject({ code: 0, out: 'here\n' });
    expect(await run(['login', control.url, '--token-file', 'nowhere'], { environment: {}, home, directory: home })).toMatchObject({ code: 2, err: expect.stringContaining('there is no such file') });
  });

  test.each(['bash', 'zsh', 'fish'])('of a completion for %s names every command', async (shell) => {
    const { out } = await expectCode(0, 'completion', shell);
    for (const word of ['promote', 'rollback', '--min-healthy', 'revoke']) expect(out).toContain(word);
  });
});

describe('push', () => {
  async function tree(name: string, fill: (directory: string) => Promise<unknown>): Promise<string> {
    const directory = join(home, name);
    await mkdir(directory);
    await writeFile(join(directory, 'index.html'), 'hello');
    await fill(directory);
    return directory;
  }

  test.each<[string, ExitCode, RegExp, (directory: string) => Promise<unknown>]>([
    ['a bad deploy.yaml', 2, /deploy\.yaml:2:1: unknown key 'knd'; did you mean 'kind'\?/, async (at) => await writeFile(join(at, 'deploy.yaml'), 'apiVersion: starling/v1\nknd: DeploySpec\n')],
    ['broken YAML', 2, /deploy\.yaml:2:1: Missing closing/, async (at) => await writeFile(join(at, 'deploy.yaml'), 'a: "unclosed\n')],
    ['a symlink out of the tree', 1, /"escape" .* points outside the tree/, async (at) => await symlink('../../etc/passwd', join(at, 'escape'))],
    ['names that collide', 1, /differ only in case/, async (at) => await writeFile(join(at, 'INDEX.html'), '')],
    [
      'a socket', 1, /"sock" is a socket/,
      async (at) => {
        const server = createSocketServer();
        await new Promise<void>((resolve) => server.listen(join(at, 'sock'), resolve));
        server.unref();
      },
    ],
  ])('of %s says what and where, and publishes nothing', async (name, code, expected, fill) => {
    const directory = await tree(name.replaceAll(' ', '-'), fill);
    const { err } = await expectCode(code, 'push', directory, '--app', 'web');
    expect(err).toMatch(expected);
    expect((await starling('app', 'revisions', 'web', '-o', 'json')).out).toBe('[]\n');
  });

  test('of nothing, or of what is no directory', async () => {
    expect((await expectCode(1, 'push', 'no-such-directory', '--app', 'web')).err).toContain('no-such-directory');
    await mkdir(join(home, 'empty'));
    expect((await expectCode(1, 'push', 'empty', '--app', 'web')).err).toContain('is empty');
    expect((await expectCode(1, 'push', 'mine.token', '--app', 'web')).err).toContain('mine.token');
  });

  test('without a proxy says how to get one', async () => {
    const directory = await tree('fine', async () => await Promise.resolve());
    expect((await expectCode(69, 'push', directory, '--app', 'web')).err).toContain('no proxy takes uploads');
  });

  test('warns of a deploy spec that is called otherwise', async () => {
    const directory = await tree('misnamed', async (at) => await writeFile(join(at, 'deploy.yml'), 'x'));
    expect((await starling('push', directory, '--app', 'web')).err).toContain('deploy.yml is not read as a deploy spec');
  });
});

describe('starling control', () => {
  test('says where it is, where the token is, and how a machine joins; and ends well when it is told to', async () => {
    const dataDir = join(home, 'second');
    const world = testWorld({ arguments: ['control', '--listen', '127.0.0.1:0', '--data-dir', dataDir], environment: {}, home });
    const running = runCommandLine(world);
    while (world.written.out === '') await systemClock.wait(10, { signal: world.signal });
    const { out } = world.written;
    expect(out).toContain(`${dataDir}/admin.token`);
    expect(out).toMatch(/trust root {3}sha256:[0-9a-f]{64}/);
    expect(out).toMatch(/starlingd join http:\/\/127\.0\.0\.1:\d+ --token-file token\.txt/);
    expect(await run(['control', '--listen', '127.0.0.1:0', '--data-dir', dataDir], { environment: {}, home })).toMatchObject({ code: 1, err: expect.stringContaining('in use') });
    world.stop.abort(new ControlError('ABORTED', 'interrupted'));
    expect(await running).toBe(0);
  });

  test('on a port in use says so', async () => {
    const listen = new URL(control.url).host;
    expect(await run(['control', '--listen', listen, '--data-dir', join(home, 'third')], { environment: {}, home })).toMatchObject({ code: 1, err: expect.stringContaining('is in use by another process') });
  });

  test('with unknown settings names file, line and column', async () => {
    await writeFile(join(home, 'control.yaml'), 'dataDir: /nowhere\nlisten:\n  prot: 1\n');
    expect(await run(['control', '--config', 'control.yaml'], { environment: {}, home, directory: home })).toMatchObject({ code: 2, err: expect.stringContaining("control.yaml:3:3: unknown key 'prot'; did you mean 'port'?") });
    expect(await run(['control', '--config', 'absent.yaml'], { environment: {}, home, directory: home })).toMatchObject({ code: 2 });
  });
});
