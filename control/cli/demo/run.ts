// The demo from its first process to its last: a fleet on loopback, three versions of a service, what each cost, and nothing left behind.

import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ControlError } from '../../errors.ts';
import type { Terminal } from '../text/terminal.ts';
import type { World } from '../world.ts';
import { startFleet, stopOrder, type Fleet } from './fleet.ts';
import { reservePorts } from './ports.ts';
import { createProcesses, readRecord, record, stopAll, type Processes } from './processes.ts';
import { describeReport, type DemoReport } from './report.ts';
import { deployVersions } from './scenario.ts';
import { foreignApp, ownApp } from './versions.ts';

export interface DemoOptions {
  /** A directory to deploy instead of the application that comes along; absolute. */
  readonly app?: string;
  readonly targets: number;
  readonly keep: boolean;
  readonly json: boolean;
  readonly exit: boolean;
}

/** Between two looks at nothing, while the demo stays. */
const stayMs = 3_600_000;
const directoryPrefix = 'starling-demo-';

/** @throws {ControlError} FAILED when something did not hold or did not start; ABORTED by an interrupt. Nothing is left then. */
export async function runDemo(world: World, terminal: Terminal, options: DemoOptions): Promise<void> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), directoryPrefix)));
  const processes = createProcesses(world);
  let kept = false;
  try {
    const signal = AbortSignal.any([world.signal, processes.broken]);
    const { report, fleet } = await play({ ...world, signal }, terminal, options, { directory, processes });
    print(terminal, report, options.json);
    kept = options.keep;
    if (kept) {
      await record(directory, stopOrder(processes.started));
      terminal.warn(describeFleet(fleet, directory, `stop it with: starling demo --stop ${directory}`));
    } else if (!options.exit) {
      terminal.warn(describeFleet(fleet, directory, 'Ctrl-C stops it and removes everything'));
      await interrupted(world.clock, signal);
    }
    if (report.problems.length > 0) throw new ControlError('FAILED', ['not everything held that the demo promises:', ...report.problems.map((problem) => `  ${problem}`)].join('\n'));
  } catch (error) {
    // What broke a wait is not what went wrong.
    throw processes.broken.aborted && !world.signal.aborted ? processes.broken.reason : error;
  } finally {
    processes.release();
    if (!kept) await cleanUp(world, terminal, directory, processes);
  }
}

/** Stops a demo that was kept. @throws {ControlError} NOT_FOUND */
export async function stopDemo(world: World, terminal: Terminal, directory: string): Promise<void> {
  const groups = await readRecord(directory);
  if (!basename(directory).startsWith(directoryPrefix)) throw new ControlError('CONFIG_INVALID', `${directory} is not a directory that a demo made`);
  await stopAll(groups, directory, world);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  terminal.say(`the demo in ${directory} is stopped and removed`);
}

interface Stage {
  readonly directory: string;
  readonly processes: Processes;
}

async function play(world: World, terminal: Terminal, options: DemoOptions, { directory, processes }: Stage): Promise<{ readonly report: DemoReport; readonly fleet: Fleet }> {
  const startedAt = world.clock.monotonic();
  const checkout = dirname(dirname(world.program));
  const say = (text: string): void => terminal.say(`${terminal.paintError('green', '●')} ${text}`);
  // Read first: a bad deploy.yaml is known before anything runs.
  const app = options.app === undefined ? ownApp(join(checkout, 'control', 'cli', 'demo', 'app'), checkout, join(directory, 'app')) : await foreignApp(options.app, join(directory, 'app'));
  await using reserved = await reservePorts(options.targets, world.random);
  say(`a demo in ${directory}`);
  const fleet = await startFleet(world, { directory, ports: reserved.ports, processes, signal: world.signal, say });
  const outcome = await deployVersions({ world, terminal, fleet, app, say });
  const report: DemoReport = { targets: options.targets, ...outcome, seconds: Math.round(world.clock.monotonic() - startedAt) / 1000 };
  return { report, fleet };
}

function print(terminal: Terminal, report: DemoReport, json: boolean): void {
  const { stdout, stderr } = terminal;
  const output = json ? stderr : stdout;
  const lines = describeReport(report, { paint: (colour, text) => (json ? terminal.paintError(colour, text) : terminal.paint(colour, text)), width: output.isTTY ? output.columns : undefined });
  if (!json || !terminal.quiet) output.write(`\n${lines.join('\n')}\n`);
  if (json) stdout.write(`${JSON.stringify(report)}\n`);
}

function describeFleet({ url, tokenFile, targets }: Fleet, directory: string, end: string): string {
  return [
    '',
    `control plane  ${url}`,
    `token          ${tokenFile}`,
    ...targets.map(({ name, serviceUrl, httpUrl }) => `${name.padEnd(14)} service ${serviceUrl}  metrics ${httpUrl}/metrics`),
    `logs           ${directory}/*.log`,
    `look around    export STARLING_URL=${url} STARLING_TOKEN_FILE=${tokenFile}; starling status demo`,
    end,
  ].join('\n');
}

/** As long as it takes. A timer it must be: nothing else keeps a program alive whose processes are on their own. */
async function interrupted(clock: World['clock'], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await clock.wait(stayMs, { signal }).catch(() => undefined);
}

async function cleanUp(world: World, terminal: Terminal, directory: string, processes: Processes): Promise<void> {
  terminal.say('stopping the demo');
  const killed = await stopAll(stopOrder(processes.started), directory, world);
  if (killed.length > 0) terminal.warn(`${killed.join(', ')} did not stop in time and had to be killed`);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}
