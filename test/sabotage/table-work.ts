// Sabotages of what is carried out: steps of workflows, leases of workers, and builds.

import type { Sabotage } from './sabotage.ts';

const steps = 'control/core/answers/workflow.ts';
const stepsTest = 'test/control/core/work/workflow.test.ts';
const builds = 'control/core/answers/build.ts';
const buildsTest = 'test/control/core/answers/builds.test.ts';

export const workSabotages: readonly Sabotage[] = [
  { id: 'L-4-step-of-another', invariant: 'L-4', file: steps, find: 'const mine = step.attempt === attempt && (lease === undefined || step.lease === lease);', replace: 'const mine = true;', test: stepsTest },
  { id: 'B-1-step-taken-twice', invariant: 'B-1', file: steps, find: "if (step.phase !== 'pending') return refused", replace: 'if (false) return refused', test: stepsTest },
  { id: 'B-1-step-before-its-needs', invariant: 'B-1', file: steps, find: 'if (!isReady(run, spec)) return refused', replace: 'if (false) return refused', test: stepsTest },
  { id: 'B-2-step-said-twice', invariant: 'B-2', file: steps, find: 'if (step.phase === end) return accepted();', replace: '', test: stepsTest },
  { id: 'L-6-step-machinery', invariant: 'L-6', file: steps, find: 'return errors + 1 < machineryTriesMax;', replace: 'return true;', test: stepsTest },
  { id: 'L-6-step-timeout', invariant: 'L-6', file: 'control/core/work/next-steps.ts', find: 'if (now >= deadline) return only(', replace: 'if (false) return only(', test: stepsTest },
  { id: 'L-4-build-lease', invariant: 'L-4', file: builds, find: ' || build.lease !== lease)', replace: ')', test: buildsTest },
  { id: 'L-4-build-attempt', invariant: 'L-4', file: builds, find: ' || build.attempt !== attempt', replace: '', test: buildsTest },
  { id: 'B-1-build-taken-twice', invariant: 'B-1', file: builds, find: "if (build.phase !== 'open' && build.phase !== 'pending') return refused", replace: 'if (false) return refused', test: buildsTest },
  { id: 'B-1-two-builds-at-once', invariant: 'B-1', file: builds, find: 'if (other !== undefined) return refused', replace: 'if (false) return refused', test: buildsTest },
  { id: 'B-1-build-ends-twice', invariant: 'B-1', file: builds, find: 'if (isBuilt(build)) return refused', replace: 'if (false) return refused', test: buildsTest },
  { id: 'B-2-commit-noticed-twice', invariant: 'B-2', file: builds, find: 'if (auto.newest === commit) return accepted();', replace: '', test: buildsTest },
  { id: 'B-2-noticed-by-two', invariant: 'B-2', file: builds, find: 'if (auto.newest !== since) return refused', replace: 'if (false) return refused', test: buildsTest },
  { id: 'B-3-change-joins-what-began', invariant: 'B-3', file: builds, find: "one.phase === 'open' && one.trigger", replace: 'one.trigger', test: buildsTest },
  { id: 'B-3-changes-of-a-failed-build', invariant: 'B-3', file: builds, find: "return last?.phase === 'failed' ? last.changes : [];", replace: 'return [];', test: buildsTest },
  { id: 'L-6-build-machinery', invariant: 'L-6', file: builds, find: ' && attempt < buildAttemptsMax', replace: '', test: buildsTest },
  { id: 'T-7-builds-switched-off', invariant: 'T-7', file: builds, find: 'if (!auto.settings.enabled) return refused', replace: 'if (false) return refused', test: buildsTest },
];
