// A webhook signed as Standard Webhooks say: the receiver checks who sent it, and that nobody changed or repeated it.

import { Webhook } from 'standardwebhooks';
import type { Channel } from './channel.ts';
import { post } from './http-post.ts';

/** `secret` is `whsec_` and 24 to 64 bytes in base64. `now` in milliseconds since 1970. @throws {Error} when the secret is not one. */
export function webhookChannel(name: string, url: string, secret: string, now: () => number): Channel {
  const signer = new Webhook(secret);
  return {
    name,
    kind: 'webhook',
    where: url,
    async send(notice, { signal }) {
      const { id, name: type, at, title, text, subject, pipeline } = notice;
      const body = JSON.stringify({ type: `dev.starling.${type}`, timestamp: new Date(at).toISOString(), data: { id, pipeline, subject, title, text } });
      const sentAt = new Date(now());
      const signature = signer.sign(id, sentAt, body);
      return await post(url, body, { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)), 'webhook-signature': signature }, now(), signal);
    },
  };
}
