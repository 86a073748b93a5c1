// What a client and its proxy say to each other over /upload/v1. Every request carries `Authorization: Bearer <grant>`.
//
//   POST /upload/v1/sessions            OpenSession  → 201 SessionReply | 200 (whole already)
//   PUT  /upload/v1/sessions/:id/index  zstd of the encoded tree index → 200 SessionReply
//   PUT  /upload/v1/sessions/:id/frames zstd of one upload frame (upload-frame.ts) → 204, when it is synced
//   POST /upload/v1/sessions/:id/complete → 200 CompleteReply, after the control plane has recorded the revision

import Type, { type Static } from 'typebox';
import { limits } from './limits.ts';

const strict = { additionalProperties: false } as const;
const DigestText = Type.String({ pattern: '^[0-9a-f]{64}$' });

export const OpenSessionSchema = Type.Object(
  {
    /** The encoded revision manifest in base64. */
    manifest: Type.String({ maxLength: Math.ceil((limits.revisionBytesMax * 4) / 3) + 4 }),
    alias: Type.Optional(Type.String({ maxLength: 128 })),
  },
  strict,
);
export type OpenSession = Static<typeof OpenSessionSchema>;

export const SessionReplySchema = Type.Object(
  {
    session: Type.String({ maxLength: 64 }),
    revision: DigestText,
    /** `index`: send the index first. `chunks`: send what `missing` says. `whole`: complete at once. */
    needs: Type.Union([Type.Literal('index'), Type.Literal('chunks'), Type.Literal('whole')]),
    /** Bitmap of the ordinals that this project's store lacks, base64; present when `needs` is `chunks`. */
    missing: Type.Optional(Type.String()),
    missingBytes: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type SessionReply = Static<typeof SessionReplySchema>;

export const CompleteReplySchema = Type.Object(
  {
    app: Type.String(),
    revision: DigestText,
    number: Type.Integer({ minimum: 1 }),
    /** False when the control plane already had this very revision. */
    created: Type.Boolean(),
    /** Bytes of bodies that the proxy received in this session, as sent. */
    receivedBytes: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type CompleteReply = Static<typeof CompleteReplySchema>;
