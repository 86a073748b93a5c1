// One build from its lease to its report: the commit is checked out, the command runs in it, and the directory that it left is pushed as
// a revision. The changes are recorded on the revision by the control plane, together with the end of the build.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildAssignment, WorkReport } from '../../../proto/api/work.ts';
import { checkOut } from '../../build/git.ts';
import { ControlError } from '../../errors.ts';
import { push } from '../push/push.ts';
import { inherited, outcomeOf, sentence, textOf, underLease, type WorkerContext } from './carry-out.ts';
import { runCommand } from './process.ts';

/** Does one build. Never throws for what the build or the network does. */
export async function carryOutBuild(context: WorkerContext, work: BuildAssignment): Promise<void> {
  await underLease(context, work, async (signal, onOutput) => {
    await mkdir(join(context.directory, 'builds'), { recursive: true });
    const directory = await mkdtemp(join(context.directory, 'builds', `${work.app}-${work.number}-`));
    try {
      return await built(context, work, directory, signal, onOutput);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

async function built({ api, world }: WorkerContext, work: BuildAssignment, directory: string, signal: AbortSignal, onOutput: (text: string) => void): Promise<WorkReport> {
  const { app, commit, command, timeoutMs, output, repo } = work;
  onOutput(`checking out ${commit} of ${repo.url}\n`);
  await checkOut({ ...repo, commit, directory }, { signal });
  const ended = await runCommand({ command, timeoutMs, directory, environment: { ...inherited(world.environment), ...about(work) }, onOutput, signal, clock: world.clock, kill: world.kill });
  const report = outcomeOf(ended, timeoutMs);
  if (report.outcome !== 'succeeded') return report;
  onOutput(`pushing ${output}\n`);
  try {
    const { revision, number } = await push(
      api,
      { directory: join(directory, output), app, onRead: () => undefined, onSend: () => undefined, onRetry: (reason) => onOutput(`${reason}; trying again\n`), onWarning: (text) => onOutput(`${text}\n`) },
      { clock: world.clock, signal },
    );
    onOutput(`${app}@${number ?? '?'}  ${revision}\n`);
    return { outcome: 'succeeded', revision };
  } catch (error) {
    // What cannot be published is the build's own; a proxy that does not answer is the machinery's.
    const passing = error instanceof ControlError && ['UNREACHABLE', 'TOO_MANY_REQUESTS', 'STORAGE_FAILED', 'TIMED_OUT', 'ABORTED'].includes(error.code);
    return { outcome: passing || signal.aborted ? 'errored' : 'failed', detail: sentence(`what was built could not be pushed: ${textOf(error)}`) };
  }
}

/** What the command is told about what it builds. */
function about({ app, build, number, attempt, commit, repo, changes }: BuildAssignment): Readonly<Record<string, string>> {
  return {
    STARLING_APP: app,
    STARLING_BUILD: build,
    STARLING_BUILD_NUMBER: String(number),
    STARLING_ATTEMPT: String(attempt),
    STARLING_COMMIT: commit,
    STARLING_BRANCH: repo.branch,
    // An environment is bounded by the system: the newest say enough.
    STARLING_CHANGES: JSON.stringify(changes.slice(-20)),
  };
}
