// `starling notify`: the channels, what was sent to them, a test, and sending again.

import type { Command } from 'commander';
import type { Notification, NotificationChannel } from '../../../../proto/api/notifications.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { contextOf } from '../../context.ts';
import type { ListLook } from '../../text/terminal.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Of the newest, unless somebody asks for all. */
const shownDefault = 50;

export function registerNotify(program: Command, world: World): void {
  const notify = program.command('notify').description('who is told of what happens, and what came of it');
  notify
    .command('channels')
    .description('list the channels of the settings')
    .action(async (_flags: unknown, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      terminal.list(await listAll(async (query) => await client.call('listChannels', { params: {}, query })), channelLook);
    });
  notify
    .command('list')
    .description('what was sent, newest first')
    .option('--channel <name>', 'only to one channel')
    .option('--pipeline <name>', 'only about one pipeline')
    .option('--state <state>', 'pending, sent or failed')
    .option('--limit <count>', 'how many at most', String(shownDefault))
    .action(async ({ limit, ...flags }: { readonly channel?: string; readonly pipeline?: string; readonly state?: 'pending' | 'sent' | 'failed'; readonly limit: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      if (!/^[1-9][0-9]{0,2}$/.test(limit)) throw new ControlError('INVALID_REQUEST', `--limit ${limit} is not a number from 1 to 999`);
      const client = await api();
      const { items } = await client.call('listNotifications', { params: {}, query: { limit: Math.min(Number(limit), 500), ...flags } });
      terminal.list(items, look(world.clock.now()));
    });
  notify
    .command('test')
    .description('send a test to a channel, and say whether it was taken')
    .argument('<channel>', 'its name in the settings')
    .action(async (channel: string, _flags: unknown, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const result = await client.call('testChannel', { params: { channel } });
      if (!result.ok) throw new ControlError('FAILED', `channel '${channel}' did not take it: ${result.reason ?? 'it did not say why'}`);
      terminal.object(result, { text: () => `channel ${channel} took it`, name: () => channel });
    });
  notify
    .command('redeliver')
    .description('send again what is over')
    .argument('<notification>', 'its id')
    .action(async (notification: string, _flags: unknown, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const again = await client.call('redeliverNotification', { params: { notification } });
      terminal.object(again, { text: () => `${again.notification} is in line again`, name: () => again.notification });
    });
}

const channelLook: ListLook<NotificationChannel> = {
  columns: [
    { title: 'CHANNEL', cell: ({ channel }) => channel },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'PENDING', cell: ({ pending }) => String(pending), align: 'right' },
    { title: 'FAILED', cell: ({ failed }) => String(failed), align: 'right', colour: ({ failed }) => (failed > 0 ? 'red' : undefined) },
    { title: 'WHERE', cell: ({ where }) => where },
  ],
  name: ({ channel }) => channel,
  empty: 'the settings have no channels: add `channels` to control.yaml',
};

function look(now: number): ListLook<Notification> {
  return {
    columns: [
      { title: 'ID', cell: ({ notification }) => notification },
      { title: 'AGE', cell: ({ at }) => durationText(Math.max(0, now - at)), align: 'right' },
      { title: 'STATE', cell: ({ state }) => state, colour: ({ state }) => (state === 'failed' ? 'red' : state === 'pending' ? 'yellow' : undefined) },
      { title: 'TRIES', cell: ({ attempts }) => String(attempts), align: 'right' },
      { title: 'WHAT', cell: ({ title, reason }) => (reason === undefined ? title : `${title} (${reason})`) },
    ],
    name: ({ notification }) => notification,
    empty: 'nothing was sent',
  };
}
