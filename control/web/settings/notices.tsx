// Who is told of what happens: the channels of the settings, and what was sent to them, with what came of it.

import type { JSX } from 'preact';
import type { Notification, NotificationChannel } from '../../../proto/api/notifications.ts';
import type { Tone } from '../attention.ts';
import { ClientError } from '../client.ts';
import { Deed } from '../parts/deed.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText } from '../words.ts';

const pageNotices = 25;

export function Notices(): JSX.Element {
  const channels = useQuery('listChannels', { params: {}, query: { limit: 100 } }, { pace: 'slow' });
  return (
    <section aria-label="notifications">
      <h2>Notifications</h2>
      <Trouble problem={channels.problem} />
      {channels.reply === undefined && channels.problem === undefined && <Loading what="channels" />}
      {channels.reply?.items.length === 0 && <p>Nobody is told of anything: the file of <code>--settings</code> names the channels, and pipelines say what goes where.</p>}
      <ul class="zones">{channels.reply?.items.map((one) => <Channel key={one.channel} channel={one} />)}</ul>
      {channels.reply !== undefined && channels.reply.items.length > 0 && <Sent />}
    </section>
  );
}

function Channel({ channel: { channel, kind, where, pending, failed } }: { readonly channel: NotificationChannel }): JSX.Element {
  const { client } = useUi();
  const test = async (): Promise<void> => {
    const { ok, reason = 'no reason was given' } = await client.call('testChannel', { params: { channel } });
    if (!ok) throw new ClientError('NOT_TAKEN', `${channel} did not take it: ${reason}`);
  };
  return (
    <li class="card">
      <p><strong>{channel}</strong> {kind} <small>{where}</small> {failed > 0 && <Mark tone="bad" text={`${failed} failed`} />} {pending > 0 && <Mark tone="waiting" text={`${pending} to be sent`} />}</p>
      <Deed label="Send a test" fields={[]} command={() => commandText(['notify', 'test', channel])} act={test} done={`${channel} took the test`} />
    </li>
  );
}

const stateTones: Readonly<Record<Notification['state'], Tone>> = { pending: 'waiting', sent: 'well', failed: 'bad' };

function Sent(): JSX.Element {
  const pages = usePages('notices');
  const { reply, problem, pending } = useQuery('listNotifications', { params: {}, query: { limit: pageNotices, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'slow', hold: true });
  return (
    <>
      <h3>What was sent</h3>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing yet.</p>}
      {reply !== undefined && reply.items.length > 0 && (
        <table class="stacked" aria-busy={pending}>
          <caption class="unseen">notifications, newest first</caption>
          <thead><tr><th scope="col">What</th><th scope="col">To</th><th scope="col">When</th><th scope="col">State</th></tr></thead>
          <tbody>{reply.items.map((one) => <SentRow key={one.notification} notice={one} />)}</tbody>
        </table>
      )}
      {reply !== undefined && <Pager pages={pages} size={pageNotices} shown={reply.items.length} next={reply.next} pending={pending} what="notifications" />}
    </>
  );
}

function SentRow({ notice: { notification, title, channel, at, state, attempts, reason } }: { readonly notice: Notification }): JSX.Element {
  const { client } = useUi();
  return (
    <tr>
      <th scope="row">{title}</th>
      <td data-name="to">{channel}</td>
      <td data-name="when"><Since at={at} /></td>
      <td data-name="state">
        <Mark tone={stateTones[state]} text={state} /> {attempts > 1 && <small>after {attempts} tries</small>} {reason}
        {state === 'failed' && <Deed label="Send it again" fields={[]} command={() => commandText(['notify', 'redeliver', notification])} act={async () => await client.call('redeliverNotification', { params: { notification } })} done="it is sent again" />}
      </td>
    </tr>
  );
}
