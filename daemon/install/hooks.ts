// Runs the hooks of one lifecycle event by the contract of agent.md, section 1.2. What a failure then means for the
// installation is hookRules in daemon/core/release/activate.ts.

import { join } from 'node:path';
import type { Hook, LifecycleEvent } from '../../proto/deploy-spec.ts';
import { limits } from '../../proto/limits.ts';
import { hookRules, type JournalledOrder, retryLaterExitCodes } from '../core/release/activate.ts';
import type { Clock } from '../clock.ts';
import { DaemonError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Disk } from './machine/disk.ts';
import type { Layout } from './layout.ts';
import { installLimits } from './limits.ts';
import type { Processes, Program } from './machine/processes.ts';

/** What a hook can know of its installation, all of it through `STARLING_*` variables. */
export interface HookContext {
  readonly order: JournalledOrder;
  /** Directory of the release that is being installed, and of the one that it replaces. */
  readonly releaseDirectory: string;
  readonly previousDirectory?: string | undefined;
  readonly attempt: number;
  readonly rollback: boolean;
}

export type HookResult =
  | { readonly kind: 'passed' }
  /** `detail` names the hook and how it ended; `output` is the end of what it wrote. */
  | { readonly kind: 'failed' | 'later'; readonly detail: string; readonly output: string };

export interface HookTools {
  readonly at: Layout;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Logger;
  /** Begins the tags of all that belongs to this root. */
  readonly tag: string;
  /** `PATH` of the programs that are started. */
  readonly searchPath: string;
}

/** The variables of agent.md, section 1.2. */
export function hookEnvironment(event: LifecycleEvent, context: HookContext, shared: string): Readonly<Record<string, string>> {
  const { order } = context;
  return {
    STARLING_APP: order.app,
    STARLING_ENVIRONMENT: order.environment,
    STARLING_STAGE: order.stage,
    STARLING_DEPLOYMENT_ID: order.deployment,
    STARLING_SEQ: String(order.seq),
    STARLING_REVISION: order.revision,
    STARLING_RELEASE_DIR: context.releaseDirectory,
    STARLING_PREVIOUS_RELEASE_DIR: context.previousDirectory ?? '',
    STARLING_SHARED_DIR: shared,
    STARLING_LIFECYCLE_EVENT: event,
    STARLING_ATTEMPT: String(context.attempt),
    STARLING_ROLLBACK: context.rollback ? '1' : '0',
  };
}

/** The last bytes of a text, as a report may carry them, without half a character at the front. */
export function reportedOutput(output: string): string {
  const bytes = Buffer.from(output);
  if (bytes.length <= limits.reportOutputBytesMax) return output;
  let start = bytes.length - limits.reportOutputBytesMax;
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}

/**
 * Runs an event's hooks one after the other in the directory of the release that they come from; the first that does not
 * pass ends it.
 * @throws the signal's reason on an abort, after killing the hook.
 */
export async function runHooks(
  event: LifecycleEvent,
  hooks: readonly Hook[],
  directory: string,
  context: HookContext,
  tools: HookTools,
  { signal }: { readonly signal: AbortSignal },
): Promise<HookResult> {
  for (const [index, hook] of hooks.entries()) {
    const program: Program = {
      argv: hook.run,
      directory,
      environment: { PATH: tools.searchPath, LANG: 'C.UTF-8', ...hookEnvironment(event, context, tools.at.shared) },
      tag: `${tools.tag}:hook:${event}:${index}`,
    };
    const result = await runHook(event, hook, program, tools, signal);
    if (result.kind !== 'passed') return result;
  }
  return { kind: 'passed' };
}

async function runHook(event: LifecycleEvent, hook: Hook, program: Program, tools: HookTools, signal: AbortSignal): Promise<HookResult> {
  const timeoutMs = hook.timeoutSeconds === undefined ? installLimits.hookTimeoutMs : hook.timeoutSeconds * 1000;
  const deadline = tools.clock.monotonic() + timeoutMs;
  for (;;) {
    const ended = await tools.processes.run(program, { timeoutMs: Math.max(1, deadline - tools.clock.monotonic()), signal });
    const detail = `${event} hook ${JSON.stringify(hook.run)}: ${ended.how}`;
    await keepOutput(tools, `--- ${new Date(tools.clock.now()).toISOString()} ${detail}\n${ended.output}\n`);
    if (ended.exitCode === 0) return { kind: 'passed' };
    const output = reportedOutput(ended.output);
    if (ended.exitCode === undefined || !retryLaterExitCodes.includes(ended.exitCode)) return { kind: 'failed', detail, output };
    if (hookRules[event].onRetryLater !== 'again') return { kind: 'later', detail, output };
    if (tools.clock.monotonic() + installLimits.hookAgainMs >= deadline) {
      return { kind: 'failed', detail: `${detail}, until its ${timeoutMs / 1000} s were over`, output };
    }
    await tools.clock.wait(installLimits.hookAgainMs, { signal });
  }
}

/** Appends to the hooks' log of this root, which keeps its last two files. A full disk must not keep a rollback from happening. */
async function keepOutput({ disk, at, log }: HookTools, text: string): Promise<void> {
  const path = join(at.state, 'hooks.log');
  try {
    if ((await disk.size(path)) > installLimits.logBytesMax) await disk.rename(path, `${path}.1`);
    await disk.append(path, text);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    log.warn({ path, err: error }, 'cannot keep the output of a hook');
  }
}

/** Ends hooks that a daemon which was killed left running. */
export function endStrayHooks({ processes, tag }: Pick<HookTools, 'processes' | 'tag'>): readonly string[] {
  const strays = processes.tagged(`${tag}:hook:`);
  for (const stray of strays) processes.signal(stray, 'SIGKILL');
  return strays.map(({ tag: found }) => found);
}
