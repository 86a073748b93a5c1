// How a release becomes active, as data and pure functions: which release owns which hook and what its failure means, what the
// installer's journal says, and what to do after a crash (agent.md, sections 1.2 and 1.3). Nothing is read or run here.

import type { LifecycleEvent } from '../../../proto/deploy-spec.ts';
import type { OrderCheck } from '../../../proto/statement.ts';

/** Directory name of a release: `<number>-<first 12 hex digits of the revision>`. */
export type ReleaseId = `${number}-${string}`;

/** Name of the directory of a revision. */
export function releaseId(revisionNumber: number, revision: string): ReleaseId {
  return `${revisionNumber}-${revision.slice(0, 12)}`;
}

/** Whether a directory name is one that `releaseId` makes. */
export function isReleaseId(name: string): name is ReleaseId {
  return /^[1-9]\d{0,15}-[0-9a-f]{12}$/.test(name);
}

/** What the failure of a hook does to the installation. */
export type HookFailure = 'fail' | 'roll-back' | 'log';

/** Who runs a hook and what its exit code means. */
export interface HookRule {
  /** The release that it comes from: the one being installed, or the one that it replaces. */
  readonly release: 'new' | 'old';
  readonly onFailure: HookFailure;
  /** `defer` ends the installation with nothing changed; `again` tries until the hook's time is over; `log` goes on. */
  readonly onRetryLater: 'defer' | 'again' | 'log';
}

/**
 * The hook contract (agent.md, section 1.2). preActivate only logs: it comes from the release that is to be replaced, and a
 * broken release must not be able to prevent its replacement, nor by asking for a later try (CodeDeploy #80, #348).
 */
export const hookRules: Readonly<Record<LifecycleEvent, HookRule>> = {
  preInstall: { release: 'new', onFailure: 'fail', onRetryLater: 'defer' },
  postInstall: { release: 'new', onFailure: 'fail', onRetryLater: 'defer' },
  preActivate: { release: 'old', onFailure: 'log', onRetryLater: 'log' },
  postActivate: { release: 'new', onFailure: 'roll-back', onRetryLater: 'again' },
  healthCheck: { release: 'new', onFailure: 'roll-back', onRetryLater: 'again' },
  postCommit: { release: 'new', onFailure: 'log', onRetryLater: 'log' },
  preRollback: { release: 'new', onFailure: 'log', onRetryLater: 'log' },
  postRollback: { release: 'old', onFailure: 'log', onRetryLater: 'log' },
  cleanup: { release: 'new', onFailure: 'log', onRetryLater: 'log' },
};

/** Exit codes by which a hook asks to be run later: EX_TEMPFAIL, and the one that Mender's state scripts use. */
export const retryLaterExitCodes: readonly number[] = [75, 21];

/** The part of an order that outlives a crash. */
export interface JournalledOrder {
  readonly app: string;
  readonly environment: string;
  readonly stage: string;
  readonly deployment: string;
  readonly seq: number;
  readonly revision: string;
  readonly revisionNumber: number;
  readonly notAfterMs?: number;
  /** Health checks beside those of the release's spec. */
  readonly checks?: readonly OrderCheck[];
}

/** How an installation ended. `abandoned`: interrupted before it was journalled that it would switch. */
export type EndResult = 'committed' | 'failed' | 'rolled-back' | 'deferred' | 'inconsistent' | 'abandoned';

/** What the installer writes before it acts (`intent`) and after it is over (`end`). */
export type InstallRecord =
  | {
      readonly kind: 'begin';
      readonly order: JournalledOrder;
      readonly to: ReleaseId;
      readonly from?: ReleaseId;
      /** Ordered as a return to an older release. */
      readonly rollback: boolean;
    }
  | { readonly kind: 'staged' }
  | { readonly kind: 'activate' }
  | { readonly kind: 'roll-back'; readonly code: string; readonly detail: string }
  /** A start of the daemon takes an interrupted step up again. */
  | { readonly kind: 'attempt'; readonly step: RecoverableStep }
  /** The daemon was told to stop and left the step to its next start: the attempts so far were not crashes. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'end'; readonly result: EndResult; readonly code?: string; readonly detail?: string };

/** Steps that a start of the daemon takes up again by itself. */
export type RecoverableStep = 'activate' | 'roll-back';

