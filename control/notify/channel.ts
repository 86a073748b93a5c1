// What a channel is: somewhere a notice can be sent, and what came of it. Kinds are webhook.ts, slack.ts and mail.ts; which there are
// is said in the control plane's settings, so that secrets are in nobody's pipeline.

import type { ChannelKind } from '../config-channels.ts';
import type { Notice } from '../core/notices.ts';

/** What came of one try. */
export type Sent =
  | { readonly kind: 'sent' }
  /** To be tried again; not before `retryAfterMs`, where the other side said so. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number }
  /** Never to be tried again: it would be refused each time. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface Channel {
  readonly name: string;
  readonly kind: ChannelKind;
  /** Where it goes, without secrets. */
  readonly where: string;
  /** One try; never throws but with the signal's reason. A notice sent twice has the same id. */
  send(notice: Notice, options: { readonly signal: AbortSignal }): Promise<Sent>;
}
