// Compares what the project claims (test/claims.json) with the tests that ran: pure functions over data.
// Reading the file and collecting results from Vitest is claims-reporter.ts; the shape is also tested in claims.test.ts.

/** Claim id → the tests that show it, each as `path > full test name`, the path from the repository's root. */
export type Claims = Readonly<Record<string, readonly string[]>>;

/** How one test ended, in Vitest's words. */
export type TestState = 'passed' | 'failed' | 'skipped' | 'pending';

/** Path of a test file → full test name → the states of every test of that name. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, readonly TestState[]>>;

/** What a run covered, to tell "did not exist" from "was not asked for". */
export type Coverage = {
  /** Whether every test file was asked for: no path filter, no project, no shard. */
  readonly full: boolean;
  /** Whether a test file exists, by its path from the repository's root. */
  readonly exists: (path: string) => boolean;
};

/** Separates suites and tests in a full name, as Vitest prints it. */
export const separator = ' > ';

const idPatterns: readonly RegExp[] = [
  /^INC-[1-6]$/,
  /^CAP-[1-7]$/,
  /^MSG-[1-9]\d?$/,
  /^UPG-[1-9]\d?$/,
  /^CDS-([1-9]|1\d|20)$/,
  /^inv:[A-Z]-[1-9]\d?$/,
  /^threat:[A-Z][1-9]\d?$/,
  /^fault:([1-9]|[1-4]\d|50)$/,
];

/** Whether `id` is one that the design documents define: a clause, an invariant, a threat or a fault. */
export function isClaimId(id: string): boolean {
  return idPatterns.some((pattern) => pattern.test(id));
}

/** What is wrong with the shape of a parsed claims file, one sentence each; empty when it is `Claims`. */
export function shapeProblems(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return ['expected an object of claim ids, each with a list of tests'];
  }
  return Object.entries(value).flatMap(([id, tests]: [string, unknown]) => [
    ...(isClaimId(id) ? [] : [`${id}: not an id of the design (INC-6, inv:P-1, threat:S9, fault:12 …)`]),
    ...testListProblems(id, tests),
  ]);
}

function testListProblems(id: string, tests: unknown): readonly string[] {
  if (!Array.isArray(tests) || tests.length === 0) return [`${id}: expected a list of at least one test`];
  const problems: string[] = [];
  tests.forEach((test: unknown, index) => {
    if (typeof test !== 'string' || !/^test\/\S+\.test\.ts > \S/.test(test)) {
      problems.push(`${id}: ${JSON.stringify(test)} is not of the form "test/path.test.ts > suite > test"`);
    } else if (tests.indexOf(test) !== index) {
      problems.push(`${id}: names ${JSON.stringify(test)} twice`);
    }
  });
  return problems;
}

/**
 * Every claim that this run leaves unshown, one sentence each: its test does not exist, or did not run.
 * A test of a file outside a partial run is not asked for, and so no problem. A failed test is Vitest's to report.
 */
export function unshownClaims(claims: Claims, results: Results, coverage: Coverage): readonly string[] {
  return Object.entries(claims).flatMap(([id, tests]) =>
    tests.flatMap((test) => {
      const why = whyUnshown(test, results, coverage);
      return why === undefined ? [] : [`${id}: "${test}" ${why}`];
    }),
  );
}

function whyUnshown(test: string, results: Results, coverage: Coverage): string | undefined {
  const at = test.indexOf(separator);
  const path = test.slice(0, at);
  const file = results.get(path);
  if (file === undefined) {
    if (!coverage.exists(path)) return `does not exist: there is no file ${path}`;
    return coverage.full ? 'did not run: Vitest did not pick up its file' : undefined;
  }
  const states = file.get(test.slice(at + separator.length));
  if (states === undefined) return `does not exist: ${path} has no test of that name`;
  // One name may stand for several tests; a claim is only shown when none of them was left out.
  if (states.some((state) => state === 'skipped' || state === 'pending')) return 'did not run: it was skipped';
  return undefined;
}
