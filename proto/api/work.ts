// What workers and the control plane say to one another: a lease on one piece of work, words that prolong it, what it wrote, how it ended.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { ChangeSchema } from './revisions.ts';
import { Count, DigestText, Id, Name, Reason, oneOf, strict } from './schema.ts';

/** `waitMs`: how long to wait for work when there is none; 0: not at all. */
export const LeaseQuerySchema = Type.Object(
  {
    worker: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' }),
    roles: Type.Array(Name, { minItems: 1, maxItems: 16 }),
    waitMs: Type.Integer({ minimum: 0, maximum: limits.workWaitMsMax }),
  },
  strict,
);
export type LeaseQuery = Static<typeof LeaseQuerySchema>;

const leased = {
  lease: Id,
  /** The worker must be heard of within this time, again and again. */
  leaseMs: Count,
  /** What is kept of what it writes, in bytes. */
  logBytesMax: Count,
  attempt: Count,
  /** For a POSIX shell. */
  command: Type.String(),
  timeoutMs: Count,
} as const;

/** A step of a workflow's run. */
export const StepAssignmentSchema = Type.Object(
  {
    kind: Type.Literal('step'),
    ...leased,
    run: Type.String(),
    step: Name,
    environment: Name,
    set: Type.Array(Type.Object({ app: Name, revision: DigestText, number: Count, alias: Type.Optional(Type.String()) }, strict)),
    /** Of a step that looks at one batch of a deployment; from 0. */
    batch: Type.Optional(Type.Object({ deployment: Type.String(), index: Count }, strict)),
  },
  strict,
);
export type StepAssignment = Static<typeof StepAssignmentSchema>;

/** A build: the commit is fetched, the command is run in it, and what it leaves in `output` is pushed. */
export const BuildAssignmentSchema = Type.Object(
  {
    kind: Type.Literal('build'),
    ...leased,
    build: Id,
    app: Name,
    number: Count,
    repo: Type.Object({ url: Type.String(), branch: Type.String() }, strict),
    commit: Type.String(),
    changes: Type.Array(ChangeSchema),
    output: Type.String(),
  },
  strict,
);
export type BuildAssignment = Static<typeof BuildAssignmentSchema>;

export const AssignmentSchema = Type.Union([StepAssignmentSchema, BuildAssignmentSchema]);
export type Assignment = Static<typeof AssignmentSchema>;

/** `work` is absent when none came in time. */
export const LeaseReplySchema = Type.Object({ work: Type.Optional(AssignmentSchema) }, strict);
export type LeaseReply = Static<typeof LeaseReplySchema>;

export const RenewReplySchema = Type.Object({ leaseMs: Count }, strict);

/** `offset`: of the first byte of `text` (UTF-8) in the whole log. */
export const WorkLogSchema = Type.Object({ offset: Count, text: Type.String({ maxLength: 256 * 1024 }) }, strict);
export const WorkLogReplySchema = Type.Object({ bytes: Count }, strict);

export const TestFiguresSchema = Type.Object(
  { passed: Count, total: Count, score: Type.Optional(Type.Number()), skipped: Type.Optional(Count), failed: Type.Optional(Type.Unsafe<readonly string[]>(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 50, description: 'names of tests that failed, the first of them' }))) },
  strict,
);

/** `revision`: what a build pushed. `failed` is of what was tested; `errored` of the machinery, and tried again. */
export const WorkReportSchema = Type.Object(
  { outcome: oneOf(['succeeded', 'failed', 'errored', 'timed-out']), detail: Type.Optional(Reason), tests: Type.Optional(TestFiguresSchema), revision: Type.Optional(DigestText) },
  strict,
);
export type WorkReport = Static<typeof WorkReportSchema>;
