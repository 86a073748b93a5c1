// Tokens: what machines and people show to the API, and what a machine shows to join. Their texts are shown once.

import Type, { type Static } from 'typebox';
import { Count, Id, Instant, LabelsSchema, Name, oneOf, pageQuery, strict } from './schema.ts';

const RoleName = oneOf(['agent', 'seed', 'proxy']);
/** `verb:resource`: verbs are read, upload, promote, approve, admin; a resource is `*`, `app/NAME` or `env/NAME`. `work:*` is for workers; `admin:*` allows everything. */
export const ScopeSchema = Type.String({ pattern: '^((read|upload|promote|approve|admin):(\\*|(app|env)/[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)|work:\\*)$' });

export const TokenSchema = Type.Object(
  {
    token: Id,
    use: oneOf(['api', 'join']),
    name: Name,
    scopes: Type.Array(Type.String()),
    /** Groups of the person whose token it is: where approvals ask for some of a group. */
    groups: Type.Array(Type.String()),
    roles: Type.Array(RoleName),
    environments: Type.Array(Name),
    labels: LabelsSchema,
    usesMax: Count,
    uses: Count,
    createdAt: Instant,
    expiresAt: Instant,
    revoked: Type.Boolean(),
  },
  strict,
);
export type Token = Static<typeof TokenSchema>;

/** Longest lives: trust.md, section 9 and section 6. */
export const apiTokenTtlMsMax = 90 * 86_400_000;
export const joinTokenTtlMsMax = 30 * 86_400_000;
export const apiTokenTtlMsDefault = 30 * 86_400_000;
export const joinTokenTtlMsDefault = 86_400_000;

export const CreateApiTokenSchema = Type.Object(
  {
    use: Type.Literal('api'),
    name: Name,
    scopes: Type.Array(ScopeSchema, { minItems: 1, maxItems: 64 }),
    groups: Type.Optional(Type.Array(Name, { maxItems: 64, description: 'groups of the person that `name` names' })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: apiTokenTtlMsMax, description: 'default 30 days' })),
  },
  strict,
);
export const CreateJoinTokenSchema = Type.Object(
  {
    use: Type.Literal('join'),
    name: Name,
    roles: Type.Array(RoleName, { minItems: 1, maxItems: 3 }),
    /** Environments that members may be certified for. */
    environments: Type.Optional(Type.Array(Name, { maxItems: 64 })),
    labels: Type.Optional(LabelsSchema),
    usesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'default 1' })),
    ttlMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: joinTokenTtlMsMax, description: 'default 24 hours' })),
  },
  strict,
);
export const CreateTokenSchema = Type.Union([CreateApiTokenSchema, CreateJoinTokenSchema]);
export type CreateToken = Static<typeof CreateTokenSchema>;

/** The answer to its creation, the only one that has the text. */
export const NewTokenSchema = Type.Object({ ...TokenSchema.properties, text: Type.String({ description: 'the token itself, shown this once' }) }, strict);
export type NewToken = Static<typeof NewTokenSchema>;

export const TokensQuerySchema = Type.Object({ ...pageQuery, use: Type.Optional(oneOf(['api', 'join'])) }, strict);
