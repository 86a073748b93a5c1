// P11: one control plane and ten thousand light agents (p11-agents.ts), over real HTTP, signatures and a synced journal: how long after `promote` 99 % of them hold the
// manifest, how many reports it takes a second, how its API answers meanwhile, and how much memory it has.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runtimeOptions } from '../control/bundle/runtime-options.ts';
import { LocalFleet, localNames } from './local-fleet.ts';
import { printRow } from './rows.ts';

const full = process.argv.includes('--full');
const startSecondsMax = 900;
const rolloutSecondsMax = 900;
const apiPauseMs = 20;
/** Polls end and begin again: so many of the agents must have one open at a time for all to be there. A scrape goes through all members. */
const polling = 0.98;
const scrapeEveryMs = 2_000;
/** Of a prefetch and of an activation: p11-agents.ts. */
const reportsOfEach = 5;
/** A fleet that is over in a second says nothing of a rate: the goal is for this many. */
const goalCount = 10_000;
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;
/** Those of `starling control`; and for those who look for where the control plane's time goes, options of its runtime such as `--cpu-prof --cpu-prof-dir=DIR`. */
const controlRuntime = [...runtimeOptions('control'), ...(process.env['STARLING_P11_RUNTIME'] ?? '').split(' ').filter((option) => option !== '')];

/** Ten thousand agents make much that is short-lived, each in a process of its own. */
const agentsRoom = ['--max-old-space-size=6144', '--min-semi-space-size=64', '--max-semi-space-size=64'];

interface Seen {
  readonly stage: string;
  readonly requests: number;
  readonly manifests: number;
  readonly reports: number;
  readonly committed: number;
  readonly errors: number;
  readonly manifestAt: number;
  readonly firstReportAt: number;
}

/** The process of light agents. */
class LightAgents implements AsyncDisposable {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(url: string, token: string, count: number) {
    this.#child = spawn(process.execPath, [...agentsRoom, fileURLToPath(new URL('p11-agents.ts', import.meta.url)), url, token, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async next(): Promise<Seen> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the light agents ended');
    const seen: Seen = JSON.parse(value);
    return seen;
  }

