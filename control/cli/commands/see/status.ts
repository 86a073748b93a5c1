// `starling status` and `targets`: what runs where, once or again whenever it changes.

import type { Command } from 'commander';
import type { Deployment } from '../../../../proto/api/deployments.ts';
import type { Environment } from '../../../../proto/api/environments.ts';
import type { Status } from '../../../../proto/api/status.ts';
import type { Target } from '../../../../proto/api/targets.ts';
import { listAll, type Api } from '../../api.ts';
import { phaseColour } from '../../text/board.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { renderTable, type Column } from '../../text/table.ts';
import type { ListLook } from '../../text/terminal.ts';
import { aheadText, countText, durationText, labelsText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Between two looks of --watch. */
const watchMs = 1_000;

type EnvironmentStatus = Status['environments'][number];

/** `status ENV`: the object of `-o json`. */
interface OneEnvironment {
  readonly environment: Environment;
  readonly deployment?: Deployment;
  readonly targets: readonly Target[];
}

export function registerStatus(program: Command, world: World): void {
  program
    .command('status')
    .description('what runs where')
    .argument('[environment]', 'one environment, with its targets')
    .option('--watch', 'show it again whenever it changes')
    .action(async (environment: string | undefined, { watch }: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      if (environment === undefined) await show(context, watch, async () => await api.call('getStatus', { params: {} }), (status) => describeStatus(status, context), (status) => status.org);
      else await show(context, watch, async () => await readOne(api, environment), (one) => describeOne(one, context), (one) => one.environment.environment);
    });
}

export function registerTargets(program: Command, world: World): void {
  listing(program.command('targets'), world);
}

/** Makes a command the list of machines: `starling targets`, and `starling target list`. */
export function listing(command: Command, world: World): void {
  command
    .description('list the machines of the fleet')
    .option('-e, --environment <name>', 'only those of an environment')
    .option('-l, --label <key=value>', 'only those with these labels, separated by commas')
    .option('--name <part>', 'only those whose name has this in it')
    .option('--role <role>', 'agent, seed or proxy; agents when it is left out')
    .option('--revoked', 'also those that were barred')
    .action(async (flags: { readonly environment?: string; readonly label?: string; readonly name?: string; readonly role?: 'agent' | 'seed' | 'proxy'; readonly revoked?: boolean }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      // Asked for by itself, an unknown environment would only be an empty list.
      if (flags.environment !== undefined) await client.call('getEnvironment', { params: { environment: flags.environment } });
      const targets = await listAll(async (page) => await client.call('listTargets', { params: {}, query: { ...page, ...flags } }));
      terminal.list(targets, targetLook(world.clock.now()));
    });
}

async function readOne(api: Api, name: string): Promise<OneEnvironment> {
  const environment = await api.call('getEnvironment', { params: { environment: name } });
  const targets = await listAll(async (query) => await api.call('listEnvironmentTargets', { params: { environment: name }, query }));
  const id = environment.activeDeployment ?? environment.newestDeployment;
  return { environment, targets, ...(id === undefined ? {} : { deployment: await api.call('getDeployment', { params: { deployment: id } }) }) };
}

async function show<Item>({ terminal, world }: Context, watch: boolean | undefined, read: () => Promise<Item>, text: (item: Item) => string, name: (item: Item) => string): Promise<void> {
  if (watch !== true) return terminal.object(await read(), { text, name });
  const redraw = terminal.format === 'table' && terminal.stdout.isTTY;
  for (let last = ''; ; await world.clock.wait(watchMs, { signal: world.signal })) {
    const item = await read();
    const shown = terminal.format === 'table' ? text(item) : name(item) + JSON.stringify(item, withoutTheMoment);
    if (shown === last && !redraw) continue;
    last = shown;
    if (redraw) terminal.stdout.write('\u001b[H\u001b[J');
    terminal.item(item, { text, name });
  }
}

/** What changes at every look although nothing happened. */
function withoutTheMoment(key: string, value: unknown): unknown {
  return key === 'now' || key === 'lastSeenAt' ? undefined : value;
}

function describeStatus(status: Status, context: Context): string {
  const { members, environments, apps, org, publicUrl } = status;
  const head = `${visible(org)} at ${visible(publicUrl)}: ${countText(apps, 'application')}, ${countText(members.agents, 'agent')}, ${countText(members.seeds, 'seed')}, ${members.proxies === 1 ? '1 proxy' : `${members.proxies} proxies`}; ${members.online} online`;
  const warning = status.developmentKeys ? ['the trust root was made with development keys: not for production'] : [];
  if (environments.length === 0) return [head, ...warning, 'no environment yet: `starling env create NAME --app APP --targets key=value` makes one'].join('\n');
  return [head, ...warning, ...tableOf(environments, environmentColumns, context)].join('\n');
}

function tableOf<Item>(items: readonly Item[], columns: readonly Column<Item>[], { terminal }: Context): readonly string[] {
  return renderTable(items, columns, { paint: (colour, text) => terminal.paint(colour, text), width: terminal.stdout.isTTY ? terminal.stdout.columns : undefined });
}

/** Columns of environments, here and in `env list`. */
export const environmentColumns: readonly Column<EnvironmentStatus>[] = [
  { title: 'ENVIRONMENT', cell: ({ environment }) => environment },
  { title: 'APP', cell: ({ apps }) => apps.map(({ app }) => app).join(', ') },
  { title: 'CURRENT', cell: ({ apps }) => slotsText(apps, 'current') },
  { title: 'DESIRED', cell: ({ apps }) => slotsText(apps, 'desired') },
  { title: 'STABLE', cell: ({ apps }) => slotsText(apps, 'stable') },
  { title: 'TARGETS', cell: ({ targets }) => `${targets.serving} of ${targets.total} serving, ${targets.changing > 0 ? `${targets.changing} changing, ` : ''}${targets.online} online` },
  { title: 'DEPLOYMENT', cell: deploymentText, colour: ({ deployment }) => (deployment === undefined ? undefined : phaseColour(deployment.phase)) },
];

/** Of one application its number; of several `web@41, api@7`. */
function slotsText(apps: Environment['apps'], which: 'current' | 'desired' | 'stable'): string {
  const [only] = apps;
  if (apps.length < 2) return numberText(only?.[which]);
  const known = apps.filter((one) => one[which] !== undefined);
  return known.map((one) => `${one.app}@${numberText(one[which])}`).join(', ') || '-';
}

function numberText(ref: { readonly number: number; readonly alias?: string } | undefined): string {
  return ref === undefined ? '-' : `${ref.number}${ref.alias === undefined ? '' : ` (${ref.alias})`}`;
}

function deploymentText({ apps, deployment, waiting }: EnvironmentStatus): string {
  const held = waiting.length === 0 ? '' : `, ${countText(waiting.length, 'promotion')} waiting`;
  if (deployment === undefined) return waiting.length === 0 ? '-' : held.slice(2);
  const { phase, type, app, number, progress } = deployment;
  const what = apps.length < 2 ? `${number}` : `${app}@${number}`;
  return `${type} of ${what} ${phase}, ${progress.done} of ${progress.total}${progress.failed > 0 ? `, ${progress.failed} failed` : ''}${progress.revoked === undefined ? '' : `, ${progress.revoked} revoked`}${held}`;
}

function describeOne({ environment, deployment, targets }: OneEnvironment, context: Context): string {
  const now = context.world.clock.now();
  const rows = tableOf([{ ...environment, ...(deployment === undefined ? {} : { deployment }) }], environmentColumns, context);
  const table = targets.length === 0 ? [`no target has the labels ${labelsText(environment.selector)}`] : tableOf(targets, targetLook(now).columns, context);
  return [...rows, '', ...table].join('\n');
}

function targetLook(now: number): ListLook<Target> {
  return {
    name: ({ name }) => name,
    empty: 'no such target: `starling token create --join` makes a token that adds one',
    columns: [
      { title: 'TARGET', cell: ({ name }) => name },
      { title: 'STATE', cell: ({ connectivity, revoked, cordoned, clock }) => (revoked ? 'revoked' : `${connectivity}${clock === undefined ? '' : `, clock ${aheadText(clock.aheadMs)}`}${cordoned === undefined ? '' : ', cordoned'}`), colour: ({ connectivity, revoked }) => (revoked || connectivity === 'offline' ? 'red' : connectivity === 'stale' ? 'yellow' : 'green') },
      { title: 'SEEN', cell: ({ lastSeenAt }) => (lastSeenAt === undefined ? 'not yet' : `${durationText(now - lastSeenAt)} ago`) },
      { title: 'ENVIRONMENTS', cell: ({ environments }) => environments.join(',') || '-' },
      { title: 'RUNNING', cell: ({ running }) => running.map(({ app, number, healthy, drifted }) => `${app}@${number}${healthy === false ? ' unhealthy' : ''}${drifted === undefined ? '' : ` drifted (${countText(drifted, 'file')})`}`).join(', ') || '-' },
      { title: 'WORK', cell: ({ work }) => work.filter(({ settled }) => !settled).map(({ app, phase }) => `${app} ${phase}`).join(', ') || '-' },
      { title: 'LABELS', cell: ({ labels }) => labelsText(labels) },
    ],
  };
}
