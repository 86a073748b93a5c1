// `starling apply`, `validate` and `diff`: from files to the control plane, or to what would happen there.

import { Option, type Command } from 'commander';
import type { ApplyPipelineBody, Pipeline, Plan } from '../../../../proto/api/pipelines.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import type { PipelineFile } from '../../../files/compile.ts';
import { fileSchemas } from '../../../files/schemas.ts';
import { problemText } from '../../../files/problem.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { planLines, type Paint } from '../../text/plan.ts';
import { readSources, soundSources } from '../../sources.ts';
import type { Terminal } from '../../text/terminal.ts';
import type { World } from '../../world.ts';

interface FileFlags {
  readonly file: readonly string[];
  readonly strict?: boolean;
  readonly dryRun?: boolean;
}

/** `-f FILE|DIR|-`, which may be there several times. */
export function fileOption(): Option {
  return new Option('-f, --file <file...>', 'a file, a directory with *.yaml, or - for what is piped in').makeOptionMandatory();
}

const strictText = 'settings without effect are errors too';

export function registerApply(program: Command, world: World): void {
  program
    .command('apply')
    .description('make pipelines as files say: their environments, promotions, windows, workflows')
    .addOption(fileOption())
    .option('--dry-run', 'only say what would happen')
    .option('--strict', strictText)
    .action(async (flags: FileFlags, command: Command) => {
      const context = contextOf(world, command);
      const { pipelines } = await soundSources(world, context.terminal, flags.file, flags.strict ?? false);
      const api = await context.api();
      // All are planned before the first is applied: what the control plane refuses is known before anything has changed.
      const plans = await planAll(context.terminal, api, pipelines);
      for (const { plan, file, tag } of plans) {
        if (flags.dryRun === true) show(context.terminal, plan, file);
        else await applyOne(context, api, { plan, file, tag });
      }
    });
}

export function registerValidate(program: Command, world: World): void {
  program
    .command('validate')
    .description('say everything that is wrong with files; asks no control plane')
    .addOption(new Option('-f, --file <file...>', 'a file, a directory with *.yaml, or - for what is piped in'))
    .option('--schema <kind>', 'print the JSON Schema of a kind of file instead, for editors')
    .option('--strict', strictText)
    .action(async (flags: { readonly file?: readonly string[]; readonly schema?: string; readonly strict?: boolean }, command: Command) => {
      const { terminal } = contextOf(world, command);
      if (flags.schema !== undefined) return terminal.line(schemaText(flags.schema));
      if (flags.file === undefined) throw new ControlError('CONFIG_INVALID', 'validate needs -f with a file or a directory, or --schema with a kind');
      if (terminal.format === 'table') {
        const { files, pipelines } = await soundSources(world, terminal, flags.file, flags.strict ?? false);
        return terminal.line(`${files.length === 1 ? visible(files[0] ?? '') : `${files.length} files`}: nothing is wrong (${pipelines.map(({ pipeline }) => pipeline).join(', ')})`);
      }
      const { problems, warnings } = await readSources(world, flags.file);
      terminal.object({ problems, warnings }, { text: () => '', name: () => problems.map(problemText).join('\n') });
      if (problems.length > 0 || (flags.strict === true && warnings.length > 0)) throw new ControlError('CONFIG_INVALID', `${problems.length} problems and ${warnings.length} warnings`);
    });
}

export function registerDiff(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  program
    .command('diff')
    .description('compare files with what is applied; ends with 1 when something differs')
    .addOption(fileOption())
    .option('--strict', strictText)
    .action(async (flags: FileFlags, command: Command) => {
      if (await showPlans(contextOf(world, command), flags)) setExit(1);
    });
}

/** Prints what applying files would do; whether it would do anything. */
export async function showPlans(context: Context, flags: FileFlags): Promise<boolean> {
  const { pipelines } = await soundSources(context.world, context.terminal, flags.file, flags.strict ?? false);
  const plans = await planAll(context.terminal, await context.api(), pipelines);
  for (const { plan, file } of plans) show(context.terminal, plan, file);
  return plans.some(({ plan }) => plan.kind !== 'none');
}

interface Planned {
  readonly plan: Plan;
  readonly file: PipelineFile;
  /** Version of what is there. */
  readonly tag: string | undefined;
}

async function planAll(terminal: Terminal, api: Api, files: readonly PipelineFile[]): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (const file of files) {
    // The version first: what changes after it makes the apply fail, not the plan lie.
    const { tag } = await existing(api, file.pipeline);
    const plan = await api.call('planPipeline', { params: { pipeline: file.pipeline }, body: bodyOf(file) });
    for (const warning of plan.warnings) terminal.say(`${terminal.paintError('yellow', 'warning:')} ${visible(`pipeline ${file.pipeline}: ${warning}`)}`);
    planned.push({ file, tag, plan });
  }
  return planned;
}

/** The pipeline on record with its version; neither when there is none. */
export async function existing(api: Api, pipeline: string): Promise<{ readonly found?: Pipeline; readonly tag: string | undefined }> {
  try {
    const { reply, tag } = await api.callWithTag('getPipeline', { params: { pipeline } });
    return { found: reply, tag };
  } catch (error) {
    if (error instanceof ControlError && error.code === 'NOT_FOUND') return { tag: undefined };
    throw error;
  }
}

async function applyOne({ terminal }: Context, api: Api, { plan, file, tag }: Planned): Promise<void> {
  const applied = await api.call('applyPipeline', { params: { pipeline: file.pipeline }, body: bodyOf(file), ...(tag === undefined ? {} : { ifMatch: tag }) });
  if (terminal.format === 'table' && !terminal.quiet) for (const line of planLines(plan, file, painter(terminal)).slice(1)) terminal.line(line);
  const word = { create: 'created', change: 'changed', none: 'unchanged' }[plan.kind];
  terminal.object(applied, { text: ({ pipeline, enabled }) => `pipeline ${pipeline} ${word}${enabled ? '' : ' (disabled)'}`, name: ({ pipeline }) => pipeline });
}

function painter(terminal: Terminal): Paint {
  return (colour, text) => terminal.paint(colour, text);
}

function show(terminal: Terminal, plan: Plan, file: PipelineFile): void {
  terminal.object(plan, { text: () => planLines(plan, file, painter(terminal)).join('\n'), name: ({ pipeline }) => pipeline });
}

/** What a PUT takes. */
export function bodyOf({ project, spec, apps, environments, builds, enabled }: PipelineFile): ApplyPipelineBody {
  return {
    project,
    spec,
    apps: [...apps],
    environments: environments.map(({ environment, apps: carried, selector, config }) => ({ environment, apps: [...carried], selector: { ...selector }, config: configBody(config) })),
    ...(builds.length === 0 ? {} : { builds: builds.map(({ app, settings }) => ({ app, settings: { ...settings, repo: { ...settings.repo, paths: [...settings.repo.paths] } } })) }),
    ...(enabled === undefined ? {} : { enabled }),
  };
}

function configBody(config: DeploymentConfig): ApplyPipelineBody['environments'][number]['config'] {
  const { batches, autoRollback } = config;
  return { ...config, batches: batches.map((batch) => (typeof batch === 'object' ? { ...batch } : batch)), autoRollback: typeof autoRollback === 'object' ? { ...autoRollback } : autoRollback };
}

function schemaText(kind: string): string {
  const schema = fileSchemas.get(kind);
  if (schema === undefined) throw new ControlError('CONFIG_INVALID', `'${kind}' is not a kind of file; kinds are ${[...fileSchemas.keys()].join(', ')}`);
  return schema;
}
