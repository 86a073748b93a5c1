// The way of one commit or revision: into which revision it came, what was tested and who approved it, which promotions and
// deployments brought it where, and which machines have it since when. All of it from what is on record.

import { isDigest } from '../../../proto/cid.ts';
import { numberOf } from '../gates/blocker.ts';
import type { ApprovalRequest, WorkflowRun } from '../model/approval.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment, Member, Promotion, RevisionRecord, State } from '../model/model.ts';
import { findRevision, membersOf, targetsOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { checkInsOf, columnsOf, progressOf, whoPushed } from './changes.ts';
import type { Cell, CheckIn } from './changes.ts';

/** Promotions told of one environment, newest first: older ones are in the audit. */
const promotionsMax = 20;
/** Applications that a commit is traced in. */
const tracesMax = 32;
/** Letters of a commit that name it, at least: fewer are met by chance. */
const prefixMin = 6;

/** What is traced: a check-in, in the first revision that has it. */
export interface Trace {
  readonly checkIn: CheckIn;
  readonly record: RevisionRecord;
  /** In the order of the pipelines. */
  readonly environments: readonly TraceStop[];
}

/** What happened with it in one environment. */
export interface TraceStop {
  readonly cell: Cell;
  /** Newest first: every promotion that would have brought it, up to the one that did. */
  readonly promotions: readonly { readonly promotion: Promotion; readonly number: number; readonly deployments: readonly Deployment[] }[];
  /** Promotions that are not told of. */
  readonly more: number;
  /** Requests to let it come here, and of steps that were carried out here; oldest first. */
  readonly approvals: readonly ApprovalRequest[];
  /** Workflows over sets that have it, here; oldest first. */
  readonly runs: readonly WorkflowRun[];
  readonly targets: number;
  /** Targets that have it now. */
  readonly having: number;
}

/** The check-ins that `text` names: a revision as `web@41`, its digest, CID or alias, or a commit, of which the beginning is enough. */
export function namedBy(state: State, text: string, app?: string): readonly CheckIn[] {
  const apps = [...state.apps.keys()].filter((one) => app === undefined || one === app);
  const at = text.lastIndexOf('@');
  const prefix = at < 0 ? undefined : text.slice(0, at);
  const revisions = apps.flatMap((one) => (prefix === undefined || prefix === one ? (revisionNamed(state, one, text, app !== undefined) ?? []) : []));
  if (revisions.length > 0) return revisions.slice(0, tracesMax).map((record) => checkInOf(state, record));
  const commits = checkInsOf(state, apps).filter(({ commit }) => commit !== undefined && (commit === text || (text.length >= prefixMin && commit.startsWith(text))));
  const exact = commits.filter(({ commit }) => commit === text);
  return (exact.length > 0 ? exact : commits).slice(0, tracesMax);
}

/** Numbers and `latest` name a revision only where it is said of which application. */
function revisionNamed(state: State, app: string, text: string, said: boolean): RevisionRecord | undefined {
  const plain = !text.startsWith(`${app}@`);
  if (plain && !said && !isDigest(text) && (text === 'latest' || /^[0-9]+$/.test(text))) return undefined;
  return findRevision(state, app, text);
}

/** A revision as a whole, whatever changes it brought. */
function checkInOf(state: State, record: RevisionRecord): CheckIn {
  const { app, number, revision, alias, createdAt } = record;
  const own = checkInsOf(state, [app]).filter((one) => one.number === number);
  const [first] = own;
  if (first !== undefined && own.length === 1) return first;
  return { app, number, revision, ...(alias === undefined ? {} : { alias }), author: whoPushed(state, record), message: `${own.length} changes`, at: createdAt };
}

/** The trace of one check-in. */
export function traceOf(state: State, observed: Observed, checkIn: CheckIn): Trace | undefined {
  const record = state.apps.get(checkIn.app)?.revisions[checkIn.number - 1];
  if (record === undefined) return undefined;
  const { cells } = progressOf(state, observed, columnsOf(state)).cells(checkIn);
  return { checkIn, record, environments: cells.flatMap((cell) => stopOf(state, checkIn, cell) ?? []) };
}

function stopOf(state: State, checkIn: CheckIn, cell: Cell): TraceStop | undefined {
  const environment = state.environments.get(cell.environment);
  if (environment === undefined) return undefined;
  const { app, number } = checkIn;
  const until = cell.state === 'there' ? (cell.since ?? Infinity) : Infinity;
  const carries = (revision: string | undefined): boolean => (numberOf(state, app, revision ?? '') ?? 0) >= number;
  const promotions = [...state.promotions.values()].filter((one) => one.environment === cell.environment && one.createdAt <= until && carries(membersOf(one)[app])).toReversed();
  const told = promotions.slice(0, promotionsMax).map((promotion) => ({
    promotion,
    number: numberOf(state, app, membersOf(promotion)[app] ?? '') ?? 0,
    deployments: [...state.deployments.values()].filter((one) => one.promotion === promotion.promotion && one.app === app && one.type !== 'catch-up' && one.type !== 'prefetch'),
  }));
  const brought = new Set(told.map((one) => one.number));
  const concerns = (revision: string | undefined): boolean => brought.has(numberOf(state, app, revision ?? '') ?? 0) || (brought.size === 0 && carries(revision));
  const targets = targetsOf(state, environment);
  return {
    cell,
    promotions: told,
    more: promotions.length - told.length,
    approvals: [...state.requests.values()].filter(({ subject }) => (subject.destination ?? subject.source) === cell.environment && concerns(subject.members[app])),
    runs: [...state.runs.values()].filter((run) => run.environment === cell.environment && concerns(run.members[app])),
    targets: targets.length,
    having: targets.filter((member) => (member.running[app]?.number ?? 0) >= number).length,
  };
}

/** One machine and a check-in. */
export interface Machine {
  readonly member: Member;
  /** The revision that it runs; 0 when none. */
  readonly number: number;
  readonly has: boolean;
  /** When it had it first, without a gap until now, as far as deployments say; by the control plane's clock. */
  readonly since?: number;
  /** The deployment that brought it. */
  readonly deployment?: string;
}

/** How machines of an environment came to have a check-in. Dear for many: for a page of them. */
export function machinesOf(state: State, environment: Environment, { app, number }: CheckIn, members: readonly Member[]): readonly Machine[] {
  const deployments = [...state.deployments.values()].filter((one) => one.environment === environment.environment && one.app === app && one.type !== 'prefetch');
  return members.map((member) => {
    const running = member.running[app]?.number ?? 0;
    if (running < number) return { member, number: running, has: false };
    const first = firstOf(deployments, member.member, number);
    if (first === 'forgotten') return { member, number: running, has: true };
    const since = first?.at ?? member.running[app]?.since;
    return { member, number: running, has: true, ...(since === undefined ? {} : { since }), ...(first === undefined ? {} : { deployment: first.deployment }) };
  });
}

/** The deployment with which a target got it, and kept it since; `forgotten` when that may be one whose targets are no longer in the state. */
function firstOf(deployments: readonly Deployment[], member: string, number: number): { readonly deployment: string; readonly at: number } | 'forgotten' | undefined {
  let first: { readonly deployment: string; readonly at: number } | 'forgotten' | undefined;
  for (const { deployment, targets, number: brought, rollback, archived } of deployments) {
    if (archived !== undefined) first = 'forgotten';
    const target = targets.get(member);
    if (target === undefined || (target.phase !== 'committed' && target.phase !== 'already-current' && target.phase !== 'rolled-back')) continue;
    const now = target.phase === 'rolled-back' ? (rollback?.number ?? 0) : brought;
    if (target.phase === 'rolled-back' && rollback === undefined) continue;
    if (now < number) first = undefined;
    else first ??= { deployment, at: target.reportedAt };
  }
  return first;
}
