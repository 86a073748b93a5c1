// What happened, as the API tells it: how far changes are, what became of a commit, what an environment ran, and what a
// promotion would do. The audit is audit.ts.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { Count, DigestText, Id, Instant, Name, oneOf, pageQuery, strict } from './schema.ts';

export const cellStates = ['absent', 'waiting', 'deploying', 'there', 'failed', 'rolled-back'] as const;

/** How far a check-in is in one environment. */
export const CellSchema = Type.Object(
  {
    environment: Name,
    state: oneOf(cellStates),
    since: Type.Optional(Instant),
    /** When what it waits for ends by itself, where that is known. */
    until: Type.Optional(Instant),
    /** The revision that brings it, or would have. */
    number: Type.Optional(Count),
    percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'targets that are done' })),
    reason: Type.Optional(Type.String()),
    promotion: Type.Optional(Id),
    deployment: Type.Optional(Id),
  },
  strict,
);

/** One check-in of one application. A commit that changed two applications is a check-in of each. */
export const ChangeProgressSchema = Type.Object(
  {
    app: Name,
    /** The first revision that has it: whatever runs a newer one has it too. */
    number: Type.Integer({ minimum: 1 }),
    revision: DigestText,
    alias: Type.Optional(Type.String()),
    /** Absent: the revision was pushed without a word on its changes, and counts as one. */
    commit: Type.Optional(Type.String()),
    /** Who wrote it; of a revision that says nothing of its changes, who pushed it. */
    author: Type.String(),
    message: Type.String(),
    at: Instant,
    /** Whether an environment still lacks it. */
    inFlight: Type.Boolean(),
    /** One for each environment that runs the application, in the order of `columns`. */
    cells: Type.Array(CellSchema),
  },
  strict,
);
export type ChangeProgress = Static<typeof ChangeProgressSchema>;

/** Check-ins, newest first. */
export const ChangesSchema = Type.Object(
  {
    /** Environments from left to right. */
    columns: Type.Array(Type.Object({ environment: Name, pipeline: Type.Optional(Name), stage: Type.Optional(Name) }, strict)),
    items: Type.Array(ChangeProgressSchema, { maxItems: limits.pageItemsMax }),
    next: Type.Optional(Type.String()),
  },
  strict,
);
export type Changes = Static<typeof ChangesSchema>;

const changesFilter = {
  ...pageQuery,
  since: Type.Optional(Instant),
  author: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'a person, as in approvals: by name, address, or what is before its @' })),
  app: Type.Optional(Name),
  inFlight: Type.Optional(Type.Boolean({ description: 'only those that an environment still lacks' })),
};
export const ChangesQuerySchema = Type.Object(changesFilter, strict);
export type ChangesQuery = Static<typeof ChangesQuerySchema>;
