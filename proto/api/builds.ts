// Automatic builds: which branch an application is built from, and the builds that were asked for.

import Type, { type Static } from 'typebox';
import { ChangeSchema } from './revisions.ts';
import { Count, DigestText, Id, Instant, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';

const phases = ['open', 'running', 'pending', 'succeeded', 'failed', 'cancelled'] as const;
const triggers = ['check-in', 'manual', 'retry'] as const;

/** What is left out is: branch main, no paths (all), watched, each minute, coalesced, output `.`, 30 minutes, role builder. */
export const SetAutoBuildSchema = Type.Object(
  {
    repo: Type.Object({ url: Type.String({ maxLength: 1_024 }), branch: Type.Optional(Type.String()), paths: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })) }, strict),
    enabled: Type.Optional(Type.Boolean()),
    intervalMs: Type.Optional(Count),
    coalesce: Type.Optional(Type.Boolean()),
    command: Type.String({ minLength: 1, maxLength: 4_096 }),
    output: Type.Optional(Type.String()),
    timeoutMs: Type.Optional(Count),
    role: Type.Optional(Name),
  },
  strict,
);
export type SetAutoBuild = Static<typeof SetAutoBuildSchema>;

/** What the last look at the branch found. */
export const LookSchema = Type.Object({ at: Instant, head: Type.Optional(Type.String()), problem: Type.Optional(Type.String()) }, strict);

export const AutoBuildSchema = Type.Object(
  {
    app: Name,
    repo: Type.Object({ url: Type.String(), branch: Type.String(), paths: Type.Array(Type.String()) }, strict),
    enabled: Type.Boolean(),
    intervalMs: Count,
    coalesce: Type.Boolean(),
    command: Type.String(),
    output: Type.String(),
    timeoutMs: Count,
    role: Type.String(),
    /** The newest commit that a build was asked for. */
    newest: Type.Optional(Type.String()),
    look: Type.Optional(LookSchema),
  },
  strict,
);
export type AutoBuildView = Static<typeof AutoBuildSchema>;

/** For the repository's server: where to send pushes, and the secret to sign them with (X-Hub-Signature-256). */
export const BuildHookSchema = Type.Object({ url: Type.String(), secret: Type.String() }, strict);

export const BuildSchema = Type.Object(
  {
    build: Id,
    app: Name,
    trigger: oneOf(triggers),
    commit: Type.String(),
    changes: Type.Array(ChangeSchema),
    phase: oneOf(phases),
    createdAt: Instant,
    createdBy: Type.String(),
    /** Of the application's builds, from 1; absent before it began. */
    number: Type.Optional(Count),
    attempt: Count,
    worker: Type.Optional(Type.String()),
    startedAt: Type.Optional(Instant),
    finishedAt: Type.Optional(Instant),
    revision: Type.Optional(DigestText),
    /** Of the revision that it left. */
    revisionNumber: Type.Optional(Count),
    reason: Type.Optional(Type.String()),
    retryOf: Type.Optional(Type.String()),
  },
  strict,
);
export type BuildView = Static<typeof BuildSchema>;

export const BuildsQuerySchema = Type.Object({ ...pageQuery, app: Type.Optional(Name), phase: Type.Optional(oneOf(phases)) }, strict);
/** `commit`: the branch's newest when it is left out. */
export const CreateBuildSchema = Type.Object({ commit: Type.Optional(Type.String({ pattern: '^[0-9a-f]{40}([0-9a-f]{24})?$' })) }, strict);
export const CancelBuildSchema = Type.Object({ reason: Reason }, strict);
