// `starling window add|update|delete`: one window of a pipeline, without a file at hand. What is said goes through the same compiler as a
// file's windows, and is applied as a whole pipeline is: by who has seen how it is. Looking at windows is windows.ts.

import type { Command } from 'commander';
import type { Pipeline } from '../../../../proto/api/pipelines.ts';
import type { PipelineSpec } from '../../../../proto/pipeline.ts';
import type { TimeWindow } from '../../../../proto/window.ts';
import { ControlError } from '../../../errors.ts';
import { windowOf } from '../../../files/compile-windows.ts';
import { Findings } from '../../../files/findings.ts';
import type { WindowText } from '../../../files/schema.ts';
import { durationMs } from '../../../files/units.ts';
import { windowText } from '../../../files/write.ts';
import type { Api } from '../../api.ts';
import { bodyOf } from '../arrange/apply.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { Terminal } from '../../text/terminal.ts';
import type { World } from '../../world.ts';

interface Flags {
  readonly pipeline: string;
  readonly kind?: 'allow' | 'deny';
  readonly zone?: string;
  readonly weekly?: readonly string[];
  readonly cron?: string;
  readonly duration?: string;
  readonly from?: string;
  readonly to?: string;
  readonly onClose?: 'pause' | 'finish' | 'rollback';
  readonly jitter?: string;
  readonly maxDeploys?: string;
  readonly override?: string;
  readonly environments?: string;
}

const pipelineOption = ['--pipeline <name>', 'the pipeline that it is of'] as const;

