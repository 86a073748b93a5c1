// `starling config`: the settings of `starling control`, checked and shown, without starting anything. What each means is control/config.ts;
// a daemon's settings are `starlingd config`.

import type { Command } from 'commander';
import { stringify } from 'yaml';
import { configPath } from '../../../config.ts';
import { originsOf } from '../../../config-origins.ts';
import { loadSettings } from './control.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { World } from '../../world.ts';

export function registerConfig(program: Command, world: World): void {
  const config = program.command('config').description('the settings of a control plane');
  const file = ['-c, --config <file>', `settings (default: ${configPath} when it exists)`] as const;
  config
    .command('check')
    .description('say everything that is wrong with the settings, file and variables; starts nothing')
    .option(...file)
    .action(async (flags: { readonly config?: string }, self: Command) => {
      const { terminal } = contextOf(world, self);
      const { config: found, from } = await loadSettings(world, flags);
      terminal.object({ ok: true, file: from }, { text: () => visible(`${from ?? 'no file, variables alone'}: nothing is wrong; listens on ${found.listen.host}:${found.listen.port}, keeps its data in ${found.dataDir}`), name: () => from ?? '' });
    });
  config
    .command('show')
    .description('print the settings as they take effect: file and variables, with defaults where nothing is said')
    .option(...file)
    .option('--origin', 'say of each where it comes from: a variable, the file, or the default')
    .action(async ({ origin, ...flags }: { readonly config?: string; readonly origin?: boolean }, self: Command) => {
      const { terminal } = contextOf(world, self);
      const { config: found, sources } = await loadSettings(world, flags);
      if (origin === true) {
        return terminal.list(originsOf(found, sources), {
          columns: [{ title: 'SETTING', cell: ({ setting }) => setting }, { title: 'VALUE', cell: ({ value }) => value }, { title: 'FROM', cell: ({ from }) => from }],
          name: ({ setting }) => setting,
          empty: 'there are no settings',
        });
      }
      terminal.object(found, { text: (one) => stringify(one).trimEnd(), name: ({ dataDir }) => dataDir });
    });
}
