// What every command is given, made of the global options: the world, the terminal as wished, and the API when it is asked for.

import type { Command } from 'commander';
import { createApi, type Api } from './api.ts';
import { resolveEndpoint, type Endpoint } from './settings.ts';
import { createTerminal, parseFormat, type Terminal } from './text/terminal.ts';
import type { World } from './world.ts';

/** Options of every command. */
export interface GlobalOptions {
  readonly output: string;
  readonly quiet?: boolean;
  /** `--no-color` makes it false. */
  readonly color: boolean;
  readonly debug?: boolean;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly context?: string;
}

export interface Context {
  readonly world: World;
  readonly terminal: Terminal;
  /** @throws {ControlError} CONFIG_INVALID, UNAUTHENTICATED */
  readonly api: () => Promise<Api>;
}

/** The context of a command under way. */
export function contextOf(world: World, command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const terminal = createTerminal(world, { format: parseFormat(options.output), quiet: options.quiet ?? false, colour: options.color });
  return {
    world,
    terminal,
    api: async () => createApi(await endpointOf(world, command), world),
  };
}

/** The control plane that a command is for. @throws {ControlError} CONFIG_INVALID, UNAUTHENTICATED */
export async function endpointOf(world: World, command: Command): Promise<Endpoint> {
  const { url, tokenFile, context } = command.optsWithGlobals<GlobalOptions>();
  return await resolveEndpoint(world, { ...(url === undefined ? {} : { url }), ...(tokenFile === undefined ? {} : { tokenFile }), ...(context === undefined ? {} : { context }) });
}