export function registerWindowEdits(window: Command, world: World): void {
  for (const verb of ['add', 'update'] as const) {
    const command = window
      .command(verb)
      .description(verb === 'add' ? 'add a window to a pipeline, and have it hold environments' : 'change a window: what is not said stays as it is')
      .argument('<window>', 'its name')
      .requiredOption(...pipelineOption)
      .option('--kind <kind>', 'allow: deployments start within it; deny: they do not')
      .option('--zone <zone>', 'the zone of its times, such as Europe/Berlin')
      .option('--weekly <row...>', "such as 'mon-thu 09:00-16:00' or sat; may be given several times")
      .option('--cron <fields>', "when it begins, such as '0 9 * * mon-fri'; with --duration")
      .option('--duration <duration>', 'how long it lasts, such as 2h')
      .option('--from <time>', 'once, from this local time such as 2026-12-18T00:00; with --to')
      .option('--to <time>', 'until before this local time')
      .option('--on-close <action>', 'what becomes of what is under way: pause, finish or rollback')
      .option('--jitter <duration>', 'up to how late each environment begins')
      .option('--max-deploys <count>', 'promotions to each environment while it is active')
      .option('--override <group:count>', 'who may lift it for one promotion, such as release-managers:2')
      .option('--environments <names>', 'the environments that it holds, separated by commas');
    command.action(async (name: string, flags: Flags, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      await edit(await api(), terminal, flags.pipeline, (pipeline) => {
        const known = pipeline.spec.windows.find((one) => one.window === name);
        if (verb === 'add' && known !== undefined) throw new ControlError('CONFLICT', `pipeline '${pipeline.pipeline}' has a window '${name}' already; change it with \`starling window update\``);
        if (verb === 'update' && known === undefined) throw noWindow(pipeline, name);
        const made = windowFrom(name, flags, known);
        const environments = flags.environments?.split(',').map((one) => one.trim());
        return { spec: withWindow(pipeline.spec, made, environments), said: heldText(`window ${pipeline.pipeline}/${name} ${verb === 'add' ? 'added' : 'changed'}`, withWindow(pipeline.spec, made, environments), name) };
      });
    });
  }
  window
    .command('delete')
    .description('delete a window: what it held is held by the others alone')
    .argument('<window>', 'its name')
    .requiredOption(...pipelineOption)
    .action(async (name: string, { pipeline: of }: { readonly pipeline: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      await edit(await api(), terminal, of, (pipeline) => {
        if (!pipeline.spec.windows.some((one) => one.window === name)) throw noWindow(pipeline, name);
        return { spec: withoutWindow(pipeline.spec, name), said: heldText(`window ${of}/${name} deleted`, pipeline.spec, name, 'it held') };
      });
    });
}

interface Edit {
  readonly spec: PipelineSpec;
  readonly said: string;
}

async function edit(api: Api, terminal: Terminal, name: string, change: (pipeline: Pipeline) => Edit): Promise<void> {
  const { reply: pipeline, tag } = await api.callWithTag('getPipeline', { params: { pipeline: name } });
  const { spec, said } = change(pipeline);
  const applied = await api.call('applyPipeline', { params: { pipeline: name }, body: bodyOf({ ...pipeline, spec }), ...(tag === undefined ? {} : { ifMatch: tag }) });
  terminal.object(applied, { text: () => visible(said), name: ({ pipeline: of }) => of });
  terminal.say(`the file that pipeline ${name} came from does not say so, and applying it takes this back; \`starling pipeline export ${name}\` writes one that does`);
}

function noWindow({ pipeline, spec }: Pipeline, name: string): ControlError {
  const known = spec.windows.map((one) => one.window).join(', ');
  return new ControlError('NOT_FOUND', `pipeline '${pipeline}' has no window '${name}'; it has ${known === '' ? 'none' : known}`);
}

function heldText(said: string, spec: PipelineSpec, name: string, verb = 'it holds'): string {
  const environments = spec.stages.flatMap((stage) => stage.environments).flatMap(({ environment, windows }) => (windows.includes(name) ? [environment] : []));
  const edges = spec.edges.flatMap(({ edge, windows }) => (windows.includes(name) ? [`promotion ${edge}`] : []));
  const held = [...environments, ...edges];
  return held.length === 0 ? `${said}; ${verb} nothing${verb === 'it holds' ? ': name --environments' : ''}` : `${said}; ${verb} ${held.join(', ')}`;
}

/** `environments`: all that it holds by themselves; absent: as before. */
function withWindow(spec: PipelineSpec, made: TimeWindow, environments: readonly string[] | undefined): PipelineSpec {
  const name = made.window;
  const known = spec.stages.flatMap((stage) => stage.environments.map(({ environment }) => environment));
  const unknown = environments?.find((environment) => !known.includes(environment));
  if (unknown !== undefined) throw new ControlError('CONFIG_INVALID', `--environments: there is no environment '${unknown}' in the pipeline; it has ${known.join(', ')}`);
  const stages = spec.stages.map((stage) => ({
    ...stage,
    environments: stage.environments.map((place) => {
      if (environments === undefined || environments.includes(place.environment) === place.windows.includes(name)) return place;
      return { ...place, windows: environments.includes(place.environment) ? [...place.windows, name] : place.windows.filter((one) => one !== name) };
    }),
  }));
  const replaced = spec.windows.map((one) => (one.window === name ? made : one));
  return { ...spec, stages, windows: spec.windows.some((one) => one.window === name) ? replaced : [...replaced, made] };
}

function withoutWindow(spec: PipelineSpec, name: string): PipelineSpec {
  const others = (windows: readonly string[]): readonly string[] => windows.filter((one) => one !== name);
  return {
    ...spec,
    windows: spec.windows.filter(({ window }) => window !== name),
    stages: spec.stages.map((stage) => ({ ...stage, environments: stage.environments.map((place) => ({ ...place, windows: others(place.windows) })) })),
    edges: spec.edges.map((edge) => ({ ...edge, windows: others(edge.windows) })),
  };
}

const scheduleKeys: readonly (keyof WindowText)[] = ['weekly', 'cron', 'duration', 'once'];

/** What the flags say, over what is known, as a file would say it. @throws {ControlError} CONFIG_INVALID with everything that is wrong. */
function windowFrom(name: string, flags: Flags, known: TimeWindow | undefined): TimeWindow {
  const schedule = scheduleFrom(flags);
  const before = known === undefined ? {} : windowText(known);
  const kept = Object.keys(schedule).length === 0 ? before : Object.fromEntries(Object.entries(before).filter(([key]) => !scheduleKeys.some((one) => one === key)));
  const kind = flags.kind ?? known?.kind;
  const timeZone = flags.zone ?? known?.timeZone;
  if (kind !== 'allow' && kind !== 'deny') throw new ControlError('CONFIG_INVALID', `--kind: ${kind === undefined ? 'it is not said whether deployments may start in the window; ' : `'${String(kind)}' is not a kind; `}write allow or deny`);
  if (timeZone === undefined) throw new ControlError('CONFIG_INVALID', '--zone: it is not said which zone the times are of; write one such as Europe/Berlin');
  const onClose = flags.onClose;
  if (onClose !== undefined && !['pause', 'finish', 'rollback'].includes(onClose)) throw new ControlError('CONFIG_INVALID', `--on-close: '${String(onClose)}' is none of pause, finish, rollback`);
  for (const [flag, value] of Object.entries({ jitter: flags.jitter, duration: flags.duration })) {
    if (value !== undefined && durationMs(value) === undefined) throw new ControlError('CONFIG_INVALID', `--${flag}: '${value}' is not a duration such as 30s, 10m, 2h or 7d`);
  }
  const written: WindowText = {
    ...kept, name, kind, timeZone, ...schedule,
    ...(onClose === undefined ? {} : { onClose }),
    ...(flags.jitter === undefined ? {} : { jitter: flags.jitter }),
    ...(flags.maxDeploys === undefined ? {} : { maxDeploysPerOccurrence: wholeNumber('--max-deploys', flags.maxDeploys) }),
    ...(flags.override === undefined ? {} : { override: overrideFrom(flags.override) }),
  };
  const nowhere = () => ({ line: 1, column: 1 });
  const findings = new Findings({ file: name, value: written, at: nowhere, atKey: nowhere });
  const made = windowOf(written, [], findings);
  if (made === undefined || findings.problems.length > 0) throw new ControlError('CONFIG_INVALID', `window '${name}': ${findings.problems.map(({ message }) => message).join('; ')}`);
  return made;
}

function scheduleFrom({ weekly, cron, duration, from, to }: Flags): Pick<WindowText, 'weekly' | 'cron' | 'duration' | 'once'> {
  if ((from === undefined) !== (to === undefined)) throw new ControlError('CONFIG_INVALID', '--from and --to go together: a window that is once has both ends');
  return {
    ...(weekly === undefined ? {} : { weekly: weekly.map(rowFrom) }),
    ...(cron === undefined ? {} : { cron }),
    ...(duration === undefined ? {} : { duration }),
    ...(from === undefined || to === undefined ? {} : { once: { from, to } }),
  };
}

function rowFrom(text: string): { days: string; from?: string; to?: string } {
  const [, days, from, to] = /^(\S+)(?:\s+(\d{2}:\d{2})-(\d{2}:\d{2}))?$/.exec(text.trim()) ?? [];
  if (days === undefined) throw new ControlError('CONFIG_INVALID', `--weekly: '${text}' is not days with their times, such as 'mon-thu 09:00-16:00', or sat for the whole day`);
  return from === undefined || to === undefined ? { days } : { days, from, to };
}

function overrideFrom(text: string): { approvals: { group: string; count: number } } {
  const [, group, count = '1'] = /^([^:]+)(?::(\d+))?$/.exec(text) ?? [];
  if (group === undefined) throw new ControlError('CONFIG_INVALID', `--override: '${text}' is not a group with how many of it, such as release-managers:2`);
  return { approvals: { group, count: wholeNumber('--override', count) } };
}

function wholeNumber(flag: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1 || number > 10_000) throw new ControlError('CONFIG_INVALID', `${flag}: '${text}' is not a whole number from 1 to 10000`);
  return number;
}
