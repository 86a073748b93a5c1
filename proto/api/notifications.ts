// Notifications: the channels of the settings, and what was sent to them, with what came of it.

import Type, { type Static } from 'typebox';
import { Count, Instant, Name, oneOf, pageQuery, strict } from './schema.ts';

export const deliveryStates = ['pending', 'sent', 'failed'] as const;

export const ChannelSchema = Type.Object(
  {
    channel: Type.String(),
    kind: oneOf(['webhook', 'slack', 'mail']),
    /** Where it goes, without secrets. */
    where: Type.String(),
    pending: Count,
    failed: Count,
  },
  strict,
);
export type NotificationChannel = Static<typeof ChannelSchema>;

export const NotificationSchema = Type.Object(
  {
    /** The number of the fact in the journal, the pipeline and the channel. */
    notification: Type.String(),
    event: Type.String(),
    channel: Type.String(),
    pipeline: Type.String(),
    subject: Type.String(),
    title: Type.String(),
    text: Type.String(),
    at: Instant,
    state: oneOf(deliveryStates),
    attempts: Count,
    /** When it is tried next; of those that are over, when that was. */
    due: Instant,
    /** Why the last try failed. */
    reason: Type.Optional(Type.String()),
  },
  strict,
);
export type Notification = Static<typeof NotificationSchema>;

export const NotificationsQuerySchema = Type.Object({ ...pageQuery, channel: Type.Optional(Type.String({ maxLength: 128 })), state: Type.Optional(oneOf(deliveryStates)), pipeline: Type.Optional(Name) }, strict);

export const ChannelTestSchema = Type.Object({ ok: Type.Boolean(), reason: Type.Optional(Type.String()) }, strict);
