// A chat's incoming webhook in the form that Slack made common, and which others take too.

import type { Channel } from './channel.ts';
import { post } from './http-post.ts';

/** The address is the secret: only its host is ever shown. */
export function slackChannel(name: string, url: string, now: () => number): Channel {
  return {
    name,
    kind: 'slack',
    where: new URL(url).host,
    async send({ text }, { signal }) {
      return await post(url, JSON.stringify({ text: escaped(text) }), {}, now(), signal);
    },
  };
}

/** The three characters that its markup gives a meaning. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
