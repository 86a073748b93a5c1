// Measurements by a Prometheus that is one: it scrapes the applications on real targets and the control plane, a workflow asks it before a set
// is good, and an alarm of its takes a canary back.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reservePorts, type Ports } from '../../control/cli/demo/ports.ts';
import { systemRandom } from '../../control/random.ts';
import { run } from '../control/cli/world.ts';
import { Fleet } from '../support/fleet.ts';
import { hasProgram } from './programs.ts';

const timeout = 180_000;
const patienceMs = 120_000;
const places = [{ name: 'prod-1', environment: 'prod' }, { name: 'prod-2', environment: 'prod' }] as const;

/** A canary bakes for longer than any test waits: what ends the bake is a person, or the alarm. */
const pipeline = (prometheus: string): string => `apiVersion: starling/v1
kind: Pipeline
metadata: {name: shop, project: shop}
spec:
  apps: [{name: web}]
  workflows:
    - name: all-scraped
      lock: environment
      timeout: 10m
      steps:
        - name: answering
          kind: analysis
          provider: {prometheus: {url: "${prometheus}", query: "count(web_release == 1) or vector(0)"}}
          interval: 500ms
          count: 1
          failureLimit: 1000
          successCondition: "result == 2"
  deploymentConfigs:
    - name: careful
      batches: [{name: one-box, canary: true, size: 1, bake: 30m}, {name: rest, size: "100%"}]
      minHealthy: "0%"
      autoRollback: {onAlarm: true}
      alarms: [{name: errors, provider: {prometheus: {url: "${prometheus}", query: "sum(web_errors_total) or vector(0)"}}, failureCondition: "result > 0", interval: 1s}]
  stages:
    - {name: prod, environments: [{name: prod, targets: "env=prod", deployment: careful, workflow: all-scraped}]}
  promotions:
    - {from: {app: web}, to: prod, auto: true, select: latest}
`;

/** What counts errors from the moment at which it runs, or never does. */
const server = (release: number, errors: string): string => `import { createServer } from 'node:http';
const began = Date.now();
createServer((request, response) => {
  const text = ['# TYPE web_release gauge', 'web_release ${release}', '# TYPE web_errors_total counter', \`web_errors_total \${${errors}}\`, ''].join('\\n');
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
const deploySpec = `apiVersion: starling/v1
kind: DeploySpec
install: { layout: releases }
service: { manager: process, command: [node, server.mjs], stopTimeoutSeconds: 5 }
health: [{ kind: http, url: "http://127.0.0.1:\${PORT}/", intervalSeconds: 0.2, successes: 1, timeoutSeconds: 60 }]
`;

describe.runIf(hasProgram('prometheus', 'prometheus'))('a control plane beside a Prometheus', { timeout }, () => {
  let fleet: Fleet;
  let isLaunched = false;
  let reserved: Ports;
  let prometheus: ChildProcess | undefined;
  let url = '';

  beforeAll(async () => {
    reserved = await reservePorts(1, systemRandom);
    const [port = 0] = reserved.ports;
    url = `http://127.0.0.1:${port}`;
    fleet = await Fleet.spread(places, async (made) => {
      fleet = made;
      isLaunched = true;
      await writeFile(join(made.directory, 'pipeline.yaml'), pipeline(url));
      await starling('apply', '-f', 'pipeline.yaml');
    });
    prometheus = await startPrometheus(fleet, port);
  }, timeout);
  afterAll(async () => {
    if (prometheus?.exitCode === null) {
      const ended = once(prometheus, 'exit');
      prometheus.kill('SIGTERM');
      await ended;
    }
    if (isLaunched) await fleet[Symbol.asyncDispose]();
    await reserved[Symbol.asyncDispose]();
  }, timeout);

  async function starling(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await run(args, { directory: fleet.directory, home: fleet.directory, environment: { STARLING_URL: fleet.url, STARLING_TOKEN_FILE: join(fleet.directory, 'control/admin.token') } });
    expect(code, `starling ${args.join(' ')}: ${err}`).toBe(0);
    return out;
  }

  async function push(name: string, text: string): Promise<void> {
    const tree = join(fleet.directory, name);
    await mkdir(tree);
    await writeFile(join(tree, 'deploy.yaml'), deploySpec);
    await writeFile(join(tree, 'server.mjs'), text);
    await starling('push', tree, '--app', 'web');
  }

  /** What `deployment get` says, once it says this. */
  async function says(deployment: string, words: RegExp): Promise<string> {
    return await fleet.until(`${deployment} says ${String(words)}`, async () => {
      const out = await starling('deployment', 'get', deployment);
      return words.test(out) ? out : undefined;
    }, patienceMs);
  }

  test('CDS-8 asks it as long as a canary bakes, and for what a workflow measures before the set is good', async () => {
    await push('one', server(1, '0'));
    await says('prod-1', /baking(.|\n)*alarm errors quiet \(0\)/);
    await starling('deployment', 'next-batch', 'prod-1');
    const environment = await fleet.until('web@1 is known to be good', async () => {
      const { body } = await fleet.api('GET', '/v1/environments/prod');
      return JSON.stringify(body).includes('"stable"') ? body : undefined;
    }, patienceMs);
    expect(environment).toMatchObject({ stable: { number: 1 } });
    const { body: runs } = await fleet.api('GET', '/v1/workflow-runs?environment=prod');
    expect(runs).toMatchObject({ items: [{ phase: 'successful', steps: [{ step: 'answering', phase: 'succeeded' }] }] });
    // The same Prometheus has the control plane's own figures.
    const figures = await fleet.until('the figures of the control plane', async () => {
      const asked = await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: 'count({job="control", __name__=~"starling_control_.+"})' }) });
      const text = await asked.text();
      return text.includes('"value"') ? text : undefined;
    }, patienceMs);
    expect(Number(/"(\d+)"\]/.exec(figures)?.[1])).toBeGreaterThan(10);
  });

  test('CDS-13 an alarm that fires while the canary bakes takes it back, and nobody else ever ran it', async () => {
    await push('two', server(2, 'Math.floor((Date.now() - began) / 100)'));
    const out = await says('prod-2', /rolled-back/);
    expect(out).toMatch(/alarm 'errors' fires: .*sum\(web_errors_total\) or vector\(0\) is \d+/);
    const { body } = await fleet.api('GET', '/v1/deployments/prod-2');
    expect(body).toMatchObject({ phase: 'rolled-back', rollback: { number: 1, targets: 1 } });
    const releases = await Promise.all(fleet.servicePorts.map(async (port) => /web_release (\d+)/.exec(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())?.[1]));
    expect(releases).toEqual(['1', '1']);
  });
});

/** Starts a Prometheus that looks at the applications and the control plane twice a second; resolves when it is ready. */
async function startPrometheus(fleet: Fleet, port: number): Promise<ChildProcess> {
  const config = join(fleet.directory, 'prometheus.yml');
  await writeFile(config, JSON.stringify({
    global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
    scrape_configs: [
      { job_name: 'web', static_configs: [{ targets: fleet.servicePorts.map((one) => `127.0.0.1:${one}`) }] },
      // It may be busy for longer than an application.
      { job_name: 'control', scrape_interval: '5s', scrape_timeout: '5s', static_configs: [{ targets: [new URL(fleet.url).host] }] },
    ],
  }));
  const child = spawn('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${join(fleet.directory, 'tsdb')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: 'ignore' });
  await fleet.until('Prometheus is ready', async () => ((await fetch(`http://127.0.0.1:${port}/-/ready`)).ok ? true : undefined));
  return child;
}
