// Programs of the machine that tests need beside Node. Whoever lacks one is told so in one line; in CI it must be there.

import { spawnSync } from 'node:child_process';

/** Whether there is such a program; `debian` is the package that has it. @throws {Error} in CI when there is none. */
export function hasProgram(name: string, debian: string): boolean {
  if (spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined) return true;
  const message = `${name} is missing: the tests that need it are skipped; install the package ${debian}`;
  if (process.env['CI'] !== undefined) throw new Error(message);
  process.stderr.write(`${message}\n`);
  return false;
}
