// The channels in `control.yaml`: where notices go. Secrets are in files that it names, never in it.

import Type, { type Static } from 'typebox';
import { oneOf } from '../proto/api/schema.ts';

const strict = { additionalProperties: false } as const;
const Url = Type.String({ pattern: '^https?://[^/?#\\s]+', maxLength: 2048 });
const File = Type.String({ minLength: 1, maxLength: 1024 });

/** One channel as it is written in `control.yaml`. Exactly one of the three. */
export const ChannelSchema = Type.Object(
  {
    /** Signed as Standard Webhooks say; `secretFile` holds `whsec_…`. */
    webhook: Type.Optional(Type.Object({ url: Url, secretFile: File }, strict)),
    /** Anything that takes what Slack's incoming webhooks take; the address is the secret. */
    slack: Type.Optional(Type.Object({ urlFile: File }, strict)),
    mail: Type.Optional(
      Type.Object(
        {
          host: Type.String({ minLength: 1, maxLength: 255 }),
          port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
          /** `tls` from the first byte, `starttls` demanded, or `none` for a relay on this machine. */
          security: Type.Optional(oneOf(['tls', 'starttls', 'none'])),
          from: Type.String({ minLength: 3, maxLength: 320 }),
          to: Type.Array(Type.String({ minLength: 3, maxLength: 320 }), { minItems: 1, maxItems: 50 }),
          user: Type.Optional(Type.String({ minLength: 1, maxLength: 320 })),
          passwordFile: Type.Optional(File),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type ChannelConfig = Static<typeof ChannelSchema>;
export type ChannelKind = 'webhook' | 'slack' | 'mail';

/** Channels by name. */
export const ChannelsSchema = Type.Record(Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$' }), ChannelSchema, { maxProperties: 100 });

/** The kind of a channel's settings; undefined unless there is exactly one. */
export function kindOf(config: ChannelConfig): ChannelKind | undefined {
  const kinds = (['webhook', 'slack', 'mail'] as const).filter((kind) => config[kind] !== undefined);
  return kinds.length === 1 ? kinds[0] : undefined;
}
