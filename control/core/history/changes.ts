// Change progress by time (CDS-16): check-ins newest first, and how far each is, environment by environment in the order of
// the pipeline. O-4: it says what the deployments on record add up to, and each change in flight is there exactly once.

import { edgesOf } from '../gates/place.ts';
import type { Pipeline } from '../model/pipeline.ts';
import type { RevisionRecord, State } from '../model/model.ts';
import { isDone } from '../model/phases.ts';
import { personOf } from '../model/people.ts';
import { descriptionOf } from '../model/revisions.ts';
import type { Observed } from '../model/select.ts';
import { coursesOf, lastAttempt, leftAt, runningNumber, thereSince } from './course.ts';
import type { Course } from './course.ts';
import { prospectsOf } from './prospects.ts';
import type { Prospects, Waiting } from './prospects.ts';

/** One check-in of one application. A commit that changed two applications is a check-in of each, since they travel on their own; people see them together ({@link byCommit}). */
export interface CheckIn {
  readonly app: string;
  /** The first revision that has it: whatever runs a newer one has it too. */
  readonly number: number;
  readonly revision: string;
  readonly alias?: string;
  /** Absent: the revision was pushed without a word on its changes, and counts as one. */
  readonly commit?: string;
  /** Who wrote it; of a revision that says nothing of its changes, who pushed it. */
  readonly author: string;
  readonly message: string;
  /** When it came to its branch, or was pushed; milliseconds since 1970. */
  readonly at: number;
}

/** An environment as a column. */
export interface Column {
  readonly environment: string;
  readonly apps: readonly string[];
  readonly pipeline?: string;
  readonly stage?: string;
}

export type CellState = 'absent' | 'waiting' | 'deploying' | 'there' | 'failed' | 'rolled-back';

/** How far a check-in is in one environment. */
export interface Cell {
  readonly environment: string;
  readonly state: CellState;
  readonly since?: number;
  /** When what it waits for ends by itself, where that is known. */
  readonly until?: number;
  /** The revision that brings it, or would have. */
  readonly number?: number;
  /** Targets that are done, of a hundred. */
  readonly percent?: number;
  readonly reason?: string;
  readonly promotion?: string;
  readonly deployment?: string;
}

/** A check-in with its cells, and whether one of them still lacks it. */
export interface Progress extends CheckIn {
  readonly inFlight: boolean;
  readonly cells: readonly Cell[];
}

/** The environments of one pipeline, or all of them, pipelines by name first, as columns from left to right. */
export function columnsOf(state: State, only?: Pipeline): readonly Column[] {
  const pipelines = only === undefined ? [...state.pipelines.values()].toSorted((a, b) => (a.pipeline < b.pipeline ? -1 : 1)) : [only];
  const columns = pipelines.flatMap(({ pipeline, spec }) =>
    spec.stages.flatMap(({ stage, environments }) => environments.flatMap(({ environment }) => columnOf(state, environment, { pipeline, stage }))),
  );
  if (only !== undefined) return columns;
  const placed = new Set(columns.map(({ environment }) => environment));
  return [...columns, ...[...state.environments.keys()].filter((one) => !placed.has(one)).toSorted().flatMap((environment) => columnOf(state, environment))];
}

function columnOf(state: State, environment: string, place: { readonly pipeline: string; readonly stage: string } | Record<never, never> = {}): readonly Column[] {
  const found = state.environments.get(environment);
  return found === undefined ? [] : [{ environment, apps: found.apps, ...place }];
}

/** Applications that a pipeline carries, or all of them. */
export function appsOf(state: State, only?: Pipeline): readonly string[] {
  return only === undefined ? [...state.apps.keys()] : [...new Set(edgesOf(only).flatMap(({ spec }) => spec.apps))];
}

/** Every check-in of these applications, newest first. */
export function checkInsOf(state: State, apps: readonly string[]): readonly CheckIn[] {
  return apps
    .flatMap((app) => checkInsOfApp(state, app).map((checkIn) => ({ checkIn, key: placeKey(checkIn) })))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ checkIn }) => checkIn);
}