/** Automatic attempts of one interrupted step; then stop and report, so that a step that kills the daemon makes no boot loop. */
export const recoveryAttemptsMax = 2;

/** An installation that has begun and not ended. */
export interface InFlight {
  readonly order: JournalledOrder;
  readonly to: ReleaseId;
  readonly from?: ReleaseId;
  readonly rollback: boolean;
  readonly stage: 'staging' | 'staged' | 'activating' | 'rolling-back';
  /** Why it is rolled back. */
  readonly cause?: { readonly code: string; readonly detail: string };
  readonly attempts: Readonly<Record<RecoverableStep, number>>;
}

/** What the journal says: folded from its records. */
export interface InstallState {
  readonly inFlight?: InFlight;
  /** The installation that ended last. */
  readonly last?: { readonly to: ReleaseId; readonly from?: ReleaseId; readonly order: JournalledOrder; readonly result: EndResult };
}

const noAttempts: Readonly<Record<RecoverableStep, number>> = { 'activate': 0, 'roll-back': 0 };

/** One record further. A record that does not fit the state (there is none that the installer writes) changes nothing. */
export function evolve(state: InstallState, record: InstallRecord): InstallState {
  if (record.kind === 'begin') {
    const { kind: _kind, ...begun } = record;
    return { ...state, inFlight: { ...begun, stage: 'staging', attempts: noAttempts } };
  }
  const { inFlight } = state;
  if (inFlight === undefined) return state;
  switch (record.kind) {
    case 'staged':
      return { ...state, inFlight: { ...inFlight, stage: 'staged' } };
    case 'activate':
      return { ...state, inFlight: { ...inFlight, stage: 'activating' } };
    case 'roll-back':
      return { ...state, inFlight: { ...inFlight, stage: 'rolling-back', cause: { code: record.code, detail: record.detail } } };
    case 'attempt':
      return {
        ...state,
        inFlight: { ...inFlight, attempts: { ...inFlight.attempts, [record.step]: inFlight.attempts[record.step] + 1 } },
      };
    case 'paused':
      return { ...state, inFlight: { ...inFlight, attempts: noAttempts } };
    case 'end': {
      const { order, to, from } = inFlight;
      return { last: { order, to, result: record.result, ...(from === undefined ? {} : { from }) } };
    }
    default:
      return record satisfies never;
  }
}

