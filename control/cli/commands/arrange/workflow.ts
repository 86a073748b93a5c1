// `starling workflow`: runs of approval workflows, how their steps go, what they wrote, and what a person decides about them.

import type { Command } from 'commander';
import type { StepRunView, WorkflowRunView } from '../../../../proto/api/workflows.ts';
import { ControlError } from '../../../errors.ts';
import { listAll, type Api } from '../../api.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible, visibleLines } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import type { Column } from '../../text/table.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Between two looks at a run or a log that goes on. */
const pollMs = 1_000;

interface ListFlags {
  readonly environment?: string;
  readonly phase?: WorkflowRunView['phase'];
}

export function registerWorkflow(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  const workflow = program.command('workflow').description('approval workflows: runs, their steps and what these wrote');
  const act = (name: string, description: string, what: string) => workflow.command(name).description(description).argument(what);
  act('run', 'run the workflow of an environment for what it runs now', '<environment>')
    .option('--watch', 'show how it goes until it is over')
    .action(async (environment: string, flags: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('createWorkflowRun', { params: {}, body: { environment } }), flags.watch === true, setExit);
    });
  workflow
    .command('list')
    .description('list runs, newest first')
    .option('-e, --environment <name>', 'of this environment')
    .option('--phase <phase>', 'in this phase, such as running or failed')
    .action(async (flags: ListFlags, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const runs = await listAll(async (query) => await client.call('listWorkflowRuns', { params: {}, query: { ...query, ...flags } }));
      terminal.list(runs, { columns: runColumns(world), name: ({ run }) => run, empty: 'no run yet: a workflow runs for each new set of its environment' });
    });
  act('get', 'one run with its steps', '<run>')
    .option('--watch', 'show how it goes until it is over')
    .action(async (run: string, flags: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('getWorkflowRun', { params: { run } }), flags.watch === true, setExit);
    });
  act('logs', 'what the steps of a run wrote', '<run>')
    .argument('[step]', 'only this one')
    .option('--attempt <number>', 'an earlier attempt than the newest')
    .option('-f, --follow', 'go on until it is over')
    .action(async (run: string, step: string | undefined, flags: { readonly attempt?: string; readonly follow?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const { steps } = await api.call('getWorkflowRun', { params: { run } });
      const wanted = step === undefined ? steps.filter(({ attempt }) => attempt > 0) : [{ step }];
      for (const { step: name } of wanted) {
        if (wanted.length > 1) context.terminal.say(`— ${visible(name)}`);
        await log(context, async (offset) => await api.call('getStepLog', { params: { run, step: name }, query: { offset, ...attemptOf(flags.attempt) } }), flags.follow === true);
      }
    });
  act('abort', 'abort a run', '<run>')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (run: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(world, command);
      const aborted = await (await context.api()).call('abortWorkflowRun', { params: { run }, body: { reason } });
      context.terminal.object(aborted, { text: describe, name: ({ run: id }) => id });
    });
  act('rerun', 'run a workflow again for the same set; when it fails, what an earlier run approved is revoked', '<run>')
    .option('--watch', 'show how it goes until it is over')
    .action(async (run: string, flags: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('rerunWorkflow', { params: { run } }), flags.watch === true, setExit);
    });
  act('decide', 'say what an inconclusive step was', '<run>')
    .argument('<step>')
    .argument('<verdict>', 'succeeded or failed')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (run: string, step: string, verdict: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(world, command);
      if (verdict !== 'succeeded' && verdict !== 'failed') throw new ControlError('CONFIG_INVALID', `'${verdict}' is not a verdict: say succeeded or failed`);
      const decided = await (await context.api()).call('decideStep', { params: { run, step }, body: { verdict, reason } });
      context.terminal.object(decided, { text: describe, name: ({ run: id }) => id });
    });
}

function attemptOf(text: string | undefined): { readonly attempt?: number } {
  if (text === undefined) return {};
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new ControlError('CONFIG_INVALID', `--attempt: '${text}' is not a number from 1`);
  return { attempt: Number(text) };
}

