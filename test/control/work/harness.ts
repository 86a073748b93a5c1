// A whole control plane with a pipeline in which a set has arrived, and real workers as processes.

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLevelJournal } from '../../../control/journal/level.ts';
import type { Journal } from '../../../control/journal/journal.ts';
import type { WorkflowRunView } from '../../../proto/api/workflows.ts';
import type { Event } from '../../../proto/events.ts';
import type { StepSpec, WorkflowSpec } from '../../../proto/pipeline.ts';
import { config, edge, hourMs, pipeline, PipelineWorld, place } from '../../support/pipeline-world.ts';
import { compileCache } from '../../support/compile-cache.ts';
import { TestControl } from '../http/harness.ts';

const main = fileURLToPath(new URL('../../../control/main.ts', import.meta.url));

export function step(name: string, more: Partial<StepSpec> = {}): StepSpec {
  return { step: name, kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false, ...more };
}

/** Facts that lead to web@1 having arrived in alpha, whose workflow has these steps. */
export function arrived(steps: readonly StepSpec[], more: Partial<WorkflowSpec> = {}): readonly Event[] {
  const world = new PipelineWorld(['alpha', 'prod'], new Date().toISOString());
  world.apply(
    pipeline({
      stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'full' })] }, { stage: 'prod', environments: [place('prod')] }],
      workflows: [{ workflow: 'full', lock: 'stage', timeoutMs: 24 * hourMs, steps, ...more }],
    }),
  );
  world.push(1);
  while (world.state.runs.size === 0) if (!world.step()) throw new Error('no run begins');
  return world.journal.map(({ event }) => event);
}

/** Facts that lead to web@2 running on one of two targets of prod, and this step being asked about that batch. */
export function baking(verifying: StepSpec): readonly Event[] {
  const world = new PipelineWorld(['prod'], new Date().toISOString());
  world.push(1);
  world.apply(pipeline({ stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')], workflows: [{ workflow: 'canary', lock: 'stage', timeoutMs: hourMs, steps: [verifying] }] }));
  world.settle();
  world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, batches: [{ size: 1, verify: 'canary' }, '100%'] } });
  world.push(2);
  while (world.state.runs.size === 0) if (!world.step()) throw new Error('no run begins');
  return world.journal.map(({ event }) => event);
}

/** A control plane with facts of the test's own in its journal. */
export class WorkControl implements AsyncDisposable {
  readonly test: TestControl;
  readonly #workers: Worker[] = [];

  private constructor(test: TestControl) {
    this.test = test;
  }

  static async start(events: readonly Event[]): Promise<WorkControl> {
    let journal: Journal | undefined;
    const test = await TestControl.start({ openJournal: async (directory) => (journal = await openLevelJournal(directory)) });
    while ((await journal?.append({ actor: 'system', at: Date.now(), events }, journal.head()))?.kind === 'conflict');
    return new WorkControl(test);
  }

  async run(id?: string): Promise<WorkflowRunView> {
    const { body } = await this.test.get('/v1/workflow-runs');
    return body.items.find((one: WorkflowRunView) => id === undefined || one.run === id);
  }

  /** Waits until the newest run is as the test wants it. */
  async until(wanted: (run: WorkflowRunView) => boolean): Promise<WorkflowRunView> {
    return await eventually(async () => {
      const run = await this.run();
      return run !== undefined && wanted(run) ? run : undefined;
    }, async () => `${JSON.stringify(await this.run(), undefined, 1)}\n${this.#workers.map((one) => one.said).join('\n')}`);
  }

  async worker(args: readonly string[] = []): Promise<Worker> {
    const directory = await mkdtemp(join(this.test.dataDir, 'worker-'));
    const worker = new Worker(directory, this.test.url, this.test.admin, args);
    this.#workers.push(worker);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(async (one) => await one.end('SIGKILL')));
    await this.test[Symbol.asyncDispose]();
  }
}

/** `starling worker` as a process. */
export class Worker {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  said = '';

  constructor(directory: string, url: string, token: string, args: readonly string[]) {
    this.directory = directory;
    const { PATH = '' } = process.env;
    const environment = { ...compileCache(), PATH, HOME: directory, STARLING_URL: url, STARLING_TOKEN: token, FROM_OUTSIDE: 'yes' };
    this.child = spawn(process.execPath, [main, 'worker', '--directory', directory, '--name', 'w1', ...args], { cwd: directory, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return await this.ended;
  }
}

/** Before the tests that wait give up themselves, so that it is said what did not come. */
const patienceMs = 50_000;

/** Looks again and again until there is something. Bounded only to end a test that has failed. */
export async function eventually<Value>(look: () => Promise<Value | undefined>, why: () => Promise<string>): Promise<Value> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > giveUpAt) throw new Error(`it did not come to that: ${await why()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

