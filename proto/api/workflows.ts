// Runs of approval workflows, with their steps, what was measured, and what was written.

import Type, { type Static } from 'typebox';
import { Count, DigestText, Instant, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';
import { TestFiguresSchema } from './work.ts';

const runPhases = ['running', 'successful', 'failed', 'error', 'inconclusive', 'timed-out', 'aborted', 'invalidated'] as const;
const stepPhases = ['pending', 'running', 'waiting-for-approval', 'succeeded', 'failed', 'errored', 'timed-out', 'skipped', 'aborted'] as const;
const verdicts = ['success', 'failure', 'inconclusive', 'error'] as const;

export const StepRunSchema = Type.Object(
  {
    step: Type.String(),
    kind: Type.Optional(Type.String()),
    phase: oneOf(stepPhases),
    attempt: Count,
    at: Instant,
    startedAt: Type.Optional(Instant),
    detail: Type.Optional(Type.String()),
    worker: Type.Optional(Type.String()),
    tests: Type.Optional(TestFiguresSchema),
    /** Attempts that were followed by another. */
    tries: Type.Array(Type.Object({ attempt: Count, end: Type.String(), at: Instant, detail: Type.Optional(Type.String()) }, strict)),
    /** The newest, oldest first. */
    measurements: Type.Array(Type.Object({ verdict: oneOf(verdicts), at: Instant, value: Type.Optional(Type.String()), detail: Type.Optional(Type.String()) }, strict)),
  },
  strict,
);
export type StepRunView = Static<typeof StepRunSchema>;

export const WorkflowRunSchema = Type.Object(
  {
    run: Type.String(),
    workflow: Type.String(),
    environment: Name,
    set: Type.Array(Type.Object({ app: Name, revision: DigestText, number: Count }, strict)),
    phase: oneOf(runPhases),
    startedAt: Instant,
    deadline: Instant,
    finishedAt: Type.Optional(Instant),
    outcome: Type.Optional(Type.String()),
    steps: Type.Array(StepRunSchema),
    /** Of a run that looks at one batch of a deployment; from 0. */
    batch: Type.Optional(Type.Object({ deployment: Type.String(), index: Count }, strict)),
  },
  strict,
);
export type WorkflowRunView = Static<typeof WorkflowRunSchema>;

export const WorkflowRunsQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), phase: Type.Optional(oneOf(runPhases)) }, strict);
export const CreateWorkflowRunSchema = Type.Object({ environment: Name }, strict);
export const AbortRunSchema = Type.Object({ reason: Reason }, strict);
/** What a measurement between success and failure was. */
export const DecideStepSchema = Type.Object({ verdict: oneOf(['succeeded', 'failed']), reason: Reason }, strict);
/** What something outside, such as a CI system, says of a step without a command. */
export const ReportStepSchema = Type.Object({ phase: oneOf(['running', 'succeeded', 'failed', 'errored', 'timed-out']), detail: Type.Optional(Reason), tests: Type.Optional(TestFiguresSchema) }, strict);

/** `attempt`: the newest when it is left out. `offset` in bytes. */
export const LogQuerySchema = Type.Object({ attempt: Type.Optional(Type.Integer({ minimum: 1 })), offset: Type.Optional(Count) }, strict);
export const LogPageSchema = Type.Object(
  {
    attempt: Count,
    text: Type.String(),
    /** Where to go on. */
    next: Count,
    /** Whether nothing more will be written: the attempt is over, and this is its end. */
    complete: Type.Boolean(),
  },
  strict,
);
export type LogPage = Static<typeof LogPageSchema>;
