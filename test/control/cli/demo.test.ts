// The parts of the demo that need no fleet: its tree, its versions, its ports, how it counts, what it takes for a failure, and that the
// processes which it starts do not outlive it.

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DeploySpecSchema, type DeploySpec } from '../../../proto/deploy-spec.ts';
import { readDocument } from '../../../proto/document.ts';
import { ingest } from '../../../daemon/content/ingest/ingest.ts';
import { between, counted } from '../../../control/cli/demo/measure.ts';
import { reservePorts } from '../../../control/cli/demo/ports.ts';
import { startProber } from '../../../control/cli/demo/prober.ts';
import { createProcesses, readRecord, record, stopAll } from '../../../control/cli/demo/processes.ts';
import { problemsOf, type VersionReport } from '../../../control/cli/demo/report.ts';
import { closure } from '../../../control/cli/demo/tree.ts';
import { failing, foreignApp, ownApp } from '../../../control/cli/demo/versions.ts';
import { systemClock } from '../../../control/clock.ts';
import { systemRandom } from '../../../control/random.ts';
import { run, testWorld } from './world.ts';

const checkout = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const source = join(checkout, 'control/cli/demo/app');
let directory: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'starling-demo-test-')));
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

const versionReport: VersionReport = {
  version: '1', result: 'succeeded', uploadedBytes: 9_000_000, originBytes: 30_000_000, peerBytes: 120_000_000, reusedBytes: 0, seconds: 5, treeBytes: 30_000_000,
  entries: 5_000, fetchedBytesMax: 30_000_000, wastedBytes: 0, pushSeconds: 1, triedOn: ['agent-1'], rolledBackOn: [],
};
const good: readonly VersionReport[] = [
  versionReport,
  { ...versionReport, version: '2', uploadedBytes: 200_000, originBytes: 100_000, peerBytes: 400_000, fetchedBytesMax: 100_000 },
  { ...versionReport, version: '3', result: 'rolled-back', triedOn: ['agent-1'], rolledBackOn: ['agent-1'] },
];

describe("the demo's application", () => {
  test('is a real tree of at least 1,000 files and 10 MB with all that it needs', { timeout: 60_000 }, async () => {
    const app = ownApp(source, checkout, join(directory, 'app'));
    const tree = await app.prepare('1');
    const first = await ingest(tree, { signal: new AbortController().signal });
    const files = [...first.tree.entries()].filter(({ kind }) => kind === 'file').length;
    expect(files).toBeGreaterThan(1_000);
    expect(first.tree.bytes).toBeGreaterThan(10_000_000);
    // Every import resolves inside: Node finds nothing above a temporary directory.
    execFileSync(process.execPath, ['--input-type=module', '-e', "await Promise.all(['fastify', '@fastify/swagger', 'level'].map((name) => import(name)))"], { cwd: tree });

    const second = await ingest(await app.prepare('2'), { signal: new AbortController().signal });
    const known = new Set(Array.from({ length: first.tree.chunkCount }, (_, at) => first.tree.chunk(at).id));
    const fresh = Array.from({ length: second.tree.chunkCount }, (_, at) => second.tree.chunk(at)).filter(({ id }) => !known.has(id));
    expect(fresh).toHaveLength(1);
    await app.prepare('3');
    expect(await readFile(join(tree, 'server.js'), 'utf8')).toContain("version: '3', healthy: false");
  });

  test('has a deploy spec that the schema knows', async () => {
    expect(readDocument(await readFile(join(source, 'deploy.yaml'), 'utf8'), 'deploy.yaml', DeploySpecSchema).service.manager).toBe('process');
  });

  test('names a package that is not installed', async () => {
    await writeFile(join(directory, 'package.json'), '{"dependencies":{"no-such-package-here":"*"}}');
    await expect(closure(directory, checkout)).rejects.toThrow("needs the package 'no-such-package-here', which is not installed");
  });
});

