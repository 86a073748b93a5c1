// A Vitest reporter for the end of a run: fails it when a claim of test/claims.json names a test that does not exist or
// did not run, or when CI skipped a test; then prints one plain line of totals. Only the end of a run knows what every
// file did, which is why this is not a test. What counts as unshown is decided in claims-check.ts.

import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { separator, shapeProblems, unshownClaims } from './claims-check.ts';
import type { Claims, Results, TestState } from './claims-check.ts';

const claimsPath = 'test/claims.json';

/** Sets a failing exit code when a claim is unshown or, with CI set, when anything was skipped. */
export class ClaimsReporter implements Reporter {
  #vitest: Vitest | undefined;

  /** Called by Vitest before the run. */
  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  /** Called by Vitest after the run, once the summary is printed. */
  async onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): Promise<void> {
    const vitest = this.#vitest;
    if (vitest === undefined) return;
    const results = collect(modules);
    const totals = count(modules);
    const narrowed = vitest.config.testNamePattern !== undefined;
    const problems: string[] = [];
    // With -t most tests are skipped on purpose, and an interrupted run fails anyway.
    if (!narrowed && reason !== 'interrupted') {
      problems.push(...(await claimProblems(vitest, results)));
      if (process.env['CI'] === 'true' || process.env['CI'] === '1') problems.push(...skippedTests(results));
    }
    if (problems.length > 0) {
      process.exitCode = 1;
      process.stdout.write(`\n${problems.map((problem) => ` FAIL  ${problem}`).join('\n')}\n`);
    }
    const failed = totals.failed + unhandled.length + problems.length;
    const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
    process.stdout.write(`\n${totals.passed} passed, ${failed} failed${skipped}\n`);
  }
}

function collect(modules: readonly TestModule[]): Results {
  const results = new Map<string, Map<string, TestState[]>>();
  for (const module of modules) {
    const tests = new Map<string, TestState[]>();
    for (const test of module.children.allTests()) {
      const states = tests.get(test.fullName) ?? [];
      states.push(test.result().state);
      tests.set(test.fullName, states);
    }
    results.set(module.relativeModuleId, tests);
  }
  return results;
}

/** Totals of tests; a file or suite that broke outside its tests counts as one failure, or its loss would not show. */
function count(modules: readonly TestModule[]): { passed: number; failed: number; skipped: number } {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    totals.failed += module.errors().length;
    for (const suite of module.children.allSuites()) totals.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      totals[state === 'pending' ? 'skipped' : state] += 1;
    }
  }
  return totals;
}

async function claimProblems(vitest: Vitest, results: Results): Promise<readonly string[]> {
  const root = vitest.config.root;
  let claims: unknown;
  try {
    claims = JSON.parse(readFileSync(join(root, claimsPath), 'utf8'));
  } catch (error) {
    return [`${claimsPath}: ${error instanceof Error ? error.message : String(error)}`];
  }
  const wrong = shapeProblems(claims);
  if (wrong.length > 0) return wrong.map((problem) => `${claimsPath}: ${problem}`);
  const asked = await vitest.globTestSpecifications();
  // Vitest knows which projects were asked for; a path filter, a shard or --changed shows in the files that ran.
  const full = (vitest.config.project ?? []).length === 0 && asked.every((spec) => results.has(relative(root, spec.moduleId)));
  const exists = (path: string): boolean => existsSync(join(root, path));
  return unshownClaims(claims as Claims, results, { full, exists }).map((problem) => `claim ${problem}`);
}

function skippedTests(results: Results): readonly string[] {
  const skipped: string[] = [];
  for (const [path, tests] of results) {
    for (const [name, states] of tests) {
      if (states.includes('skipped')) skipped.push(`${path}${separator}${name} was skipped: in CI every test runs`);
    }
  }
  return skipped;
}
