// `starling demo` on the command line.

import type { Command } from 'commander';
import type { World } from '../world.ts';

export function registerDemo(program: Command, _world: World): void {
  program.command('demo').description('a fleet on this machine: see it work in a minute');
}