describe('another application', () => {
  test('is only read: changes are made to a copy', async () => {
    const theirs = join(directory, 'theirs');
    await mkdir(theirs);
    await writeFile(join(theirs, 'index.html'), 'hello');
    const app = await foreignApp(theirs, join(directory, 'copy'));
    expect(app.probe).toBeUndefined();
    expect(await app.prepare('1')).toBe(theirs);
    await app.prepare('2');
    const third = await app.prepare('3');
    const spec = readDocument(await readFile(join(third, 'deploy.yaml'), 'utf8'), 'deploy.yaml', DeploySpecSchema);
    expect(spec.hooks?.healthCheck).toHaveLength(1);
    await expect(readFile(join(theirs, 'deploy.yaml'))).rejects.toThrow('ENOENT');
  });

  test('with a service gets a health check that cannot pass, beside its own', () => {
    const spec: DeploySpec = { apiVersion: 'starling/v1', kind: 'DeploySpec', install: { layout: 'releases' }, service: { manager: 'process', command: ['x'] }, health: [{ kind: 'active' }] };
    expect(failing(spec).health).toMatchObject([{ kind: 'active' }, { kind: 'http', status: 599 }]);
  });

  test('under systemd is refused before anything starts', async () => {
    await writeFile(join(directory, 'deploy.yaml'), 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: systemd, units: [{ name: web.service, action: restart }] }\nhealth: []\n');
    expect(await run(['demo', '--exit', '--app', directory])).toMatchObject({ code: 2, err: expect.stringContaining('use the manager process or none') });
  });

  test.each([
    ['an unknown key', 'helth: []\n', 'deploy.yaml:1:1: unknown key'],
    ['no YAML', 'a: [\n', 'deploy.yaml:'],
  ])('with %s in its deploy.yaml is told where', async (_what, text, expected) => {
    await writeFile(join(directory, 'deploy.yaml'), text);
    expect(await run(['demo', '--exit', '--app', directory])).toMatchObject({ code: 2, err: expect.stringContaining(expected) });
  });
});

describe('ports of two demos at once', () => {
  test('are never the same', async () => {
    const random = (): Uint8Array => Buffer.from([0, 0, 0, 7]);
    await using one = await reservePorts(5, random);
    await using two = await reservePorts(3, random);
    expect(one.ports).toHaveLength(5);
    expect(two.ports.filter((port) => one.ports.includes(port))).toEqual([]);
    expect(Math.max(...one.ports, ...two.ports)).toBeLessThan(32_768);
  });
});

describe('counters', () => {
  const text = (origin: number, reused: number): string =>
    `# HELP x\nstarling_agent_received_bytes_total{source="origin"} ${origin}\nstarling_agent_received_bytes_total{source="peer"} 7\nstarling_agent_reused_bytes_total ${reused}\nstarling_agent_wasted_bytes_total{reason="corrupt"} 1\nstarling_agent_wasted_bytes_total{reason="duplicate"} 2\nstarling_agent_rollbacks_total 0\n`;

  test('are read by source, and what lies between two readings is their difference', () => {
    expect(counted(text(1.5e6, 3))).toEqual({ originBytes: 1_500_000, peerBytes: 7, reusedBytes: 3, wastedBytes: 3, rollbacks: 0 });
    expect(between(counted(text(100, 3)), counted(text(150, 10)))).toEqual({ originBytes: 50, peerBytes: 0, reusedBytes: 7, wastedBytes: 0, rollbacks: 0 });
  });

  test('that are missing are no zeros', () => {
    expect(() => counted('starling_agent_rollbacks_total 0\n')).toThrow('does not count starling_agent_received_bytes_total{source="origin"}');
  });
});

describe('what the demo promises', () => {
  test('holds for a good run', () => {
    expect(problemsOf({ versions: good, service: { probes: 10, failures: 0, targets: [{ target: 'agent-1', probes: 10, failures: 0, examples: [] }] } })).toEqual([]);
  });

  test.each<[string, number, Partial<VersionReport>, string]>([
    ['an origin that sends too much', 0, { originBytes: 46_000_000 }, 'more than 1.5 times'],
    ['a large upload for a small change', 1, { uploadedBytes: 300_000 }, 'not less than 1 %'],
    ['a target that fetches too much', 1, { fetchedBytesMax: 300_000 }, 'a target fetched'],
    ['a failed version', 1, { result: 'failed' }, 'version 2 failed; expected succeeded'],
    ['a bad version that succeeds', 2, { result: 'succeeded' }, 'version 3 succeeded; expected rolled-back'],
    ['a target that keeps the bad version', 2, { triedOn: ['agent-1', 'agent-2'] }, 'version 3 was not rolled back on agent-2'],
    ['a bad version that nobody tried', 2, { triedOn: [] }, 'tried on no target'],
  ])('does not hold with %s', (_what, at, change, expected) => {
    const versions = good.map((version, index) => (index === at ? { ...version, ...change } : version));
    expect(problemsOf({ versions }).join('\n')).toContain(expected);
  });

  test('does not hold when the old version did not answer, or was not asked', () => {
    const probed = (probes: number, failures: number) => ({ probes, failures, targets: [{ target: 'agent-1', probes, failures, examples: ['did not answer'] }] });
    expect(problemsOf({ versions: good, service: probed(10, 1) })).toEqual(['the service on agent-1 failed 1 of 10 probes while version 3 was tried: did not answer']);
    expect(problemsOf({ versions: good, service: probed(0, 0) })).toHaveLength(1);
  });
});

