#!/usr/bin/env node
// `starlingd`: the daemon of a target, a seed or a proxy. Reads the process (arguments, environment, signals) and hands values over;
// what a daemon is made of is in daemon.ts.

import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { arch, homedir, hostname, platform, release } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError } from 'commander';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { DaemonError } from './errors.ts';

// Before anything else is loaded: reading hundreds of modules anew takes a second, and the tool that reads TypeScript stays in memory once it was
// used. Where only this user can write (systemd says where), since whoever can write there decides what runs; done without where it cannot be written.
enableCompileCache(join(process.env['CACHE_DIRECTORY'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'starling'), 'modules'));

// An agent rests most of the time, and its heap is then kept as small as it can be; from there the collector went through all of it twice in each fetch of a few
// megabytes, for a tenth of the processor time. With this it waits until the heap has grown by so much, in per cent.
setFlagsFromString('--heap-growing-percent=60');

/** Exit codes, as `starling` has them. */
const exitCodes = { failed: 1, usage: 2, auth: 4, unreachable: 69, interrupted: 130 } as const;
const defaultConfigFile = '/etc/starling/agent.yaml';
/** A stop that takes longer is given up: systemd would kill us at about the same time. */
const stopTimeoutMs = 20_000;
/** Causes below an error that the log repeats: the system's own is mostly the second. */
const causesMax = 4;

interface CommonOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly name?: string;
  readonly roles?: string;
  readonly logLevel?: string;
}

// npm runs scripts in the package's folder and says in INIT_CWD where the person stands: what they wrote is meant from there.
const { INIT_CWD: caller = '', npm_lifecycle_event: script } = process.env;
if (script !== undefined && caller !== '') process.chdir(caller);

const program = new Command('starlingd')
  .description('The daemon of Starling: fetches, verifies, installs and shares what the control plane orders.')
  .version('0.1.0')
  .showSuggestionAfterError()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'starlingd: ')) })
  .exitOverride();

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', `settings (default: ${defaultConfigFile} when it exists)`)
    .option('--data-dir <directory>', 'keys, state and chunks')
    .option('--name <name>', 'what people call this machine')
    .option('--roles <roles>', 'agent, seed, proxy: separated by commas')
    .option('--log-level <level>', 'debug, info, warn or error');
}

command('join', 'enrol this machine with a control plane')
  .argument('<url>', 'base URL of the control plane')
  .requiredOption('--token-file <file>', "file with the join token, '-' for standard input")
  .action(async (url: string, options: CommonOptions & { readonly tokenFile: string }) => {
    const config = await load(options);
    const { joinFleet } = await import('./daemon-join.ts');
    const attributes = { os: platform(), arch: arch(), kernel: release(), node: process.version, zone: config.zone };
    const { member, environments } = await joinFleet(config, url, await readToken(options.tokenFile), { clock: systemClock, attributes, signal: interrupt().signal });
    const again = (['config', 'dataDir', 'roles', 'name'] as const).flatMap((key) => (options[key] === undefined ? [] : [`${key === 'dataDir' ? '--data-dir' : `--${key}`} ${options[key]}`]));
    process.stdout.write(`${config.name} is member ${member} of ${environments.join(', ') || 'no environment yet'}; next: ${['starlingd run', ...again].join(' ')}\n`);
  });

command('run', 'run the daemon').action(async (options: CommonOptions) => {
  const config = await load(options);
  const [{ default: pino }, { startDaemon }, { createServiceManager }, { collectAtRest }] = await Promise.all([import('pino'), import('./daemon.ts'), import('./daemon-notify.ts'), import('./daemon-rest.ts')]);
  const log = pino({ level: config.log.level, base: { name: config.name }, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: errorFields } }, pino.destination({ fd: 2, sync: false }));
  process.on('unhandledRejection', (reason) => log.error({ err: reason }, 'an error was not handled; the daemon goes on'));
  const stop = interrupt();
  // Whatever it is doing then.
  stop.signal.addEventListener('abort', () => setTimeout(() => process.exit(exitCodes.failed), stopTimeoutMs).unref(), { once: true });
  const daemon = await startDaemon(config, { clock: systemClock, random: { unit: Math.random, bytes: (length) => randomBytes(length) }, log, execPath: process.execPath, searchPath: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', kill: (pid, signal) => process.kill(pid, signal), version: '0.1.0', nodeVersion: process.version }, stop).catch((error: unknown) => {
    if (error instanceof DaemonError && error.code === 'ABORTED' && stop.signal.aborted) return undefined;
    throw error;
  });
  if (daemon === undefined) return log.info({}, 'the daemon was told to stop before it had started');
  // The loop turned, and the disk answered.
  using manager = createServiceManager({ environment: process.env, pid: process.pid, clock: systemClock, log, lives: async () => void (await stat(config.dataDir)) });
  using _rest = collectAtRest({
    clock: systemClock,
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    // Only with --expose-gc, which the unit has.
    collect: () => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
  });
  log.info({ member: daemon.member, http: daemon.httpUrl, addresses: daemon.addresses }, 'the daemon runs');
  await manager.ready();
  // A signal may have come while it was starting.
  if (!stop.signal.aborted) await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  log.info({}, 'the daemon stops');
  await manager.stopping();
  await daemon.close();
  log.info({}, 'the daemon has stopped');
});

