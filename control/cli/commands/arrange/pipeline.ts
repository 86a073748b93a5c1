// `starling pipeline`: what is configured, what goes on in it, and on and off. Files are applied by `starling apply`.

import type { Command } from 'commander';
import type { Graph, Pipeline, PipelineSummary } from '../../../../proto/api/pipelines.ts';
import { pipelineYaml } from '../../../files/write.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { existing, fileOption, showPlans } from './apply.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { momentsAt, type Moments } from '../../text/moments.ts';
import type { Column } from '../../text/table.ts';
import type { World } from '../../world.ts';

export function registerPipeline(program: Command, world: World): void {
  const pipeline = program.command('pipeline').description('pipelines: how revisions go from stage to stage');
  pipeline
    .command('list')
    .description('list pipelines')
    .option('--project <name>', 'only those of a project')
    .option('-l, --label <selector>', 'only those with these labels, such as team=checkout')
    .action(async (flags: { readonly project?: string; readonly label?: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const pipelines = await listAll(async (query) => await client.call('listPipelines', { params: {}, query: { ...query, ...flags } }));
      terminal.list(pipelines, { columns: pipelineColumns, name: pipelineName, empty: 'no pipeline yet: write one in a file, and `starling apply -f FILE`' });
    });
  pipeline
    .command('get')
    .description('show a pipeline: what runs where, what goes next, and what holds it')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      if (terminal.format !== 'table') return terminal.object(await client.call('getPipeline', { params: { pipeline: name } }), { text: pipelineName, name: pipelineName });
      const graph = await client.call('getPipelineGraph', { params: { pipeline: name } });
      for (const line of graphLines(graph, momentsAt(world.clock.now(), world.environment['TZ']))) terminal.line(visible(line));
    });
  pipeline
    .command('graph')
    .description('the same as data: stages, environments, promotions with what holds them (-o json)')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const graph = await (await api()).call('getPipelineGraph', { params: { pipeline: name } });
      terminal.object(graph, { text: (found) => graphLines(found, momentsAt(world.clock.now(), world.environment['TZ'])).map((line) => visible(line)).join('\n'), name: ({ pipeline: of }) => of });
    });
  pipeline
    .command('plan')
    .description('say what applying files would change, which approvals it would invalidate, and what it would begin')
    .addOption(fileOption())
    .option('--strict', 'settings without effect are errors too')
    .action(async (flags: { readonly file: readonly string[] }, command: Command) => void (await showPlans(contextOf(world, command), flags)));
  pipeline
    .command('export')
    .description('print a pipeline as the file that would make it')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const found = await (await api()).call('getPipeline', { params: { pipeline: name } });
      terminal.stdout.write(pipelineYaml(found));
    });
  registerSwitches(pipeline, world);
}

function registerSwitches(pipeline: Command, world: World): void {
  for (const on of [true, false]) {
    pipeline
      .command(on ? 'enable' : 'disable')
      .description(on ? 'let promotions go on in a pipeline' : 'let nothing be promoted in a pipeline; what is under way comes to its end')
      .argument('<name>')
      .option('--reason <text>', 'why, for the record')
      .action(async (name: string, flags: { readonly reason?: string }, command: Command) => {
        const { api, terminal } = contextOf(world, command);
        const done = await (await api()).call(on ? 'enablePipeline' : 'disablePipeline', { params: { pipeline: name }, body: { ...flags } });
        terminal.object(done, { text: () => `pipeline ${name} ${on ? 'enabled' : 'disabled'}`, name: pipelineName });
      });
  }
  pipeline
    .command('delete')
    .description('delete a pipeline; its environments and what runs in them stay')
    .argument('<name>')
    .option('--reason <text>', 'why, for the record')
    .action(async (name: string, flags: { readonly reason?: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const { tag } = await existing(client, name);
      if (tag === undefined) throw new ControlError('NOT_FOUND', `there is no pipeline '${name}'`);
      await client.call('deletePipeline', { params: { pipeline: name }, query: { ...flags }, ifMatch: tag });
      terminal.say(`pipeline ${name} deleted; its environments stay`);
    });
}

const pipelineName = ({ pipeline }: Pick<Pipeline, 'pipeline'>): string => pipeline;

const pipelineColumns: readonly Column<PipelineSummary>[] = [
  { title: 'PIPELINE', cell: pipelineName },
  { title: 'PROJECT', cell: ({ project }) => project },
  { title: 'ENABLED', cell: ({ enabled }) => (enabled ? 'yes' : 'no'), colour: ({ enabled }) => (enabled ? undefined : 'yellow') },
  { title: 'APPS', cell: ({ apps }) => apps.join(', ') },
  { title: 'STAGES', cell: ({ stages }) => stages.map(({ stage, environments }) => (environments.join() === stage ? stage : `${stage} (${environments.join(', ')})`)).join(' > ') },
];

/** A pipeline from left to right as lines from top to bottom: each environment, and below it what comes to it. */
function graphLines(graph: Graph, moments: Moments): readonly string[] {
  const lines = [`pipeline ${graph.pipeline} of project ${graph.project}${graph.enabled ? '' : ', DISABLED: nothing is promoted'}`];
  for (const { stage, environments } of graph.stages) {
    lines.push(`stage ${stage}`);
    for (const environment of environments) {
      const { environment: name, current, desired, targets, activeDeployment, run, locks, pinned, windows } = environment;
      const marks = [
        `${targets} target${targets === 1 ? '' : 's'}`,
        ...(activeDeployment === undefined ? [] : [`deploying (${activeDeployment})`]),
        ...(run === undefined ? [] : [`workflow ${run.workflow} ${run.phase}`]),
        ...(pinned ? ['pinned'] : []),
        ...locks.map(({ reason }) => `locked: ${reason}`),
        ...(windows.open ? [] : [`windows closed${windows.until === undefined ? '' : ` until ${moments.text(windows.until)}`}`]),
      ];
      const becomes = setText(desired) === setText(current) || desired.length === 0 ? '' : `, becoming ${setText(desired)}`;
      lines.push(`  ${name}: ${setText(current)}${becomes} (${marks.join('; ')})`);
      for (const edge of graph.edges.filter(({ to }) => to === name)) lines.push(...edgeLines(edge));
    }
  }
  return lines;
}

function edgeLines({ edge, from, apps, auto, enabled, automation, held, candidate, promotion, blockers }: Graph['edges'][number]): readonly string[] {
  const how = !enabled ? 'disabled' : !auto ? 'by hand' : automation ? 'automatic' : 'automatic, turned off now';
  const next = candidate === undefined ? 'nothing new' : `${setText(candidate)} next${promotion === undefined ? '' : ` (${promotion})`}`;
  const release = `(\`starling hold release ${edge} --reason …\`)`;
  const shown = candidate === undefined ? [] : blockers;
  // A hold is said once: among what the next one waits for, or here when nothing is next.
  const holds = held === undefined || shown.some(({ type }) => type === 'hold') ? '' : `; held: ${held} ${release}`;
  const hint = ({ type, ref }: (typeof blockers)[number]): string => (type === 'hold' ? ` ${release}` : type === 'approval' && ref !== undefined ? ` (${ref})` : '');
  return [
    `    from ${from.app ?? from.environment ?? ''}: ${apps.join(', ')}; ${how}${holds}; ${next}`,
    ...shown.map((blocker) => `      waits for ${blocker.type}: ${blocker.reason}${hint(blocker)}`),
  ];
}

function setText(set: Graph['edges'][number]['candidate']): string {
  return set === undefined || set.length === 0 ? 'empty' : set.map(({ app, number }) => `${app}@${number ?? '?'}`).join(', ');
}
