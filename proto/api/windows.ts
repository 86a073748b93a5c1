// Time windows as people see them: what is configured, when it is active, and what that means for an environment now and next.

import Type, { type Static } from 'typebox';
import type { Schedule } from '../window.ts';
import { limits } from '../limits.ts';
import { RuleSchema } from './restraints.ts';
import { Count, Instant, Name, oneOf, pageQuery, strict } from './schema.ts';

const WallTimes = Type.Object({ from: Type.String(), to: Type.String() }, strict);
const Schedule = Type.Unsafe<Schedule>(
  Type.Union([
    Type.Object({ kind: Type.Literal('weekly'), rows: Type.Array(Type.Object({ days: Type.Array(Type.String()), times: Type.Optional(WallTimes) }, strict)) }, strict),
    Type.Object({ kind: Type.Literal('cron'), expression: Type.String(), durationMs: Count }, strict),
    Type.Object({ kind: Type.Literal('once'), from: Type.String(), to: Type.String() }, strict),
  ]),
);

export const WindowSchema = Type.Object(
  {
    pipeline: Name,
    window: Type.String(),
    kind: oneOf(['allow', 'deny']),
    timeZone: Type.String(),
    schedule: Schedule,
    onClose: oneOf(['finish', 'pause', 'rollback']),
    jitterMs: Type.Optional(Count),
    maxDeploysPerOccurrence: Type.Optional(Count),
    override: Type.Optional(RuleSchema),
    /** Environments that it holds, by themselves or by a promotion to them. */
    environments: Type.Array(Name),
  },
  strict,
);
export type Window = Static<typeof WindowSchema>;
export const WindowsQuerySchema = Type.Object({ ...pageQuery, pipeline: Type.Optional(Name), environment: Type.Optional(Name) }, strict);

const Span = Type.Object({ from: Instant, to: Type.Optional(Instant) }, strict);

/** The times that one window is active, by their start: half-open, from `from` until before `to`. */
export const OccurrencesSchema = Type.Object(
  {
    pipeline: Name,
    window: Type.String(),
    items: Type.Array(Type.Object({ from: Instant, to: Instant }, strict), { maxItems: limits.pageItemsMax }),
    /** All that there are up to here; before the end that was asked for only when there were too many. */
    knownTo: Instant,
  },
  strict,
);
export type Occurrences = Static<typeof OccurrencesSchema>;
/** At most a year at once. */
export const OccurrencesQuerySchema = Type.Object({ from: Type.Optional(Instant), to: Type.Optional(Instant) }, strict);

/** What the windows of an environment say together, for every application that it runs. */
export const EnvironmentWindowsSchema = Type.Object(
  {
    environment: Name,
    at: Instant,
    open: Type.Boolean(),
    holds: Type.Array(Type.Object({ window: Type.String(), why: oneOf(['denied', 'closed', 'jitter', 'used-up']), since: Type.Optional(Instant), until: Type.Optional(Instant) }, strict)),
    /** When it closes, or opens; absent when that is not within 400 days. */
    changesAt: Type.Optional(Instant),
    /** The next times at which it is open, that of now first. */
    openings: Type.Array(Span),
    windows: Type.Array(Type.String()),
  },
  strict,
);
export type EnvironmentWindows = Static<typeof EnvironmentWindowsSchema>;
export const EnvironmentWindowsQuerySchema = Type.Object({ at: Type.Optional(Instant), until: Type.Optional(Type.Integer({ minimum: 0, description: 'openings that begin before this, at most 56; without it the next five' })) }, strict);
