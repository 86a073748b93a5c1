// What happened, as the API tells it: how far changes are, what became of a commit, what an environment ran, and what a
// promotion would do. The audit is audit.ts.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { RevisionRefSchema } from './apps.ts';
import { ChangeSchema } from './revisions.ts';
import { BlockerSchema, Count, DigestText, Id, Instant, Name, oneOf, pageQuery, strict } from './schema.ts';

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

/** One check-in. A commit that changed several applications is there once, with the others in `also`: each travels on its own. */
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
    /** Whether an environment still lacks it, or another application of the same commit. */
    inFlight: Type.Boolean(),
    /** One for each environment that runs the application, in the order of `columns`. */
    cells: Type.Array(CellSchema),
    /** The same commit in other applications. */
    also: Type.Optional(Type.Array(Type.Object({ app: Name, number: Type.Integer({ minimum: 1 }), revision: DigestText, alias: Type.Optional(Type.String()), inFlight: Type.Boolean(), cells: Type.Array(CellSchema) }, strict))),
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

const Vote = Type.Object({ by: Type.String(), decision: oneOf(['approve', 'reject']), groups: Type.Array(Type.String()), at: Instant, comment: Type.Optional(Type.String()), revokedAt: Type.Optional(Instant) }, strict);

const TraceDeploymentSchema = Type.Object(
  { deployment: Id, type: Type.String(), phase: Type.String(), startedAt: Instant, finishedAt: Type.Optional(Instant), targets: Count, done: Count, failed: Count, reason: Type.Optional(Type.String()), exemptions: Type.Array(Type.Object({ gate: Type.String(), why: Type.String() }, strict)) },
  strict,
);

/** What happened with a change in one environment. */
const TraceStopSchema = Type.Object(
  {
    ...CellSchema.properties,
    /** Newest first: every promotion that would have brought it, up to the one that did. */
    promotions: Type.Array(
      Type.Object(
        { promotion: Id, number: Count, phase: Type.String(), by: Type.String(), at: Instant, cause: Type.Optional(Type.String()), reason: Type.Optional(Type.String()), outcome: Type.Optional(Type.String()), deployments: Type.Array(TraceDeploymentSchema) },
        strict,
      ),
    ),
    /** Older promotions, which only the audit tells of. */
    more: Count,
    approvals: Type.Array(Type.Object({ approval: Id, purpose: Type.String(), status: Type.String(), openedAt: Instant, settledAt: Type.Optional(Instant), step: Type.Optional(Type.String()), votes: Type.Array(Vote) }, strict)),
    runs: Type.Array(
      Type.Object(
        { run: Id, workflow: Type.String(), phase: Type.String(), startedAt: Instant, finishedAt: Type.Optional(Instant), outcome: Type.Optional(Type.String()), steps: Type.Array(Type.Object({ step: Type.String(), phase: Type.String(), at: Instant, detail: Type.Optional(Type.String()) }, strict)) },
        strict,
      ),
    ),
    targets: Count,
    /** Targets that have it now. */
    having: Count,
  },
  strict,
);

/** The way of one change, or of one revision. */
export const TraceSchema = Type.Object(
  {
    ...Type.Omit(ChangeProgressSchema, ['inFlight', 'cells']).properties,
    /** When the revision was pushed, and by whom. */
    pushedAt: Instant,
    pushedBy: Type.String(),
    bytes: Count,
    tests: Type.Optional(Type.Object({ passed: Count, total: Count, score: Type.Optional(Type.Number()) }, strict)),
    signedBy: Type.Array(Type.String()),
    environments: Type.Array(TraceStopSchema),
  },
  strict,
);
export type Trace = Static<typeof TraceSchema>;
/** One for each application that the commit changed. */
export const TracesSchema = Type.Object({ items: Type.Array(TraceSchema) }, strict);