  async seen(): Promise<Seen> {
    this.#child.stdin.write('seen\n');
    return await this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Asks until `ready` says so. */
async function until(what: string, secondsMax: number, ready: () => Promise<boolean>, everyMs = 200): Promise<void> {
  const deadline = Date.now() + secondsMax * 1000;
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${secondsMax} s`);
    await wait(everyMs);
  }
}

/** Milliseconds of each answer of the API, asked one after the other until it is stopped. */
function watchApi(fleet: LocalFleet): { readonly stop: () => Promise<readonly number[]> } {
  const paths = ['/v1/targets?limit=100', `/v1/environments/${localNames.environment}`, '/v1/promotions?limit=20', '/v1/apps'];
  const times: number[] = [];
  let going = true;
  const ask = async (): Promise<void> => {
    for (let turn = 0; going; turn += 1) {
      const startedAt = performance.now();
      await fleet.api('GET', paths[turn % paths.length] ?? '');
      times.push(performance.now() - startedAt);
      await wait(apiPauseMs);
    }
  };
  // Looked at when it is stopped; when the fleet fails before, that is what the reader should see.
  const loop = ask();
  loop.catch(() => {});
  return {
    stop: async () => {
      going = false;
      await loop;
      return times;
    },
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 2 ** 20;
}

interface Spent {
  readonly process: number;
  readonly loop: number;
}

/** Seconds of processor time that a process has used, and of them its event loop's thread. */
async function spentBy(pid: number): Promise<Spent> {
  const secondsIn = async (path: string): Promise<number> => {
    const fields = (await readFile(path, 'latin1')).split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  };
  return { process: await secondsIn(`/proc/${pid}/stat`), loop: await secondsIn(`/proc/${pid}/task/${pid}/stat`) };
}

async function pollsOf(fleet: LocalFleet): Promise<number> {
  const text = await (await fetch(`${fleet.url}/metrics`, { headers: { authorization: `Bearer ${(await readFile(fleet.tokenFile, 'utf8')).trim()}` } })).text();
  return Number(/^starling_control_event_streams\{[^}]*kind="agent"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
}

/** When the deployment had succeeded by the control plane's clock, which is ours: by then it has recorded every report. */
async function succeeded(fleet: LocalFleet): Promise<number> {
  let finishedAt: number | undefined;
  await until('the deployment succeeded', rolloutSecondsMax, async () => {
    const { items: [deployment] } = (await fleet.api('GET', `/v1/deployments?environment=${localNames.environment}&limit=1`)) as { readonly items: readonly { readonly phase: string; readonly finishedAt?: number }[] };
    if (deployment?.finishedAt !== undefined && deployment.phase !== 'succeeded') throw new Error(`the deployment ${deployment.phase}`);
    finishedAt = deployment?.finishedAt;
    return finishedAt !== undefined;
  });
  return finishedAt ?? 0;
}

async function measure(count: number): Promise<void> {
  await using fleet = await LocalFleet.start({ agents: 0, controlRuntime });
  const token = (await fleet.api('POST', '/v1/tokens', { use: 'join', name: 'light', roles: ['agent'], usesMax: count, environments: [localNames.environment], labels: { env: 'bench' } })) as { readonly text: string };
  const startedAt = Date.now();
  await using agents = new LightAgents(fleet.url, token.text, count);
  await agents.next();
  const enrolled = (Date.now() - startedAt) / 1000;
  await until('the agents wait for news', startSecondsMax, async () => (await pollsOf(fleet)) >= count * polling, scrapeEveryMs);
  const settled = (Date.now() - startedAt) / 1000;
  const control = fleet.pid('control');
  const startSpent = { control: await spentBy(control), agents: await spentBy(agents.pid) };
  const tree = join(fleet.directory, 'tree');
  await mkdir(tree);
  await writeFile(join(tree, 'file'), 'one');
  await fleet.starling(['push', tree, '--app', localNames.app]);
  const { requests } = await agents.seen();
  const watched = watchApi(fleet);
  const before = { control: await spentBy(control), agents: await spentBy(agents.pid) };
  const promotedAt = Date.now();
  await fleet.api('POST', '/v1/promotions', { environment: localNames.environment, revision: '1' });
  const succeededAt = await succeeded(fleet);
  const seen = await agents.seen();
  if (seen.committed !== count || seen.reports !== count * reportsOfEach) throw new Error(`${seen.committed} of ${count} agents committed, with ${seen.reports} reports`);
  const times = (await watched.stop()).toSorted((a, b) => a - b);
  const after = { control: await spentBy(control), agents: await spentBy(agents.pid) };
  const memory = await memoryOf(control);
  const rollout = { 'control plane, CPU s': rounded(after.control.process - before.control.process), 'of them its loop': rounded(after.control.loop - before.control.loop), 'light agents, CPU s': rounded(after.agents.process - before.agents.process) };
  const what = `${count} light agents`;
  const row = { row: 'P11', runs: 1 } as const;
  printRow({ ...row, case: `${what}: promote to 99 % holding the manifest`, figure: (seen.manifestAt - promotedAt) / 1000, unit: 's', goal: 5, details: { 'enrolled in, s': enrolled, 'all waiting after, s': settled, 'requests until then': requests, 'control plane until then, CPU s': startSpent.control.process, 'of them its loop': startSpent.control.loop, 'light agents until then, CPU s': startSpent.agents.process, errors: seen.errors } });
  printRow({ ...row, case: `${what}: reports taken a second`, figure: (seen.reports / (succeededAt - seen.firstReportAt)) * 1000, unit: '/s', ...(count < goalCount ? {} : { goal: 5_000 }), moreIsBetter: true, details: { reports: seen.reports, requests: seen.requests - requests, 'promote to succeeded, s': rounded((succeededAt - promotedAt) / 1000), ...rollout } });
  printRow({ ...row, case: `${what}: p99 of the API meanwhile`, figure: times[Math.floor(times.length * 0.99)] ?? 0, unit: 'ms', goal: 100, details: { answers: times.length } });
  printRow({ ...row, case: `${what}: the control plane's memory`, figure: memory, unit: 'GiB', goal: 1.5 });
}

/** For a try: so many agents. */
const only = Number(process.env['STARLING_P11'] ?? 0);
for (const count of only > 0 ? [only] : full ? [100, 1_000, 10_000] : [1_000]) await measure(count);
