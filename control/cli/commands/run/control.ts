// `starling control`: runs the control plane until it is told to stop. Its settings are control/config.ts's, its parts control/control.ts's.

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { configPath, readConfig, type ConfigSources, type ControlConfig } from '../../../config.ts';
import { ControlError } from '../../../errors.ts';
import { systemCode } from '../../api.ts';
import { contextOf } from '../../context.ts';
import type { World } from '../../world.ts';

/** The administrator's first token, in the data directory. */
const adminTokenFile = 'admin.token';

interface ControlFlags {
  readonly config?: string;
  readonly listen?: string;
  readonly publicUrl?: string;
  readonly dataDir?: string;
  readonly org?: string;
  readonly logLevel?: string;
  readonly metrics?: string;
}

/** What is said when it runs: the one object of `-o json`, on one line. */
export interface Running {
  readonly url: string;
  readonly publicUrl: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  /** Whether this start made the token. */
  readonly firstStart: boolean;
  /** sha2-256 of the trust root, which join tokens pin. */
  readonly rootDigest: string;
}

export function registerControl(program: Command, world: World): void {
  program
    .command('control')
    .description('run the control plane')
    .option('-c, --config <file>', `settings (default: ${configPath} when it exists)`)
    .option('--listen <host:port>', 'where the API listens; port 0 takes any free one')
    .option('--public-url <url>', 'how people and machines reach it')
    .option('--data-dir <directory>', 'journal, trust root and keys')
    .option('--org <name>', 'whose fleet it is; fixed at the first start')
    .option('--log-level <level>', 'debug, info, warn or error')
    .option('--metrics <access>', 'who may read /metrics: open or token')
    .action(async (flags: ControlFlags, command: Command) => {
      const { terminal } = contextOf(world, command);
      const { config } = await loadSettings(world, flags);
      // Here and not above: every other command would load the whole control plane first.
      const { createLog, startControl } = await import('../../../control.ts');
      const log = createLog(config.log.level, (line) => world.stderr.write(line));
      const control = await startControl(config, { log, clock: world.clock, random: world.random, version: world.version, nodeVersion: world.nodeVersion });
      try {
        const running: Running = {
          url: control.url,
          publicUrl: control.publicUrl,
          dataDir: config.dataDir,
          adminTokenFile: join(config.dataDir, adminTokenFile),
          firstStart: control.firstToken !== undefined,
          rootDigest: control.rootDigest,
        };
        terminal.item(running, { text: describe, name: ({ url }) => url });
        await ended(world.signal);
        log.info({}, 'the control plane stops');
      } finally {
        await control.close();
      }
    });
}

/** What to do next, for the person who started it. */
function describe({ publicUrl, adminTokenFile: file, rootDigest, firstStart }: Running): string {
  return [
    `the control plane runs at ${publicUrl}`,
    `  admin token  ${file}${firstStart ? ' (made now; move it to where the administrator keeps such things)' : ''}`,
    `  trust root   sha256:${rootDigest}`,
    `  in a browser  ${publicUrl}/ (sign in with the admin token)`,
    '  talk to it   ',
    `    export STARLING_URL=${publicUrl} STARLING_TOKEN_FILE=${file}`,
    '    starling status',
    '  add a machine',
    '    starling token create --join --roles agent --save token.txt   # here; then, on the machine that has token.txt:',
    `    starlingd join ${publicUrl} --token-file token.txt && starlingd run`,
  ].map((line) => line.trimEnd()).join('\n');
}

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolved) => signal.addEventListener('abort', () => resolved(), { once: true }));
}

/** The settings that a control plane started like this would have, and the file that they are from. @throws {ControlError} CONFIG_INVALID with everything that is wrong. */
export async function loadSettings(world: World, flags: ControlFlags): Promise<{ readonly config: ControlConfig; readonly from: string | undefined; readonly sources: ConfigSources }> {
  const path = flags.config === undefined ? configPath : resolve(world.directory, flags.config);
  const text = await readSettings(path, flags.config !== undefined);
  const { config: _config, ...others } = flags;
  const sources: ConfigSources = { ...(text === undefined ? {} : { file: { path, text } }), environment: world.environment, flags: others };
  const config = readConfig(sources);
  return { config: { ...config, dataDir: resolve(world.directory, config.dataDir) }, from: text === undefined ? undefined : path, sources };
}

async function readSettings(path: string, demanded: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (!demanded && systemCode(cause) === 'ENOENT') return undefined;
    throw new ControlError('CONFIG_INVALID', `cannot read the settings ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
