// Which of several approved sets goes on (control-plane.md 1.6). Each policy is a total order, so that two replicas always
// choose the same: what ties falls through to the number, then to the name of the set (S-1).

import type { SelectKey, SetMembers } from '../../../proto/pipeline.ts';
import { revisionKey } from '../model/pipeline.ts';
import type { DescribedRevision } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';
import { revisionOf } from '../model/select.ts';
import { isSameSet, pick, setIdOf } from '../model/sets.ts';

/** One set that may be chosen. */
export interface Option {
  /** The applications that the edge carries. */
  readonly carried: SetMembers;
  /** All that ran with it at its source, where that is an environment. */
  readonly source?: SetMembers;
}

/** Between what it is chosen. */
export interface Choice {
  readonly select: readonly SelectKey[];
  readonly options: readonly Option[];
  /** What the destination wants or runs. */
  readonly destination: SetMembers;
  /** What the source runs now; absent for a repository. */
  readonly upstream?: SetMembers;
  /** `queued`: the lowest number goes first, whatever the policy. */
  readonly mode: 'superseded' | 'queued';
}

export type Chosen = { readonly kind: 'chosen'; readonly option: Option } | { readonly kind: 'none' } | { readonly kind: 'no-compatible-revision' };

/** The option that goes on. */
export function choose(state: State, choice: Choice): Chosen {
  const fitting = choice.options.filter((option) => choice.select.every((key) => isEligible(state, key, option, choice)));
  const matching = choice.select.some((key) => key.by === 'matchDestination');
  if (fitting.length === 0) return matching && choice.options.length > 0 ? { kind: 'no-compatible-revision' } : { kind: 'none' };
  const order = choice.mode === 'queued' ? byNumber(state, true) : comparatorOf(state, choice.select);
  const option = fitting.toSorted(order)[0];
  return option === undefined ? { kind: 'none' } : { kind: 'chosen', option };
}

/** Below zero when `a` is preferred. Total: zero only for the same set. */
export function comparatorOf(state: State, select: readonly SelectKey[]): (a: Option, b: Option) => number {
  const last = byNumber(state, false);
  return (a, b) => {
    for (const key of select) {
      const order = rank(state, key, b) - rank(state, key, a);
      if (order !== 0) return order;
    }
    return last(a, b);
  };
}

/** Some policies do not only prefer: a list names all that may be chosen, and matching is a demand. */
function isEligible(state: State, key: SelectKey, { carried, source }: Option, { destination, upstream }: Choice): boolean {
  if (key.by === 'list') return Object.values(carried).some((revision) => key.revisions.includes(revision));
  if (key.by === 'matchUpstream') return upstream === undefined || isSameSet(pick(upstream, Object.keys(carried)), carried);
  if (key.by === 'matchDestination') return isCompatible(state, carried, destination, source);
  return true;
}

/**
 * Whether what is carried goes with the other applications that the destination runs (S-3): they ran together at the source, or
 * each pair was built from a change of its own in common, or shares a label.
 */
export function isCompatible(state: State, carried: SetMembers, destination: SetMembers, source: SetMembers = {}): boolean {
  const others = Object.entries(destination).filter(([app]) => carried[app] === undefined);
  return others.every(([app, revision]) => source[app] === revision || Object.entries(carried).every(([own, mine]) => goTogether(described(state, own, mine), described(state, app, revision))));
}

function goTogether(a: DescribedRevision | undefined, b: DescribedRevision | undefined): boolean {
  const labels = new Set(b?.compat ?? []);
  const commits = new Set(b?.changes?.map((change) => change.commit) ?? []);
  return (a?.compat ?? []).some((label) => labels.has(label)) || (a?.changes ?? []).some((change) => commits.has(change.commit));
}

/** Higher is preferred. */
function rank(state: State, key: SelectKey, { carried }: Option): number {
  const revisions = Object.entries(carried);
  const known = revisions.map(([app, revision]) => described(state, app, revision));
  switch (key.by) {
    case 'latest':
      return Math.max(0, ...revisions.map(([app, revision]) => checkedInAt(state, app, revision)));
    case 'number':
      return sum(revisions.map(([app, revision]) => revisionOf(state, app, revision)?.number ?? 0));
    case 'priority':
      return Math.max(0, ...known.map((one) => one?.priority ?? 0));
    case 'testsPassed':
      return testsOf(known);
    case 'author':
      return -Math.min(key.authors.length, ...known.flatMap((one) => (one?.changes ?? []).map((change) => key.authors.indexOf(change.author)).filter((index) => index >= 0)));
    case 'list':
      return -Math.min(key.revisions.length, ...revisions.map(([, revision]) => key.revisions.indexOf(revision)).filter((index) => index >= 0));
    case 'matchUpstream':
    case 'matchDestination':
      return 0;
    default:
      return key satisfies never;
  }
}

/** The share of tests passed; the mean of scores (from 0 to 1) breaks a tie, at a weight too small to outdo a test. */
function testsOf(known: readonly (DescribedRevision | undefined)[]): number {
  const tests = known.flatMap((one) => one?.tests ?? []);
  const total = sum(tests.map((one) => one.total));
  const scores = tests.flatMap((one) => one.score ?? []);
  const score = scores.length === 0 ? 0 : Math.min(1, Math.max(0, sum(scores) / scores.length));
  return (total === 0 ? 0 : sum(tests.map((one) => one.passed)) / total) + score * 1e-9;
}

/** When the newest change of a revision came in; without changes, when it was pushed. */
function checkedInAt(state: State, app: string, revision: string): number {
  const changes = described(state, app, revision)?.changes ?? [];
  return changes.length === 0 ? (revisionOf(state, app, revision)?.createdAt ?? 0) : Math.max(...changes.map((change) => change.checkedInAt));
}

/** Higher numbers first, or lower; then by the name of the set. A set that is newer in one application and older in none comes first. */
function byNumber(state: State, lowest: boolean): (a: Option, b: Option) => number {
  return (a, b) => {
    const order = rank(state, { by: 'number' }, b) - rank(state, { by: 'number' }, a);
    if (order !== 0) return lowest ? -order : order;
    const [left, right] = [setIdOf(a.carried), setIdOf(b.carried)];
    return left === right ? 0 : left < right ? -1 : 1;
  };
}

function described(state: State, app: string, revision: string): DescribedRevision | undefined {
  return state.descriptions.get(revisionKey(app, revision));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