const traced = {
  of: Type.String({ minLength: 1, maxLength: 256, description: 'a commit, of which the first 6 letters are enough, or a revision: web@41, a digest, an identifier, an alias' }),
  app: Type.Optional(Name),
};
export const TraceQuerySchema = Type.Object(traced, strict);
export const TraceMachinesQuerySchema = Type.Object({ ...pageQuery, ...traced, environment: Name }, strict);

/** A machine and a change. */
export const TraceMachineSchema = Type.Object(
  {
    member: Type.String(),
    name: Name,
    zone: Type.String(),
    app: Name,
    has: Type.Boolean(),
    /** The revision that it runs; 0 when none. */
    number: Count,
    /** When it had it first, without a gap until now. */
    since: Type.Optional(Instant),
    /** The deployment that brought it. */
    deployment: Type.Optional(Id),
  },
  strict,
);
export type TraceMachine = Static<typeof TraceMachineSchema>;

/** `seq`: the decision that led to this entry, or how things stood right after it; `at`: how they stood then. One of the two. */
export const ReplayQuerySchema = Type.Object(
  { seq: Type.Optional(Type.Integer({ minimum: 1 })), at: Type.Optional(Instant), promotion: Type.Optional(Id), environment: Type.Optional(Name) },
  strict,
);

/** A decision made again from the journal: the same bytes each time that it is asked for. */
export const ReplaySchema = Type.Object(
  {
    /** The last entry that it goes by. */
    head: Count,
    at: Instant,
    /** Which machines had been silent for too long is recorded with each start; of other moments it is not known, and all are taken to have been heard. */
    presence: Type.Object({ known: Type.Boolean(), silent: Type.Array(Type.String()) }, strict),
    /** In line then, with what held each. */
    promotions: Type.Array(
      Type.Object(
        {
          promotion: Id, environment: Name, app: Name, number: Count, phase: Type.String(),
          blockers: Type.Array(BlockerSchema), exemptions: Type.Array(Type.Object({ gate: Type.String(), why: Type.String(), ref: Type.Optional(Type.String()) }, strict)), nextCheckAt: Type.Optional(Instant),
        },
        strict,
      ),
    ),
    /** What the decision led to, as it would stand in the journal. */
    events: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    /** The entry that was asked about, and whether the decision led to just that. */
    recorded: Type.Optional(Type.Object({ seq: Count, reproduced: Type.Boolean() }, strict)),
  },
  strict,
);
export type Replay = Static<typeof ReplaySchema>;

/** One deployment in the history of its environment. */
export const PastDeploymentSchema = Type.Object(
  {
    deployment: Id,
    app: Name,
    type: Type.String(),
    to: RevisionRefSchema,
    /** What ran before it: what it can be undone by. */
    from: Type.Optional(RevisionRefSchema),
    phase: Type.String(),
    startedAt: Instant,
    finishedAt: Type.Optional(Instant),
    promotion: Id,
    by: Type.String(),
    reason: Type.Optional(Type.String()),
    /** Why it ended as it did. */
    outcome: Type.Optional(Type.String()),
    rollbackOf: Type.Optional(Id),
    targets: Count,
    /** Whether the environment runs what it brought. */
    current: Type.Boolean(),
    /** The command that goes back to what it brought, where that succeeded here and does not run now. */
    undo: Type.Optional(Type.String()),
  },
  strict,
);
export type PastDeployment = Static<typeof PastDeploymentSchema>;

export const CompareQuerySchema = Type.Object({ with: Name }, strict);
/** What two environments run; `changes` are what the newer has and the other has not, newest first. */
export const ComparisonSchema = Type.Object(
  {
    environment: Name,
    with: Name,
    same: Type.Boolean(),
    apps: Type.Array(
      Type.Object({ app: Name, here: Type.Optional(RevisionRefSchema), there: Type.Optional(RevisionRefSchema), changes: Type.Array(Type.Object({ ...ChangeSchema.properties, number: Count }, strict)) }, strict),
    ),
  },
  strict,
);
export type Comparison = Static<typeof ComparisonSchema>;
