// Checks of promotions, selection, roll-outs and what an agent believes: taken out one by one.

import type { Sabotage } from './sabotage.ts';

const pipeline = 'test/control/core/pipeline/pipeline.test.ts';
const invariants = 'test/control/core/invariants.test.ts';
const verification = 'test/control/core/automation/verification.test.ts';
const batchVerification = 'test/control/core/rollout/batch-verification.test.ts';
const watch = 'test/control/core/rollout/watch.test.ts';
const core = 'control/core/';
/** A part of the simulation, since all of it takes long. */
const rollout = { test: 'test/simulation/rollout.test.ts', name: 'seeds from (1|51|101|151|201|251)$' } as const;

/** In the order of section 6. */
export const rolloutSabotages: readonly Sabotage[] = [
  { id: 'G-1-one-source', invariant: 'G-1', file: `${core}pipeline/problems.ts`, find: 'return first === index ? [] :', replace: 'return true ? [] :', test: invariants },
  { id: 'G-1-no-circle', invariant: 'G-1', file: `${core}pipeline/problems.ts`, find: 'return open.length === 0 ? [] :', replace: 'return true ? [] :', test: invariants },
  { id: 'G-1-nothing-changes', invariant: 'G-1', file: `${core}answers/pipeline.ts`, find: 'if (first !== undefined) return others', replace: 'if (false) return others', test: invariants },
  { id: 'V-1-same-digest', invariant: 'V-1', file: `${core}answers/catalog.ts`, find: 'if (known !== undefined) return { ...accepted(), revision: { number: known.number, created: false } };', replace: '', test: invariants },
  { id: 'V-2-dense', invariant: 'V-2', file: `${core}answers/catalog.ts`, find: 'existing.revisions.length + 1;', replace: 'existing.revisions.length + 2;', ...rollout },
  { id: 'V-3-not-chosen', invariant: 'V-3', file: `${core}model/select.ts`, find: 'return state.vetoes.has(vetoKey(app, revision)) || ', replace: 'return ', test: invariants },
  { id: 'V-4-what-is-asked', invariant: 'V-4', file: `${core}decide.ts`, find: 'const to = membersOf(promotion)[app] ?? promotion.revision;', replace: 'const to = state.apps.get(app)?.revisions.at(-1)?.revision ?? promotion.revision;', ...rollout },
  { id: 'S-1-total-order', invariant: 'S-1', file: `${core}choice/selection.ts`, find: 'return last(a, b);', replace: 'return 0;', test: 'test/control/core/choice/selection.test.ts' },
  { id: 'S-2-never-lower', invariant: 'S-2', file: `${core}choice/candidates.ts`, find: 'return steps.every((step) => step >= 0) && steps.some((step) => step > 0);', replace: 'return true;', test: pipeline },
  { id: 'S-3-compatible', invariant: 'S-3', file: `${core}choice/selection.ts`, find: "if (key.by === 'matchDestination') return isCompatible", replace: "if (key.by === 'matchDestination') return true || isCompatible", test: 'test/control/core/choice/selection.test.ts' },
  { id: 'S-4-queued', invariant: 'S-4', file: `${core}choice/selection.ts`, find: "choice.mode === 'queued' ? byNumber(state, true)", replace: "choice.mode === 'queued' ? byNumber(state, false)", test: pipeline },
  { id: 'S-5-others-stay', invariant: 'S-5', file: `${core}evolve/sets.ts`, find: 'sets.desired = { ...sets.current, ...promotion?.members, [event.app]: event.to };', replace: 'sets.desired = { [event.app]: event.to };', test: 'test/control/core/several-apps.test.ts' },
  { id: 'P-1-said-twice', invariant: 'P-1', file: `${core}answers/promotion.ts`, find: 'if (state.promotions.has(promotion)) return accepted();', replace: '', test: invariants },
  { id: 'P-1-already-open', invariant: 'P-1', file: `${core}answers/promotion.ts`, find: "if (open !== undefined && !(cause === 'hotfix'", replace: "if (false && !(cause === 'hotfix'", test: invariants },
  { id: 'P-1-foreign-entry', invariant: 'P-1', file: 'control/run/projection.ts', find: 'const isOwn = own.length === entries.length && own.every((entry, index) => isSameEntry(entry, entries[index]));', replace: 'const isOwn = true;', test: 'test/control/run/projection.test.ts' },
  { id: 'P-1-started-twice', invariant: 'P-1', file: `${core}evolve/deployment.ts`, find: 'if (environment === undefined || draft.deployments.get(event.deployment) !== undefined) return;', replace: 'if (environment === undefined) return;', test: invariants },
  { id: 'P-2-terminal', invariant: 'P-2', file: `${core}model/transitions.ts`, find: 'return table[from].includes(to);', replace: 'return true;', test: 'test/control/core/model/transitions.test.ts' },
  { id: 'P-2-finished', invariant: 'P-2', file: `${core}evolve/deployment.ts`, find: 'if (deployment === undefined || isFinished(deployment.phase)) return undefined;', replace: 'if (deployment === undefined) return undefined;', test: invariants },
  { id: 'P-3-unsaid-role', invariant: 'P-3', file: 'control/run/reconcile.ts', find: 'const roles = rolesToSay(before, options.repository);', replace: 'const roles: readonly Event[] = [];', test: 'test/control/run/reconcile.test.ts' },
  { id: 'P-6-seq', invariant: 'P-6', file: `${core}rollout/step.ts`, find: 'seq: environment.orderSeq + 1 + index,', replace: 'seq: environment.orderSeq + 2 + index,', ...rollout },
  { id: 'P-6-chain', invariant: 'P-6', file: `${core}rollout/step.ts`, find: '...previous, ...checks', replace: '...checks', ...rollout },
  { id: 'R-1-min-healthy', invariant: 'R-1', file: `${core}batches/arithmetic.ts`, find: 'if (serves && spare <= 0) continue;', replace: '', ...rollout },
  { id: 'P-6-chain-together', invariant: 'P-6', file: `${core}effects.ts`, find: '{ ...unsigned, previous: before }', replace: 'unsigned', test: 'test/control/run/reconcile.test.ts' },
  { id: 'R-1-stale-order', invariant: 'R-1', file: 'control/run/reconcile.ts', find: 'await issue(effect.environment, options);', replace: "await projection.transact('system', () => ({ events: signed(effect, repository, options.clock.now()), result: undefined }));", test: 'test/control/run/reconcile.test.ts' },
  { id: 'R-2-max-parallel', invariant: 'R-2', file: `${core}batches/arithmetic.ts`, find: 'if (room <= 0) break;', replace: '', ...rollout },
  { id: 'R-3-baked', invariant: 'R-3', file: `${core}rollout/rollout.ts`, find: 'if (observed.now < until && batch.bakeSkipped !== true)', replace: 'if (false)', ...rollout },
  { id: 'R-3-verified', invariant: 'R-3', file: `${core}rollout/rollout.ts`, find: "if (verdict.kind === 'waits' || missing", replace: 'if (missing', test: batchVerification },
  { id: 'R-3-samples', invariant: 'R-3', file: `${core}rollout/rollout.ts`, find: '|| missing !== undefined) return nothing;', replace: ') return nothing;', test: watch },
  { id: 'R-4-threshold', invariant: 'R-4', file: `${core}rollout/rollout.ts`, find: 'if (failed.length >= limit) return stop(', replace: 'if (false) return stop(', ...rollout },
  { id: 'R-5-never-of-a-rollback', invariant: 'R-5', file: `${core}rollout/rollback.ts`, find: "if (!wanted || type === 'rollback' ||", replace: 'if (!wanted ||', test: invariants },
  { id: 'R-5-never-to-the-same', invariant: 'R-5', file: `${core}rollout/rollback.ts`, find: 'from === undefined || from === to)', replace: 'from === undefined)', ...rollout },
  { id: 'R-5-scope', invariant: 'R-5', file: `${core}rollout/rollback.ts`, find: ".filter((member) => deployment.targets.get(member)?.phase !== 'committed')", replace: '', test: 'test/control/core/pipeline/config.test.ts' },
  { id: 'R-12-gave-up', invariant: 'R-12', file: `${core}evolve/report.ts`, find: "isFailure(work.phase) && report.phase === 'cancelled'", replace: 'false', test: 'test/control/core/rollout/cordon.test.ts' },
  { id: 'R-12-cordoned', invariant: 'R-12', file: `${core}model/select.ts`, find: 'targets.filter(({ cordoned }) => cordoned === undefined) : targets', replace: 'targets : targets', test: 'test/control/core/rollout/cordon.test.ts' },
  { id: 'N-9-attempts', invariant: 'N-9', file: 'daemon/core/release/activate.ts', find: 'if (attempts.activate >= recoveryAttemptsMax) {', replace: 'if (false) {', test: 'test/daemon/install/slots.test.ts' },
  { id: 'R-6-hold-placed', invariant: 'R-6', file: `${core}rollout/step.ts`, find: 'const held = state.holds.get(edge.id);', replace: 'return []; const held = state.holds.get(edge.id);', test: 'test/control/core/automation/holds.test.ts' },
  { id: 'R-9-lost', invariant: 'R-9', file: `${core}rollout/step.ts`, find: 'if (observed.now >= lostAt) events.push(', replace: 'if (false) events.push(', test: invariants },
  { id: 'R-11-paused-time', invariant: 'R-11', file: `${core}evolve/pause.ts`, find: 'deployment.progressedAt = known.progressedAt + (at - Math.max(known.paused.since, known.progressedAt));', replace: '', test: 'test/control/core/rollout/by-hand.test.ts' },
  { id: 'R-12-current', invariant: 'R-12', file: `${core}rollout/catch-up.ts`, find: 'const record = wanted === undefined ? undefined : revisionOf(state, app, wanted);', replace: "const record = wanted === undefined ? undefined : revisionOf(state, app, slot?.desired ?? '');", test: invariants },
  { id: 'R-12-taken-back', invariant: 'R-12', file: `${core}evolve/adrift.ts`, find: 'return desired === stable ? (stable ?? current) : current;', replace: 'return current;', test: 'test/control/core/rollout/taken-back.test.ts' },
  { id: 'R-6-taken-back', invariant: 'R-6', file: `${core}evolve/sets.ts`, find: "if (event.type === 'rollback') sets.arrivals = takenBack(sets, sets.desired);", replace: '', test: 'test/control/core/rollout/taken-back.test.ts' },
  { id: 'N-5-reports', invariant: 'N-5', file: `${core}evolve/report.ts`, find: 'const deployment = report.reportNo <= target.reportNo ? undefined :', replace: 'const deployment = false ? undefined :', ...rollout },
  { id: 'N-7-labels', invariant: 'N-7', file: `${core}model/select.ts`, find: 'matches(member.labels, environment.selector)', replace: 'matches({ ...member.labels, ...member.attributes }, environment.selector)', test: invariants },
  { id: 'N-8-environment', invariant: 'N-8', file: 'daemon/trust/statements/order.ts', find: 'if (!audience.environments.includes(order.environment)) throw', replace: 'if (false) throw', test: 'test/contract/trust-statements.test.ts' },
  { id: 'N-8-member', invariant: 'N-8', file: 'daemon/trust/statements/order.ts', find: 'if (!order.targets.includes(audience.member)) throw', replace: 'if (false) throw', test: 'test/contract/trust-statements.test.ts' },
  { id: 'N-8-role', invariant: 'N-8', file: 'daemon/trust/statements/order.ts', find: 'if (entry === undefined || entry.revision !== order.revision) {', replace: 'if (entry === undefined) {', test: 'test/contract/trust-statements.test.ts' },
  { id: 'N-1-hash', invariant: 'N-1', file: 'daemon/content/verified.ts', find: "if (bytes !== undefined && hash('sha256', bytes) === id) return bytes;", replace: 'if (bytes !== undefined) return bytes;', test: 'test/daemon/content/pack/pack.test.ts' },
  { id: 'O-1-checksum', invariant: 'O-1', file: 'control/journal/records.ts', find: 'return bytes.length > checksumBytes && bytes.readUInt32BE() === crc32(bytes.subarray(checksumBytes));', replace: 'return true;', test: 'test/control/journal/journal.test.ts' },
  { id: 'R-5-stable-early', invariant: 'R-5', file: `${core}rollout/step.ts`, find: "const unverified = phase === 'succeeded' &&", replace: 'const unverified = false &&', test: 'test/simulation/pipeline.test.ts' },
  { id: 'R-12-while-waiting', invariant: 'R-12', file: `${core}decide.ts`, find: 'environment.continuing === undefined ? catchUp(state, environment, observed) : nothing', replace: 'nothing', test: invariants },
  { id: 'S-4-not-displaced', invariant: 'S-4', file: `${core}gates/fleet.ts`, find: "if (promotion === undefined || (kind !== 'auto' && kind !== 'manual')) return passes;", replace: 'return passes;', test: verification },
  { id: 'R-5-alarm', invariant: 'R-5', file: `${core}rollout/rollout.ts`, find: "if (alarms.kind === 'rollback') return stop(", replace: 'if (false) return stop(', test: watch },
  { id: 'R-7-batch-verdict', invariant: 'R-7', file: `${core}batches/batches.ts`, find: 'rule.onVerification.some((end) => cause === `verification-${end}`)', replace: 'true', test: batchVerification },
  { id: 'R-7-alarm-unanswered', invariant: 'R-7', file: `${core}rollout/watch.ts`, find: "tried && reading.verdict === 'failure' && actionOf", replace: 'tried && actionOf', test: watch },
  { id: 'R-7-verdict', invariant: 'R-7', file: `${core}automation/verification.ts`, find: 'if (!wanted.includes(phase) || ', replace: 'if (', test: verification },
  { id: 'P-5-asked-anew', invariant: 'P-5', file: `${core}automation/rejection.ts`, find: 'return over && ', replace: 'return false && ', test: verification },
  { id: 'R-10-fetched-early', invariant: 'R-10', file: `${core}rollout/prefetch.ts`, find: 'blockers.length > 0 && blockers.every(({ type }) => bearable.has(type));', replace: 'true;', test: 'test/control/core/rollout/prefetch.test.ts' },
];