/** Check-ins of one commit together, each commit once, where its newest check-in is; what has no commit is alone. In the order given. */
export function byCommit(checkIns: readonly CheckIn[]): readonly (readonly [CheckIn, ...CheckIn[]])[] {
  const groups = new Map<string, [CheckIn, ...CheckIn[]]>();
  for (const one of checkIns) {
    const key = one.commit ?? `${one.app}@${one.number}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  return [...groups.values()];
}

function checkInsOfApp(state: State, app: string): readonly CheckIn[] {
  const seen = new Set<string>();
  return (state.apps.get(app)?.revisions ?? []).flatMap((record): readonly CheckIn[] => {
    const changes = descriptionOf(state, record)?.changes ?? [];
    const { number, revision, alias } = record;
    const head = { app, number, revision, ...(alias === undefined ? {} : { alias }) };
    if (changes.length === 0) return [{ ...head, author: whoPushed(state, record), message: alias ?? '', at: record.createdAt }];
    const fresh = [...new Map(changes.map((change) => [change.commit, change])).values()].filter(({ commit }) => !seen.has(commit));
    for (const { commit } of fresh) seen.add(commit);
    return fresh.map(({ commit, author, message, checkedInAt }) => ({ ...head, commit, author, message, at: checkedInAt }));
  });
}

/** Who pushed a revision, as people are called. */
export function whoPushed(state: State, { createdBy }: RevisionRecord): string {
  return createdBy.startsWith('member:') ? (state.members.get(createdBy.slice('member:'.length))?.name ?? createdBy) : personOf(state, createdBy);
}

/** Later than any time and above any number that is on record: what is newest has the lowest key. */
const beyond = 10 ** 15;

/** The place of a check-in among others: newest first, the same each time; unique. */
export function placeKey({ at, number, app, commit = '' }: CheckIn): string {
  return `${String(beyond - at).padStart(16, '0')} ${String(beyond - number).padStart(16, '0')} ${app} ${commit}`;
}

/** How far check-ins are: whether one is in flight is cheap; cells ask gates, and are for those that somebody looks at. */
export interface ProgressOf {
  readonly inFlight: (checkIn: CheckIn) => boolean;
  readonly cells: (checkIn: CheckIn) => Progress;
}

export function progressOf(state: State, observed: Observed, columns: readonly Column[]): ProgressOf {
  const courseOf = coursesOf(state);
  const prospects = new Map<string, Prospects | undefined>();
  const prospectsAt = (environment: string, app: string): Prospects | undefined => {
    const key = `${environment} ${app}`;
    if (!prospects.has(key)) {
      const found = state.environments.get(environment);
      prospects.set(key, found === undefined ? undefined : prospectsOf(state, observed, found, app, courseOf));
    }
    return prospects.get(key);
  };
  const of = ({ app }: CheckIn): readonly Column[] => columns.filter(({ apps }) => apps.includes(app));
  const inFlight = (checkIn: CheckIn): boolean => of(checkIn).some(({ environment }) => runningNumber(courseOf(environment, checkIn.app)) < checkIn.number);
  return {
    inFlight,
    cells: (checkIn) => ({
      ...checkIn,
      inFlight: inFlight(checkIn),
      cells: of(checkIn).map(({ environment }) => ({ environment, ...cellOf(courseOf(environment, checkIn.app), prospectsAt(environment, checkIn.app), checkIn.number) })),
    }),
  };
}

function cellOf(course: Course, prospects: Prospects | undefined, number: number): Omit<Cell, 'environment'> {
  const since = thereSince(course, number);
  if (since !== undefined) return { state: 'there', since, number: runningNumber(course) };
  const { active } = course;
  if (active !== undefined && active.number >= number) {
    const targets = [...active.targets.values()];
    const percent = targets.length === 0 ? 0 : Math.floor((100 * targets.filter(isDone).length) / targets.length);
    const back = active.phase === 'rolling-back' ? { reason: `it is rolling back: ${active.reason ?? ''}` } : {};
    return { state: 'deploying', since: active.startedAt, number: active.number, percent, deployment: active.deployment, promotion: active.promotion, ...back };
  }
  if (prospects !== undefined && prospects.continuing >= number) return { state: 'deploying', number: prospects.continuing, percent: 0, reason: 'other applications of the same set go first' };
  const promoted = prospects?.promoted(number);
  if (promoted !== undefined) return waiting(promoted);
  const ended = endedOf(course, number);
  const next = prospects?.upstream(number);
  // What failed is no news any more once something newer is to come.
  if (next !== undefined && next.number > (ended?.number ?? 0)) return waiting(next);
  return ended ?? { state: 'absent' };
}

function waiting({ number, reason, since, until, promotion }: Waiting): Omit<Cell, 'environment'> {
  return { state: 'waiting', number, reason, ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }), ...(promotion === undefined ? {} : { promotion }) };
}

/** How the newest try to bring a change ended, or that it was there and something older came in its place. */
function endedOf(course: Course, number: number): Omit<Cell, 'environment'> | undefined {
  const attempt = lastAttempt(course, number);
  const left = leftAt(course, number);
  const at = attempt?.finishedAt ?? 0;
  if (attempt === undefined || (left !== undefined && left > at)) return left === undefined ? undefined : { state: 'rolled-back', since: left, number: course.levels.findLast((level) => level.number >= number)?.number ?? number };
  const { phase, reason = '' } = attempt;
  const said = phase === 'aborted' ? `aborted${reason === '' ? '' : `: ${reason}`}` : reason;
  return { state: phase === 'rolled-back' ? 'rolled-back' : 'failed', since: at, number: attempt.number, deployment: attempt.deployment, promotion: attempt.promotion, ...(said === '' ? {} : { reason: said }) };
}
