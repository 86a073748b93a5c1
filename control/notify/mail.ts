// Mail by SMTP. The library speaks the protocol; here is only what a notice looks like as a letter, and which refusals are final.

import { createTransport } from 'nodemailer';
import type { ChannelConfig } from '../config-channels.ts';
import type { Channel } from './channel.ts';
import { reasonOf } from './http-post.ts';

type MailConfig = NonNullable<ChannelConfig['mail']>;

/** For each step of the conversation. */
const stepMs = 15_000;
const ports = { tls: 465, starttls: 587, none: 25 } as const;

/** One letter for each notice; the same notice has the same Message-ID. */
export function mailChannel(name: string, { host, port, security = 'starttls', from, to, user }: MailConfig, password: string | undefined, org: string): Channel {
  const transport = createTransport({
    host,
    port: port ?? ports[security],
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
  });
  return {
    name,
    kind: 'mail',
    where: to.join(', '),
    async send({ id, title, text, name: event }, { signal }) {
      signal.throwIfAborted();
      try {
        await unlessEnded(transport.sendMail({ from, to, subject: `[${org}] ${title}`, text: `${text}\n`, messageId: `<${id}@${org}.starling>`, headers: { 'X-Starling-Event': event } }), signal);
        return { kind: 'sent' };
      } catch (cause) {
        signal.throwIfAborted();
        return { kind: isFinal(cause) ? 'refused' : 'failed', reason: reasonOf(cause) };
      }
    },
  };
}

/** `sending`, or a rejection when the signal fires: the library takes none, and who stops does not wait for a slow server. What was on its way may arrive, and arrives again then. */
async function unlessEnded(sending: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal });
  try {
    await Promise.race([sending, ended]);
  } finally {
    over.abort();
  }
}

/** A server's 5xx about the letter itself; what fails before that may be mended. */
function isFinal(cause: unknown): boolean {
  if (!(cause instanceof Error) || !('responseCode' in cause) || !('command' in cause)) return false;
  return Number(cause.responseCode) >= 500 && cause.command !== 'CONN' && !String(cause.command).startsWith('AUTH');
}
