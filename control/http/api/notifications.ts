// Handlers of notifications: the channels that there are, what was sent, a test, and sending again.

import type { Notification } from '../../../proto/api/notifications.ts';
import type { Notifier } from '../../notify/notifier.ts';
import type { Delivery } from '../../notify/outbox.ts';
import type { ApiOptions, Handlers } from './api.ts';
import { pageById, pageByKey } from '../paging.ts';

export interface NotificationOptions {
  readonly notifier: Pick<Notifier, 'channels' | 'outbox' | 'test' | 'again'>;
}

export function notificationHandlers({ notifier }: ApiOptions & NotificationOptions): Handlers<'listChannels' | 'testChannel' | 'listNotifications' | 'redeliverNotification'> {
  return {
    listChannels: async ({ query }) => {
      const deliveries = notifier.outbox.list();
      const count = (name: string, state: Delivery['state']): number => deliveries.filter((one) => one.channel === name && one.state === state).length;
      const channels = notifier.channels.map(({ name, kind, where }) => ({ channel: name, kind, where, pending: count(name, 'pending'), failed: count(name, 'failed') }));
      return { body: pageByKey(channels.toSorted((a, b) => (a.channel < b.channel ? -1 : 1)), ({ channel }) => channel, query) };
    },
    testChannel: async ({ params: { channel }, caller }) => ({ body: await notifier.test(channel, caller.actor) }),
    listNotifications: async ({ query: { channel, state, pipeline, ...cursor } }) => {
      const page = pageById(notifier.outbox.list(), ({ id }) => id, cursor, (one) => (channel === undefined || one.channel === channel) && (state === undefined || one.state === state) && (pipeline === undefined || one.pipeline === pipeline));
      return { body: { ...page, items: page.items.map(view) } };
    },
    redeliverNotification: async ({ params: { notification } }) => ({ body: view(await notifier.again(notification)) }),
  };
}

function view({ id, name, channel, pipeline, subject, title, text, at, state, attempts, due, reason }: Delivery): Notification {
  return { notification: id, event: name, channel, pipeline, subject, title, text, at, state, attempts, due: Math.round(due), ...(reason === undefined ? {} : { reason }) };
}
