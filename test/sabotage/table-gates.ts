// Checks of the gates and of time windows: what holds a promotion back, taken out one by one.

import type { Sabotage } from './sabotage.ts';

const pipeline = 'test/control/core/pipeline/pipeline.test.ts';
const approvals = 'test/control/core/automation/approvals.test.ts';
const windows = 'test/control/core/windows/evaluate.test.ts';
/** Random questions against what was written from the text. */
const oracle = 'test/control/core/gates/oracle.test.ts';
const core = 'control/core/';

/** In the order of section 6. */
export const gateSabotages: readonly Sabotage[] = [
  { id: 'T-7-pipeline', invariant: 'T-7', file: `${core}gates/order.ts`, find: 'if (place === undefined || place.pipeline.enabled) return passes;', replace: 'return passes;', test: oracle },
  { id: 'T-7-edge', invariant: 'T-7', file: `${core}gates/order.ts`, find: 'if (edge === undefined || off === undefined) return passes;', replace: 'return passes;', test: pipeline },
  { id: 'T-7-automation', invariant: 'T-7', file: `${core}gates/order.ts`, find: 'const off = keys.flatMap((key) => state.switches.get(key) ?? []);', replace: 'const off = [];', test: pipeline },
  { id: 'V-3-veto', invariant: 'V-3', file: `${core}gates/order.ts`, find: 'if (veto === undefined) return [];', replace: 'return [];', test: pipeline },
  { id: 'gate-pin', invariant: 'gate', file: `${core}gates/order.ts`, find: 'setIdOf(pin.members) === setIdOf(members)) return passes;', replace: 'true) return passes;', test: oracle },
  { id: 'R-6-hold', invariant: 'R-6', file: `${core}gates/order.ts`, find: 'if (edge === undefined || hold === undefined || !isHeldBy(state, hold, members)) return passes;', replace: 'return passes;', test: pipeline },
  { id: 'P-1-same-set', invariant: 'P-1', file: `${core}gates/order.ts`, find: 'if (sets?.desired === undefined || setIdOf(sets.desired) !== setIdOf(members)) return passes;', replace: 'return passes;', test: 'test/control/core/invariants.test.ts' },
  { id: 'S-2-downgrade', invariant: 'S-2', file: `${core}gates/order.ts`, find: 'to >= from) return [];', replace: 'to >= 0) return [];', test: 'test/control/core/invariants.test.ts' },
  { id: 'T-1-window', invariant: 'T-1', file: `${core}gates/time.ts`, find: 'if (plain.open) return { ...passes, ...next };', replace: 'return { ...passes, ...next };', test: pipeline },
  { id: 'T-1-exemption-recorded', invariant: 'T-1', file: `${core}gates/time.ts`, find: "exemptions: plain.holds.map(({ window }) => ({ gate: 'window', why: exemptWhy(kind), ref: window.window }))", replace: 'exemptions: []', test: pipeline },
  { id: 'T-1-rollback-held', invariant: 'T-1', file: `${core}gates/time.ts`, find: 'place?.spec.windowsHoldRollback !== true', replace: 'true', test: pipeline },
  { id: 'T-1-freeze', invariant: 'T-1', file: `${core}gates/time.ts`, find: 'blockers: active.filter(({ freeze }) => !lifted.has(freeze))', replace: 'blockers: [].filter(() => false)', test: pipeline },
  { id: 'gate-soak', invariant: 'gate', file: `${core}gates/time.ts`, find: 'if (until <= observed.now) return passes;', replace: 'return passes;', test: oracle },
  { id: 'gate-after', invariant: 'gate', file: `${core}gates/time.ts`, find: '!hasSucceeded(state, environment, carried));', replace: 'false);', test: oracle },
  { id: 'T-3-towards-closed', invariant: 'T-3', file: `${core}windows/occurrences.ts`, find: "kind === 'allow' ? ['later', 'earlier'] : ['earlier', 'later']", replace: "kind !== 'allow' ? ['later', 'earlier'] : ['earlier', 'later']", test: windows },
  { id: 'T-3-overnight', invariant: 'T-3', file: `${core}windows/occurrences.ts`, find: '(end <= start ? end + 1440 : end)', replace: 'end', test: 'test/control/core/windows/oracle.test.ts' },
  { id: 'T-3-deny-wins', invariant: 'T-3', file: `${core}windows/evaluate.ts`, find: "if (window.kind === 'deny' && active) return false;", replace: '', test: 'test/control/core/windows/oracle.test.ts' },
  { id: 'T-4-half-open', invariant: 'T-4', file: `${core}windows/evaluate.ts`, find: 'at < one.to && !this.isUsedUp', replace: 'at <= one.to && !this.isUsedUp', test: windows },
  { id: 'T-5-pause', invariant: 'T-5', file: `${core}rollout/rollout.ts`, find: 'const held = stepHeld(state, deployment, batch, targets, observed);', replace: 'const held = undefined;', test: pipeline },
  { id: 'T-6-used-up', invariant: 'T-6', file: `${core}windows/evaluate.ts`, find: 'start < to).length >= most;', replace: 'start < to).length > most;', test: windows },
  { id: 'T-6-counted', invariant: 'T-6', file: `${core}evolve/sets.ts`, find: 'sets.starts = [...sets.starts, at].slice(-startsMax);', replace: 'sets.starts = sets.starts;', test: pipeline },
  { id: 'L-1-active', invariant: 'L-1', file: `${core}gates/fleet.ts`, find: 'if (active === undefined) return notBeingVerified(context);', replace: 'return passes;', test: 'test/control/core/invariants.test.ts' },
  { id: 'L-2-lock-gate', invariant: 'L-2', file: `${core}gates/table.ts`, find: "{ gate: 'lock', kinds: all,", replace: "{ gate: 'lock', kinds: [],", test: pipeline },
  { id: 'L-2-run-beside-deployment', invariant: 'L-2', file: `${core}answers/workflow.ts`, find: 'if (busy !== undefined) return refused(', replace: 'if (false) return refused(', test: 'test/simulation/pipeline.test.ts', name: 'seeds from (1|21|41)$' },
  { id: 'L-3-run-beside-run', invariant: 'L-3', file: `${core}answers/workflow.ts`, find: "find((one) => one.phase === 'running' && held.includes(one.environment))", replace: 'find(() => false)', test: 'test/control/core/invariants.test.ts' },
  { id: 'L-4-expired-lock', invariant: 'L-4', file: `${core}gates/lock.ts`, find: '(lock.expiresAt === undefined || lock.expiresAt > now)', replace: 'true', test: pipeline },
  { id: 'L-4-late-release', invariant: 'L-4', file: `${core}evolve/pipeline.ts`, find: 'if (event.broken || draft.locks.get(event.lock)?.holder === event.holder) draft', replace: 'draft', test: 'test/control/core/invariants.test.ts' },
  { id: 'L-4-fenced-run', invariant: 'L-4', file: `${core}answers/workflow.ts`, find: "if (run.finishedAt !== undefined || (run.phase === 'running' && run.deadline <= now)) return refused", replace: 'if (false) return refused', test: pipeline },
  { id: 'L-5-project', invariant: 'L-5', file: `${core}gates/place.ts`, find: "{ kind: 'project', id: project },", replace: '', test: oracle },
  { id: 'L-5-rollback', invariant: 'L-5', file: `${core}gates/lock.ts`, find: "kind !== 'rollback' || lock.includeRollback", replace: "kind !== 'rollback'", test: pipeline },
  { id: 'L-6-timeout', invariant: 'L-6', file: `${core}automation/workflows.ts`, find: "if (run.phase === 'running' && run.deadline <= now) return", replace: 'if (false) return', test: pipeline },
  { id: 'A-1-identical-set', invariant: 'A-1', file: `${core}gates/approval.ts`, find: 'return canonicalText(a) === canonicalText(b);', replace: 'return a.destination === b.destination && a.purpose === b.purpose;', test: approvals },
  { id: 'A-2-changed-text', invariant: 'A-2', file: `${core}gates/approval.ts`, find: 'return canonicalText(a) === canonicalText(b);', replace: "return canonicalText({ ...a, policy: '' }) === canonicalText({ ...b, policy: '' });", test: approvals },
  { id: 'A-2-changed-workflow', invariant: 'A-2', file: `${core}gates/approval.ts`, find: 'run.environment === environment && run.definition === definition &&', replace: 'run.environment === environment &&', test: 'test/control/core/invariants.test.ts' },
  { id: 'A-3-excluded', invariant: 'A-3', file: `${core}gates/votes.ts`, find: "vote.decision === 'approve' && vote.revokedAt === undefined && !isAmong(excluded, vote.by)", replace: "vote.decision === 'approve' && vote.revokedAt === undefined", test: approvals },
  { id: 'A-3-one-place-each', invariant: 'A-3', file: `${core}gates/votes.ts`, find: 'if (other === undefined || seat(', replace: 'if (true || seat(', test: approvals },
  { id: 'A-3-late-author', invariant: 'A-3', file: `${core}gates/approval.ts`, find: 'const involved = [...authorsOf({ state, members }), ...', replace: 'const involved = [...', test: approvals },
  { id: 'A-4-revoked', invariant: 'A-4', file: `${core}gates/votes.ts`, find: "vote.decision === 'approve' && vote.revokedAt === undefined && !isAmong(excluded, vote.by)", replace: "vote.decision === 'approve' && !isAmong(excluded, vote.by)", test: approvals },
  { id: 'A-4-rejected', invariant: 'A-4', file: `${core}gates/approval.ts`, find: "if (request !== undefined && request.status === 'approved' && isSatisfied(request)) return passes;", replace: 'if (request !== undefined) return passes;', test: approvals },
  { id: 'A-4-expired', invariant: 'A-4', file: `${core}automation/approvals.ts`, find: "if (request.expiresAt !== undefined && request.expiresAt <= now) return { status: 'expired'", replace: "if (false) return { status: 'expired'", test: approvals },
  { id: 'A-5-destination', invariant: 'A-5', file: `${core}gates/approval.ts`, find: 'return canonicalText(a) === canonicalText(b);', replace: "return canonicalText({ ...a, destination: '' }) === canonicalText({ ...b, destination: '' });", test: approvals },
  { id: 'A-6-newest-run', invariant: 'A-6', file: `${core}gates/approval.ts`, find: 'return [...state.runs.values()].findLast(', replace: 'return [...state.runs.values()].find(', test: pipeline },
  { id: 'A-8-worth-asking', invariant: 'A-8', file: `${core}gates/table.ts`, find: 'return blockers.every((blocker) => bearable.has(blocker.type));', replace: 'return true;', test: approvals },
  { id: 'A-9-by-hand', invariant: 'A-9', file: `${core}gates/approval.ts`, find: '=== undefined ? byHand : undefined;', replace: '=== undefined ? undefined : undefined;', test: pipeline },
  { id: 'C-1-review', invariant: 'C-1', file: 'control/core/answers/approval.ts', find: 'if (isAmong(involved, by)) return refused', replace: 'if (false) return refused', test: 'test/control/core/gates/break-glass.test.ts' },
  { id: 'C-1-enforced', invariant: 'C-1', file: `${core}gates/compliance.ts`, find: 'else blockers.push(blockerOf(context, policy, unmet));', replace: '', test: approvals },
  { id: 'C-1-hotfix', invariant: 'C-1', file: `${core}gates/table.ts`, find: "{ gate: 'compliance', kinds: forwardOrLate.filter((kind) => kind !== 'catch-up'),", replace: "{ gate: 'compliance', kinds: planned,", test: approvals },
  { id: 'C-1-glass-expires', invariant: 'C-1', file: `${core}gates/override.ts`, find: 'return until <= observed.now ? [] : [{ request, until }];', replace: 'return [{ request, until }];', test: approvals },
  { id: 'C-1-separation', invariant: 'C-1', file: `${core}gates/compliance.ts`, find: 'filter((vote) => isAmong(involved, vote.by))', replace: 'filter(() => false)', test: oracle },
  { id: 'P-4-override-ends', invariant: 'P-4', file: `${core}gates/gates.ts`, find: 'let nextCheckAt = liftedUntil(context);', replace: 'let nextCheckAt = Infinity;', test: oracle },
  { id: 'C-3-observe', invariant: 'C-3', file: `${core}gates/compliance.ts`, find: "if (policy.mode === 'observe') exemptions", replace: 'if (false) exemptions', test: approvals },
  { id: 'U-1-requirement', invariant: 'U-1', file: `${core}gates/fleet.ts`, find: 'if (lacking.length === 0) return [];', replace: 'return [];', test: pipeline },
  { id: 'gate-coverage', invariant: 'gate', file: `${core}swarm/coverage.ts`, find: 'seen.coverage >= wanted.coverage', replace: 'seen.coverage >= 0', test: oracle },
  { id: 'O-2-override-reason', invariant: 'O-2', file: `${core}answers/approval.ts`, find: "if (reason.trim() === '') return refused('invalid', 'an override needs a reason');", replace: '', test: 'test/control/core/invariants.test.ts' },
  { id: 'O-2-lock-broken', invariant: 'O-2', file: `${core}answers/restraints.ts`, find: "if (breakReason !== undefined && breakReason.trim() !== '') return", replace: 'if (breakReason !== undefined) return', test: 'test/control/core/invariants.test.ts' },
  { id: 'O-2-freeze-reason', invariant: 'O-2', file: `${core}answers/restraints.ts`, find: "if (reason.trim() === '') return refused('invalid', `a ${what}", replace: "if (false) return refused('invalid', `a ${what}", test: pipeline },
];
