// How the tests run: which files, in which order, with what bounds, and what the run prints at its end.
// Tests under test/e2e start real processes and therefore run after all the others; two files at once, each with directories and ports of its own.

import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';
import { ClaimsReporter } from './test/support/claims-reporter.ts';

if (!process.version.startsWith('v24.')) {
  throw new Error(
    `the tests run on the pinned Node 24, this is ${process.version}: use \`npm test\`, or put node_modules/.bin first on PATH`,
  );
}

/** Files run in the order of their paths: Vitest's own order depends on a cache of earlier durations. Simulations go first: they take longest, and whoever began the last of them last would wait for it alone. */
class PathSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): string => `${moduleId.includes('/test/simulation/') ? 0 : 1} ${moduleId}`;
    return files.toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
  }
}

/** One unit test, on a machine that has much else to do; it ends one that hangs. One that needs longer says so itself, and why. */
const unitTimeoutMs = 30_000;
/** Files under test/e2e set their own timeout for each test; this is for those that forget. */
const e2eTimeoutMs = 60_000;

export default defineConfig({
  test: {
    pool: 'forks',
    // The machines that this is sized for have 2 cores; more forks only make the slow tests slower.
    maxWorkers: 2,
    reporters: ['default', new ClaimsReporter()],
    globalSetup: ['test/support/compile-cache.ts'],
    setupFiles: ['test/support/property-seed.ts'],
    sequence: { sequencer: PathSequencer, shuffle: false },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          testTimeout: unitTimeoutMs,
          hookTimeout: unitTimeoutMs,
          // Its own second is a bound on the machine, not on what is tested.
          expect: { poll: { timeout: unitTimeoutMs } },
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: e2eTimeoutMs,
          hookTimeout: e2eTimeoutMs,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
