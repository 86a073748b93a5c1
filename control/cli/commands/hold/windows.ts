// `starling window`, `automation` and `edge`: when things may start, and what starts by itself.

import type { Command } from 'commander';
import { automationKinds, type Automation, type PromotionConfig } from '../../../../proto/api/restraints.ts';
import type { EnvironmentWindows, Window } from '../../../../proto/api/windows.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { momentsOf } from './restraints.ts';
import { registerWindowEdits } from './window-edit.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { parseEdge } from '../../text/governance.ts';
import type { Moments } from '../../text/moments.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

export function registerWindow(program: Command, world: World): void {
  const window = program.command('window').description('time windows: when deployments may start, and when not');
  window
    .command('list')
    .description('the windows that are configured')
    .option('-e, --environment <name>', 'only those that hold an environment')
    .option('--pipeline <name>', 'only those of a pipeline')
    .action(async (flags: { readonly environment?: string; readonly pipeline?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const windows = await listAll(async (page) => await client.call('listWindows', { params: {}, query: { ...page, ...flags } }));
      terminal.list(windows, {
        name: (one) => `${one.pipeline}/${one.window}`,
        empty: 'there are no windows: deployments may start at any time',
        columns: [
          { title: 'WINDOW', cell: (one) => `${one.pipeline}/${one.window}` },
          { title: 'KIND', cell: ({ kind }) => kind },
          { title: 'WHEN', cell: scheduleText },
          { title: 'ZONE', cell: ({ timeZone }) => timeZone },
          { title: 'ON CLOSE', cell: ({ onClose }) => onClose },
          { title: 'ENVIRONMENTS', cell: ({ environments }) => environments.join(', ') || '-' },
        ],
      });
    });
  window
    .command('next')
    .description('whether an environment is open, and when it opens next')
    .argument('<environment>')
    .option('--at <time>', 'the same for another time: 4h, or 2026-12-24T18:00')
    .action(async (environment: string, { at }: { readonly at?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const moments = momentsOf(world);
      const found = await (await api()).call('getEnvironmentWindows', { params: { environment }, query: at === undefined ? {} : { at: moments.parse(at, '--at') } });
      terminal.object(found, { text: (one) => nextText(one, moments), name: (one) => one.environment });
    });
  registerWindowEdits(window, world);
}

function scheduleText({ schedule, jitterMs }: Window): string {
  const late = jitterMs === undefined ? '' : `, up to ${durationText(jitterMs)} late`;
  switch (schedule.kind) {
    case 'weekly':
      return schedule.rows.map(({ days, times }) => `${days.join(',')} ${times === undefined ? 'all day' : `${times.from}-${times.to}`}`).join('; ') + late;
    case 'cron':
      return `${schedule.expression} for ${durationText(schedule.durationMs)}${late}`;
    case 'once':
      return `${schedule.from} to ${schedule.to}${late}`;
    default:
      return schedule satisfies never;
  }
}

const whys = { denied: 'denies deployments', closed: 'is not open', jitter: 'is open, and the turn of this environment comes shortly', 'used-up': 'has been used as often as it allows this time' } as const;

function nextText({ environment, open, holds, changesAt, openings, windows }: EnvironmentWindows, moments: Moments): string {
  const change = changesAt === undefined ? (open ? '' : '; it does not open within 400 days') : `; ${open ? 'closes' : 'opens'} ${moments.text(changesAt)}`;
  const coming = openings.filter(({ from }) => from !== changesAt && !(open && from === openings[0]?.from));
  return [
    `${environment} is ${open ? 'open' : 'closed'}${windows.length === 0 ? ', since no window holds it' : ''}${change}`,
    ...holds.map(({ window, why, until }) => `  ${window} ${whys[why]}${until === undefined ? '' : `, until ${moments.text(until)}`}`),
    ...coming.map(({ from, to }) => `  then open ${moments.text(from)}${to === undefined ? '' : ` for ${durationText(to - from)}`}`),
  ].map(visible).join('\n');
}

export function registerAutomation(program: Command, world: World): void {
  const automation = program.command('automation').description('what goes on by itself: off for a pipeline, an edge, an environment or an application');
  automation
    .command('set')
    .description('switch an automation on or off')
    .argument('<on|off>')
    .option('--pipeline <name>', 'all of a pipeline')
    .option('--edge <name>', 'one promotion configuration, such as shop/alpha-prod')
    .option('--environment <name>', 'all that goes to an environment')
    .option('--app <name>', 'all of an application')
    .option('--reason <text>', 'why; needed to switch it off')
    .action(async (text: string, flags: Partial<Record<Automation['kind'], string>> & { readonly reason?: string }, self: Command) => {
      if (text !== 'on' && text !== 'off') throw new ControlError('CONFIG_INVALID', `'${text}' is neither on nor off`);
      const named = automationKinds.flatMap((kind) => (flags[kind] === undefined ? [] : [{ kind, id: flags[kind] }]));
      const [params, ...more] = named;
      if (params === undefined || more.length > 0) throw new ControlError('CONFIG_INVALID', 'say which automation: one of --pipeline, --edge, --environment, --app');
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const { tag } = await client.callWithTag('getAutomation', { params });
      const body = { on: text === 'on', ...(flags.reason === undefined ? {} : { reason: flags.reason }) };
      const set = await client.call('setAutomation', { params, body, ifMatch: tag ?? '*' });
      terminal.object(set, { text: ({ kind, id, on }) => visible(`automation of ${kind} ${id} is ${on ? 'on' : 'off'}`), name: ({ kind, id }) => `${kind}:${id}` });
    });
  automation
    .command('list')
    .description('automations that are switched off')
    .action(async (_flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const moments = momentsOf(world);
      const client = await api();
      const off = await listAll(async (query) => await client.call('listAutomation', { params: {}, query }));
      terminal.list(off, {
        name: ({ kind, id }) => `${kind}:${id}`,
        empty: 'no automation is switched off',
        columns: [
          { title: 'OF', cell: ({ kind, id }) => `${kind} ${id}` },
          { title: 'BY', cell: ({ by }) => by ?? '-' },
          { title: 'SINCE', cell: ({ at }) => (at === undefined ? '-' : moments.relative(at)) },
          { title: 'REASON', cell: ({ reason }) => reason ?? '-' },
        ],
      });
    });
}

export function registerEdge(program: Command, world: World): void {
  const edge = program.command('edge').description('promotion configurations: from where to where revisions go');
  edge
    .command('list')
    .description('the promotion configurations of a pipeline, with what is switched off or held')
    .argument('<pipeline>')
    .action(async (pipeline: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const edges = await listAll(async (query) => await client.call('listPromotionConfigs', { params: { pipeline }, query }));
      terminal.list(edges, {
        name: nameOf,
        columns: [
          { title: 'PROMOTION-CONFIG', cell: nameOf },
          { title: 'FROM', cell: ({ from }) => `${from.kind === 'app' ? 'app ' : ''}${from.id}` },
          { title: 'TO', cell: ({ to }) => to },
          { title: 'APPS', cell: ({ apps }) => apps.join(', ') },
          { title: 'AUTOMATIC', cell: automaticText },
        ],
      });
    });
  for (const [name, operation, description] of [['enable', 'enablePromotionConfig', 'let promotions pass again'], ['disable', 'disablePromotionConfig', 'let nothing pass, not even by hand']] as const) {
    const command = edge.command(name).description(description).argument('<promotion-config>', 'such as shop/alpha-prod');
    if (name === 'disable') command.requiredOption('--reason <text>', 'why; others will read it');
    else command.option('--reason <text>', 'why, for the record');
    command.action(async (text: string, { reason }: { readonly reason?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const changed = operation === 'enablePromotionConfig'
        ? await (await api()).call(operation, { params: parseEdge(text), body: reason === undefined ? {} : { reason } })
        : await (await api()).call(operation, { params: parseEdge(text), body: { reason: reason ?? '' } });
      terminal.object(changed, { text: (one) => visible(`${nameOf(one)} is ${one.enabled ? 'enabled' : 'disabled'}`), name: nameOf });
    });
  }
}

function nameOf({ pipeline, edge }: PromotionConfig): string {
  return `${pipeline}/${edge}`;
}

function automaticText({ auto, automatic, enabled, hold, off }: PromotionConfig): string {
  if (!enabled) return 'disabled';
  if (!auto) return 'by hand';
  if (automatic) return 'yes';
  if (hold !== undefined) return `on hold: ${hold.reason}`;
  return off.length === 0 ? 'pipeline disabled' : `off for ${off.map(({ kind, id }) => `${kind} ${id}`).join(', ')}`;
}
