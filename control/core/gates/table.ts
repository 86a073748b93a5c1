// Every gate in the order in which it is asked (control-plane.md 1.4), with the kinds of promotions that must pass it. This
// table is the policy: an operator can read from it what a hotfix skips and what even a rollback does not.

import { approved, verified } from './approval.ts';
import type { BlockerType, CandidateKind, GateAnswer, GateContext } from './blocker.ts';
import { compliant } from './compliance.ts';
import { enoughTargets, noActiveDeployment, platformReady, replicated, someMayChange } from './fleet.ts';
import { notLocked } from './lock.ts';
import { automationOn, edgeEnabled, notHeld, notLower, notPinned, notThereAlready, notVetoed, pipelineEnabled } from './order.ts';
import { afterOthers, notFrozen, soaked, windowsOpen } from './time.ts';

/** One gate. */
export interface Gate {
  readonly gate: BlockerType;
  /** Promotions that must pass it. Windows and freezes are asked of rollbacks and catch-ups too, which may be exempt (T-1). */
  readonly kinds: readonly CandidateKind[];
  /** Whether it asks people or workflows: those are not bothered while another gate than a window or a lock holds. */
  readonly stateful: boolean;
  readonly ask: (context: GateContext) => GateAnswer;
}

const all: readonly CandidateKind[] = ['auto', 'manual', 'hotfix', 'rollback', 'catch-up'];
const planned: readonly CandidateKind[] = ['auto', 'manual'];
const forward: readonly CandidateKind[] = ['auto', 'manual', 'hotfix'];
const forwardOrLate: readonly CandidateKind[] = ['auto', 'manual', 'hotfix', 'catch-up'];

/** The gates, in order. */
export const gates: readonly Gate[] = [
  { gate: 'pipeline-disabled', kinds: ['auto', 'manual', 'catch-up'], stateful: false, ask: pipelineEnabled },
  { gate: 'edge-disabled', kinds: planned, stateful: false, ask: edgeEnabled },
  { gate: 'automation-off', kinds: ['auto', 'catch-up'], stateful: false, ask: automationOn },
  { gate: 'veto', kinds: all, stateful: false, ask: notVetoed },
  { gate: 'pin', kinds: all, stateful: false, ask: notPinned },
  { gate: 'hold', kinds: ['auto'], stateful: false, ask: notHeld },
  { gate: 'same-set', kinds: ['auto'], stateful: false, ask: notThereAlready },
  { gate: 'downgrade', kinds: ['auto'], stateful: false, ask: notLower },
  { gate: 'after', kinds: planned, stateful: false, ask: afterOthers },
  { gate: 'soak', kinds: planned, stateful: false, ask: soaked },
  { gate: 'window', kinds: all, stateful: false, ask: windowsOpen },
  { gate: 'freeze', kinds: all, stateful: false, ask: notFrozen },
  { gate: 'lock', kinds: all, stateful: false, ask: notLocked },
  { gate: 'active-deployment', kinds: all, stateful: false, ask: noActiveDeployment },
  { gate: 'targets-offline', kinds: forward.concat('rollback'), stateful: false, ask: enoughTargets },
  { gate: 'min-healthy', kinds: forward.concat('rollback'), stateful: false, ask: someMayChange },
  { gate: 'node-requirement', kinds: all, stateful: false, ask: platformReady },
  { gate: 'coverage', kinds: planned, stateful: false, ask: replicated },
  { gate: 'workflow', kinds: planned, stateful: true, ask: verified },
  { gate: 'approval', kinds: planned, stateful: true, ask: approved },
  // What runs here already has passed it: a catch-up brings nothing new, and a rollback brings what ran before (C-1).
  { gate: 'compliance', kinds: forwardOrLate.filter((kind) => kind !== 'catch-up'), stateful: true, ask: compliant },
];

/** Blockers that do not keep people from being asked: they end by themselves, and approval may be had meanwhile. */
const bearable: ReadonlySet<BlockerType> = new Set(['window', 'freeze', 'lock', 'soak', 'active-deployment', 'targets-offline', 'workflow', 'approval', 'compliance']);

/** Whether nothing but time, locks and people themselves stands between a candidate and its start: only then may people be asked. */
export function isWorthAsking(blockers: readonly { readonly type: BlockerType }[]): boolean {
  return blockers.every((blocker) => bearable.has(blocker.type));
}
