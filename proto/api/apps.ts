// Applications, their revisions, and the grants and proxies through which revisions are uploaded.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { Count, DigestText, Id, Instant, Name, strict } from './schema.ts';

/** A revision by the three names that it has. */
export const RevisionRefSchema = Type.Object(
  { revision: DigestText, number: Type.Integer({ minimum: 1 }), alias: Type.Optional(Type.String()) },
  strict,
);
export type RevisionRef = Static<typeof RevisionRefSchema>;

export const AppSchema = Type.Object(
  { app: Name, project: Name, createdAt: Instant, revisions: Count, latest: Type.Optional(RevisionRefSchema), deploySpec: Type.Optional(Type.String({ description: 'where its deploy spec is in what is pushed, when a pipeline says so' })) },
  strict,
);
export type App = Static<typeof AppSchema>;

/** `project` is the app's own name when it is left out. */
export const CreateAppSchema = Type.Object({ app: Name, project: Type.Optional(Name) }, strict);
export type CreateApp = Static<typeof CreateAppSchema>;

export const RevisionSchema = Type.Object(
  {
    app: Name,
    number: Type.Integer({ minimum: 1 }),
    revision: DigestText,
    cid: Type.String(),
    alias: Type.Optional(Type.String()),
    entries: Count,
    bytes: Count,
    chunks: Count,
    /** Bytes that its upload took, as sent. */
    uploadedBytes: Count,
    createdAt: Instant,
    createdBy: Type.String(),
  },
  strict,
);
export type Revision = Static<typeof RevisionSchema>;

/** A proxy that takes uploads. */
export const UploadProxySchema = Type.Object(
  { member: Type.String(), name: Name, url: Type.String(), connectivity: Type.Union([Type.Literal('online'), Type.Literal('stale'), Type.Literal('offline')]) },
  strict,
);
export type UploadProxy = Static<typeof UploadProxySchema>;

/** `revision` asks whether this very revision is there already: then nothing need be sent. */
export const CreateUploadSchema = Type.Object({ revision: Type.Optional(DigestText) }, strict);
export type CreateUpload = Static<typeof CreateUploadSchema>;

/** Leave to upload one revision through any of `proxies`: those that answer come first. */
export const UploadSchema = Type.Object(
  {
    upload: Id,
    app: Name,
    /** A signed grant (proto/statement.ts): the bearer token of proto/upload.ts. */
    grant: Type.String({ maxLength: limits.statementBytesMax }),
    expiresAt: Instant,
    proxies: Type.Array(UploadProxySchema),
    /** The revision that was asked for, when the application has it. */
    known: Type.Optional(RevisionRefSchema),
    /** Where its deploy spec is in the tree, when a pipeline says so; else `deploy.yaml`. */
    deploySpec: Type.Optional(Type.String()),
  },
  strict,
);
export type Upload = Static<typeof UploadSchema>;