/** Prints what there is, and what comes. */
export async function log({ terminal, world }: Context, page: (offset: number) => Promise<{ readonly text: string; readonly next: number; readonly complete: boolean }>, follow: boolean): Promise<void> {
  for (let offset = 0; ; ) {
    const { text, next, complete } = await page(offset);
    if (text !== '') terminal.stdout.write(visibleLines(text));
    const still = next === offset;
    offset = next;
    if (complete || (still && !follow)) return;
    if (still) await world.clock.wait(pollMs, { signal: world.signal });
  }
}

/** Prints a run at once, or when it is over or waits for a person; then the exit code says whether it was a success. */
async function shown({ terminal, world }: Context, api: Api, first: WorkflowRunView, watch: boolean, setExit: (code: ExitCode) => void): Promise<void> {
  let run = first;
  let said = '';
  while (watch && run.phase === 'running') {
    const line = run.steps.map(({ step, phase }) => `${step} ${phase}`).join(', ');
    if (line !== said) terminal.say(visible(line));
    said = line;
    await world.clock.wait(pollMs, { signal: world.signal });
    run = await api.call('getWorkflowRun', { params: { run: run.run } });
  }
  terminal.object(run, { text: describe, name: ({ run: id }) => id });
  if (watch && run.phase !== 'successful') setExit(1);
}

/** A run in a few lines. */
export function describe({ run, workflow, environment, set, phase, outcome, steps, batch }: WorkflowRunView): string {
  const where = batch === undefined ? environment : `${environment} (batch ${batch.index + 1} of ${batch.deployment})`;
  const what = set.map(({ app, number }) => `${app}@${number}`).join(' + ');
  const width = Math.max(0, ...steps.map(({ step }) => step.length));
  return [
    `${run}  ${workflow} for ${what} in ${where}  ${phase}${outcome === undefined ? '' : `: ${firstLine(outcome)}`}`,
    ...steps.flatMap((step) => [
      `  ${step.step.padEnd(width)}  ${step.phase}${step.attempt > 1 ? ` (attempt ${step.attempt})` : ''}${figures(step)}${step.detail === undefined ? '' : `: ${firstLine(step.detail)}`}`,
      ...(step.tests?.failed ?? []).map((name) => `  ${''.padEnd(width)}    failed: ${name}`),
      ...step.tries.map((one) => `  ${''.padEnd(width)}    attempt ${one.attempt} ${one.end}${one.detail === undefined ? '' : `: ${firstLine(one.detail)}`}`),
    ]),
  ].map(visible).join('\n');
}

function figures({ tests, measurements }: StepRunView): string {
  if (tests !== undefined) return `  ${tests.passed} of ${tests.total} passed${tests.skipped === undefined ? '' : `, ${tests.skipped} skipped`}`;
  const last = measurements.at(-1);
  return last === undefined ? '' : `  ${measurements.length} measured, last ${last.value ?? last.verdict}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function runColumns({ clock }: World): readonly Column<WorkflowRunView>[] {
  return [
    { title: 'RUN', cell: ({ run }) => run },
    { title: 'ENVIRONMENT', cell: ({ environment }) => environment },
    { title: 'WORKFLOW', cell: ({ workflow }) => workflow },
    { title: 'SET', cell: ({ set }) => set.map(({ app, number }) => `${app}@${number}`).join(' + ') },
    { title: 'PHASE', cell: ({ phase }) => phase, colour: ({ phase }) => (phase === 'successful' ? 'green' : phase === 'running' ? 'cyan' : phase === 'inconclusive' ? 'yellow' : 'red') },
    { title: 'AGE', cell: ({ startedAt }) => durationText(clock.now() - startedAt), align: 'right' },
    { title: 'OUTCOME', cell: ({ outcome = '' }) => firstLine(outcome) },
  ];
}
