// One piece of work from its lease to its report: the command runs in a directory of its own, its log is sent, the lease is prolonged,
// and how it ended is said once. When the lease is lost the work is dropped, since somebody else may have it.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepAssignment, WorkReport } from '../../../proto/api/work.ts';
import type { TestFigures } from '../../../proto/events-pipeline.ts';
import { ControlError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { World } from '../world.ts';
import { failedText, figuresIn } from './figures.ts';
import { createLogSender } from './log-sender.ts';
import { runCommand, type Ended } from './process.ts';

export interface WorkerContext {
  /** Not ended by an interrupt: how work ended is said after it. */
  readonly api: Api;
  readonly world: Pick<World, 'clock' | 'kill' | 'environment' | 'signal'>;
  /** Where directories for work are made. */
  readonly directory: string;
  /** For the person who runs the worker. */
  readonly say: (text: string) => void;
}

/** What a worker knows of the control plane is nothing for what it runs. */
const withheld = new Set(['STARLING_TOKEN', 'STARLING_TOKEN_FILE', 'STARLING_URL', 'STARLING_CONTEXT']);

/** Does one step. Never throws for what the work or the network does. */
export async function carryOutStep(context: WorkerContext, work: StepAssignment): Promise<void> {
  const { world, say } = context;
  await underLease(context, work, async (signal, onOutput) => {
    await mkdir(join(context.directory, 'steps'), { recursive: true });
    const directory = await mkdtemp(join(context.directory, 'steps', `${work.step}-`));
    try {
      const { command, timeoutMs } = work;
      const ended = await runCommand({ command, timeoutMs, directory, environment: { ...inherited(world.environment), ...about(work) }, onOutput, signal, clock: world.clock, kill: world.kill });
      const tests = await figuresIn(directory, say);
      return withTests(outcomeOf(ended, timeoutMs), tests);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

/**
 * Does work as long as its lease holds, and reports. `work` is given a signal that is aborted when it is to stop, and where its output
 * goes; what it throws is the machinery's failure.
 */
export async function underLease(context: WorkerContext, { lease, leaseMs, logBytesMax }: Pick<StepAssignment, 'lease' | 'leaseMs' | 'logBytesMax'>, work: (signal: AbortSignal, onOutput: (text: string) => void) => Promise<WorkReport>): Promise<void> {
  const { api, world: { clock, signal }, say } = context;
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = renewed(context, lease, leaseMs, lost, done.signal);
  const sender = createLogSender({
    send: async (offset, text) => await api.call('writeWorkLog', { params: { lease }, body: { offset, text } }),
    bytesMax: logBytesMax, clock, signal,
    onFailure: (error) => say(`the log could not be sent on: ${textOf(error)}`),
  });
  try {
    let report: WorkReport;
    try {
      report = await work(AbortSignal.any([signal, lost.signal]), (text) => sender.write(text));
    } catch (error) {
      report = { outcome: 'errored', detail: sentence(`the worker could not do it: ${textOf(error)}`) };
    }
    await sender.end();
    if (lost.signal.aborted) return say('the lease was lost; the work was dropped');
    const tail = sender.tail();
    const detail = report.outcome === 'succeeded' || tail === '' ? report.detail : sentence([report.detail, tail].join(': '));
    await reported(context, lease, { ...report, ...(detail === undefined ? {} : { detail }) }, lost.signal);
    say(`ended: ${report.outcome}`);
  } finally {
    done.abort();
    await renewing;
  }
}

/** Says so until it is heard, or the lease is lost. */
async function reported({ api, world: { clock }, say }: WorkerContext, lease: string, report: WorkReport, lost: AbortSignal): Promise<void> {
  while (!lost.aborted) {
    try {
      await api.call('reportWork', { params: { lease }, body: report });
      return;
    } catch (error) {
      if (!isPassing(error)) return say(`how it ended was not taken: ${textOf(error)}`);
    }
    await clock.wait(1_000, { signal: lost }).catch(() => undefined);
  }
}

/** Prolongs the lease at a third of its length; aborts `lost` when it is refused, or when nobody has answered for the whole of it. */
async function renewed({ api, world: { clock } }: WorkerContext, lease: string, leaseMs: number, lost: AbortController, done: AbortSignal): Promise<void> {
  let heardAt = clock.monotonic();
  while (!done.aborted && !lost.signal.aborted) {
    await clock.wait(leaseMs / 3, { signal: done }).catch(() => undefined);
    if (done.aborted) return;
    try {
      await api.call('renewWork', { params: { lease } });
      heardAt = clock.monotonic();
    } catch (error) {
      if (!isPassing(error) || clock.monotonic() - heardAt >= leaseMs) lost.abort();
    }
  }
}

/** Whether the same request may succeed in a while. */
function isPassing(error: unknown): boolean {
  return error instanceof ControlError && ['UNREACHABLE', 'TOO_MANY_REQUESTS', 'STORAGE_FAILED', 'TIMED_OUT', 'ABORTED', 'FAILED'].includes(error.code);
}

/** What an ended command means for what was tested. */
export function outcomeOf(ended: Ended, timeoutMs: number): WorkReport {
  switch (ended.kind) {
    case 'exited':
      return ended.code === 0 ? { outcome: 'succeeded' } : { outcome: 'failed', detail: `exit code ${ended.code}` };
    case 'killed':
      return { outcome: 'errored', detail: `ended by ${ended.by}` };
    case 'timed-out':
      return { outcome: 'timed-out', detail: `it took longer than ${Math.round(timeoutMs / 1000)} s` };
    case 'stopped':
      return { outcome: 'errored', detail: 'the worker was stopped' };
    case 'not-started':
      return { outcome: 'errored', detail: `the command could not be started: ${ended.why}` };
    default:
      return ended satisfies never;
  }
}

/** What failed is said where a person looks first. How the command ended decides. */
function withTests(report: WorkReport, tests: TestFigures | undefined): WorkReport {
  if (tests === undefined) return report;
  const failed = failedText(tests);
  const detail = [...(report.detail === undefined ? [] : [report.detail]), ...(failed === '' ? [] : [failed])].join('; ');
  return { ...report, ...(detail === '' ? {} : { detail: sentence(detail) }), tests };
}

/** What the command is told about what it tests. */
function about({ run, step, attempt, environment, set, batch }: StepAssignment): Readonly<Record<string, string>> {
  const revisions = set.map(({ app, number }) => [`STARLING_REVISION_${app.toUpperCase().replaceAll('-', '_')}`, String(number)]);
  return {
    STARLING_ENVIRONMENT: environment,
    STARLING_RUN: run,
    STARLING_STEP: step,
    STARLING_ATTEMPT: String(attempt),
    STARLING_SET: JSON.stringify(Object.fromEntries(set.map(({ app, ...revision }) => [app, revision]))),
    ...(batch === undefined ? {} : { STARLING_DEPLOYMENT: batch.deployment, STARLING_BATCH: String(batch.index + 1) }),
    ...Object.fromEntries(revisions),
  };
}

/** The worker's own environment, but for what it knows of the control plane. */
export function inherited(environment: World['environment']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value === undefined || withheld.has(name) ? [] : [[name, value]])));
}

/** As much of a text as a report holds. */
export function sentence(text: string): string {
  return text.slice(0, 1_024);
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