/** What a start of the daemon finds on disk. */
export interface Found {
  /** Where `current` points: nothing there, a release by its id (whether it is whole says `complete`), or anything else. */
  readonly current: ReleaseId | 'nothing' | 'foreign';
  /** Releases that are whole. */
  readonly complete: ReadonlySet<ReleaseId>;
  readonly stable?: ReleaseId;
  readonly previous?: ReleaseId;
  /** The journal has a record that cannot be read before one that can. */
  readonly damaged: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a start of the daemon has to do before anything else. */
export type Recovery =
  /** Nothing was ever installed. */
  | { readonly kind: 'idle' }
  /** Nothing was interrupted: see that `release` runs. */
  | { readonly kind: 'run'; readonly release: ReleaseId }
  /** Interrupted before it was going to switch: forget it; the order starts again. */
  | { readonly kind: 'abandon' }
  /** Was going to switch and had not: take the step up again. */
  | { readonly kind: 'activate' }
  /** As before, but it may not be taken up again: the old release stays. */
  | { readonly kind: 'fail'; readonly code: 'ORDER_REFUSED' | 'ACTIVATION_FAILED'; readonly detail: string }
  /** Had switched: go on with the health checks. */
  | { readonly kind: 'check-health' }
  /** Had switched and must go back, or was going back. */
  | { readonly kind: 'roll-back'; readonly code: string; readonly detail: string }
  /** The journal or `current` cannot be trusted: put `release` in place (nothing when there is none) and call for a person. */
  | { readonly kind: 'restore'; readonly release?: ReleaseId; readonly detail: string };

/** The release to put in place when the wanted one cannot be: the stable one, else the previous one, if whole. */
export function fallback(found: Found): ReleaseId | undefined {
  return [found.stable, found.previous].find((release) => release !== undefined && found.complete.has(release));
}

/** The recovery table of agent.md, section 1.3. */
export function planRecovery(state: InstallState, found: Found): Recovery {
  if (found.damaged) return planDamaged(found);
  if (state.inFlight === undefined) return planQuiet(state, found);
  return planInterrupted(state.inFlight, found);
}

function wholeCurrent({ current, complete }: Found): ReleaseId | undefined {
  return current !== 'nothing' && current !== 'foreign' && complete.has(current) ? current : undefined;
}

/** A journal that cannot be read says nothing about a switch: only a release known from elsewhere may stay. */
function planDamaged(found: Found): Recovery {
  const current = wholeCurrent(found);
  const known = current !== undefined && (current === found.stable || current === found.previous);
  const release = known ? current : (fallback(found) ?? current);
  return restore(release, 'the journal has a record that cannot be read');
}

function planQuiet(state: InstallState, found: Found): Recovery {
  const current = wholeCurrent(found);
  if (current !== undefined) return { kind: 'run', release: current };
  const ran = state.last?.result === 'committed' || state.last?.from !== undefined;
  if (found.current === 'nothing' && !ran && found.stable === undefined && found.previous === undefined) return { kind: 'idle' };
  const committed = state.last?.result === 'committed' && found.complete.has(state.last.to) ? state.last.to : undefined;
  return restore(fallback(found) ?? committed, wrongCurrent(found));
}

function planInterrupted(inFlight: InFlight, found: Found): Recovery {
  const at = wholeCurrent(found);
  const usable = at !== undefined || found.current === 'nothing';
  if (!usable || (at !== inFlight.from && at !== inFlight.to)) {
    const from = inFlight.from !== undefined && found.complete.has(inFlight.from) ? inFlight.from : undefined;
    return restore(fallback(found) ?? from, wrongCurrent(found));
  }
  const { attempts, to } = inFlight;
  switch (inFlight.stage) {
    case 'staging':
    case 'staged':
      return { kind: 'abandon' };
    case 'activating':
      if (attempts.activate >= recoveryAttemptsMax) {
        const detail = `interrupted ${attempts.activate + 1} times while it was being activated`;
        return { kind: at === to ? 'roll-back' : 'fail', code: 'ACTIVATION_FAILED', detail };
      }
      if (at === to) return { kind: 'check-health' };
      return mayStillSwitch(inFlight, found);
    case 'rolling-back':
      if (attempts['roll-back'] >= recoveryAttemptsMax) {
        return restore(at, `interrupted ${attempts['roll-back'] + 1} times while it was being rolled back`);
      }
      return { kind: 'roll-back', ...(inFlight.cause ?? { code: 'ACTIVATION_FAILED', detail: 'the cause is not known' }) };
    default:
      return inFlight.stage satisfies never;
  }
}

function mayStillSwitch(inFlight: InFlight, found: Found): Recovery {
  if (!found.complete.has(inFlight.to)) {
    return { kind: 'fail', code: 'ACTIVATION_FAILED', detail: `release ${inFlight.to} is no longer on disk` };
  }
  const { notAfterMs } = inFlight.order;
  if (notAfterMs !== undefined && found.now > notAfterMs) {
    return { kind: 'fail', code: 'ORDER_REFUSED', detail: 'the order ran out while the daemon was not running' };
  }
  return { kind: 'activate' };
}

function restore(release: ReleaseId | undefined, detail: string): Recovery {
  return { kind: 'restore', detail, ...(release === undefined ? {} : { release }) };
}

function wrongCurrent(found: Found): string {
  if (found.current === 'nothing') return 'current is missing';
  return found.current === 'foreign' ? 'current is not a link to a release' : `current points at ${found.current}, which is not a whole release`;
}