describe('the prober', () => {
  test('counts answers that are wrong, of the wrong version, or missing', async () => {
    const answers = ['{"version":"2"}', '{"version":"3"}'];
    const asked = Promise.withResolvers<void>();
    let requests = 0;
    const server = createServer((_request, response) => {
      requests += 1;
      if (requests === 4) asked.resolve();
      response.writeHead(requests === 3 ? 500 : 200).end(answers[requests === 2 ? 1 : 0]);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const prober = startProber([{ name: 'agent-1', url }], { path: '/', status: 200, expects: (version) => `"version":"${version}"` }, '2', systemClock);
    await asked.promise;
    const [probed] = await prober.stop();
    await new Promise((resolve) => server.close(resolve));
    expect(probed).toMatchObject({ target: 'agent-1', failures: 2, examples: [expect.stringContaining('not version 2'), 'answered 500 instead of 200'] });
  });
});

describe('processes', () => {
  const sleeper = ['-e', 'setInterval(() => {}, 1000)'];
  const stubborn = ['-e', "process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)"];

  test('that end are noticed, with the end of their log', async () => {
    const processes = createProcesses(testWorld());
    await processes.start({ name: 'agent-1', argv: ['-e', "console.error('no disk'); process.exit(3)"], directory });
    // It may have ended, and been noticed, before anybody could listen.
    await expect.poll(() => String(processes.broken.reason)).toMatch(/agent-1 ended \(exit code 3\); the end of .*agent-1\.log:\n {2}no disk/);
  });

  test('are gone after they were stopped, by a later program too', async () => {
    const world = testWorld();
    const processes = createProcesses(world);
    const started = await processes.start({ name: 'agent-1', argv: sleeper, directory });
    processes.release();
    await record(directory, [[started]]);
    expect(await stopAll(await readRecord(directory), directory, world)).toEqual([]);
    const state = await readFile(`/proc/${started.pid}/stat`, 'latin1').catch(() => 'gone');
    expect(state).toMatch(/^gone$|\) Z /);
  });

  test('that do not listen are killed', async () => {
    const world = testWorld();
    const processes = createProcesses(world);
    const started = await processes.start({ name: 'agent-1', argv: stubborn, directory });
    processes.release();
    while (!(await readFile(join(directory, 'agent-1.out'), 'utf8')).includes('ready')) await new Promise((resolve) => setImmediate(resolve));
    let now = 0;
    // A clock on which the time for a polite end is over at the second look.
    const clock = { ...systemClock, monotonic: () => (now += 10_000), wait: async () => await Promise.resolve() };
    expect(await stopAll([[started]], directory, { ...world, clock })).toEqual(['agent-1']);
  });

  test('leave alone whoever got their id since', async () => {
    const world = testWorld();
    const processes = createProcesses(world);
    const started = await processes.start({ name: 'agent-1', argv: sleeper, directory });
    processes.release();
    await stopAll([[{ ...started, startTime: '1' }]], directory, world);
    // Still there to be stopped.
    expect(world.kill(-started.pid, 'SIGKILL')).toBe(true);
  });
});

describe('starling demo', () => {
  test.each([
    [['--targets', 'five'], "'five' is not a number"],
    [['--targets', '1'], 'from 2 to'],
    [['--keep', '--exit'], 'choose one'],
    [['--stop', '.'], 'there is no demo in'],
  ])('refuses %j before anything starts', async (args, expected) => {
    const { code, err } = await run(['demo', ...args]);
    expect([2, 3]).toContain(code);
    expect(err).toContain(expected);
  });

  test('draws its ports with the randomness that it is given', async () => {
    await using reserved = await reservePorts(2, systemRandom);
    expect(reserved.ports[1]).toBe((reserved.ports[0] ?? 0) + 1);
  });
});
