// `starling demo` on the command line: its options, checked before anything starts.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ControlError } from '../../errors.ts';
import { contextOf } from '../context.ts';
import type { World } from '../world.ts';
import { portsMax } from './ports.ts';

interface DemoFlags {
  readonly app?: string;
  readonly targets: string;
  readonly keep?: boolean;
  readonly json?: boolean;
  readonly exit?: boolean;
  readonly stop?: string;
}

export function registerDemo(program: Command, world: World): void {
  program
    .command('demo')
    .description('a fleet on this machine: three versions of a service, one of which fails; see what moves and what comes back')
    .option('-a, --app <dir>', 'deploy this directory instead of the service that comes along')
    .option('-n, --targets <count>', `agents to start, 2 to ${portsMax}`, '5')
    .option('--keep', 'leave everything running at the end, and say where it is')
    .option('--exit', 'stop everything at the end, without waiting for Ctrl-C')
    .option('--json', 'the figures as one JSON object, the last line on standard output')
    .option('--stop <dir>', 'stop a demo that was kept, and remove it')
    .action(async (flags: DemoFlags, command: Command) => {
      const { terminal } = contextOf(world, command);
      const { runDemo, stopDemo } = await import('./run.ts');
      if (!world.program.endsWith('.ts')) throw new ControlError('CONFIG_INVALID', 'the demo deploys a checkout of Starling, and this is a package: run `npm run demo` in a checkout');
      if (flags.stop !== undefined) return await stopDemo(world, terminal, resolve(world.directory, flags.stop));
      const targets = Number(flags.targets);
      if (!Number.isInteger(targets) || targets < 2 || targets > portsMax) throw new ControlError('CONFIG_INVALID', `--targets: '${flags.targets}' is not a number from 2 to ${portsMax}`);
      if (flags.keep === true && flags.exit === true) throw new ControlError('CONFIG_INVALID', '--keep leaves everything running and --exit stops it: choose one');
      await runDemo(world, terminal, {
        ...(flags.app === undefined ? {} : { app: resolve(world.directory, flags.app) }),
        targets,
        keep: flags.keep ?? false,
        json: (flags.json ?? false) || terminal.format === 'json' || terminal.format === 'jsonl',
        exit: flags.exit ?? false,
      });
    });
}