command('config', 'say everything that is wrong with the settings, or print them as they take effect; starts nothing').action(async (options: CommonOptions) => {
  process.stdout.write(`${JSON.stringify(await load(options), undefined, 2)}\n`);
});

for (const [name, description] of [['status', 'what this daemon knows of itself'], ['releases', 'what is installed here']] as const) {
  command(name, description).action(async (options: CommonOptions) => {
    const config = await load(options);
    const url = (await readFile(`${config.dataDir}/http.url`, 'utf8').catch(() => `http://${config.http.host}:${config.http.port}`)).trim();
    const status = await readStatus(url);
    const shown = name === 'releases' && typeof status === 'object' && status !== null && 'apps' in status ? status.apps : status;
    process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  });
}

async function readStatus(url: string): Promise<unknown> {
  try {
    const response = await fetch(`${url}/v1/status`, { signal: AbortSignal.timeout(10_000) });
    return await response.json();
  } catch (cause) {
    throw new DaemonError('CONTROL_UNREACHABLE', `the daemon does not answer at ${url}; is it running? (starlingd run)`, { cause });
  }
}

async function load(options: CommonOptions): Promise<Config> {
  const path = options.config ?? defaultConfigFile;
  let text: string | undefined;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    // One that is there and cannot be read is not as if it were not: the machine would run as something else.
    const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (options.config !== undefined || !absent) throw new DaemonError('CONFIG_INVALID', `cannot read the configuration ${path}: ${reasonOf(cause)}; name another file with --config`, { cause });
  }
  const { readConfig } = await import('./config.ts');
  return readConfig({
    ...(text === undefined ? {} : { file: { path, text } }),
    environment: process.env,
    flags: {
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.roles === undefined ? {} : { roles: options.roles.split(',') }),
      ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
    },
    hostname: hostname(),
  });
}

async function readToken(file: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (cause) {
    throw new DaemonError('CONFIG_INVALID', `cannot read the join token from ${file}: ${reasonOf(cause)}; \`starling token create --join --save FILE\` makes one`, { cause });
  }
}

/** A system error in its own words; an absent file without the jargon. */
function reasonOf(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 'there is no such file';
  return cause instanceof Error ? cause.message : String(cause);
}

/** Its stack is only of use for a mistake of this program: what the system refused is the person's to mend. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof DaemonError || 'syscall' in error) return error.message;
  return `an error of this program, please report it: ${error.stack ?? error.message}`;
}

/** A failure in the log: in a sentence with its causes where the world refused something, with its stack where this program is wrong. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const causes: string[] = [];
  for (let cause = error.cause, depth = 0; cause instanceof Error && depth < causesMax; cause = cause.cause, depth += 1) {
    if (!error.message.includes(cause.message)) causes.push(cause.message);
  }
  const said = { message: [error.message, ...causes].join(': '), ...('code' in error ? { code: error.code } : {}) };
  return error instanceof DaemonError || 'syscall' in error ? said : { ...said, stack: error.stack };
}

function interrupt(): AbortController {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort());
  return controller;
}

function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (!(error instanceof DaemonError)) return exitCodes.failed;
  if (error.code === 'CONFIG_INVALID') return exitCodes.usage;
  if (error.code === 'WRONG_TRUST_ROOT' || error.code === 'CONTROL_REFUSED') return exitCodes.auth;
  if (error.code === 'CONTROL_UNREACHABLE') return exitCodes.unreachable;
  return error.code === 'ABORTED' ? exitCodes.interrupted : exitCodes.failed;
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`starlingd: ${textOf(error)}\n`);
  process.exitCode = exitCode(error);
}
