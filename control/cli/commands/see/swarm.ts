// `starling swarm map`, `coverage`, `peers` and `receipt`: who feeds whom, how far a revision has spread, and how the bytes of a deployment travelled.

import type { Command } from 'commander';
import type { Coverage, Receipt, ReceiptTarget, SwarmMap } from '../../../../proto/api/swarm.ts';
import type { PageQuery } from '../../../../proto/api/schema.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { renderTable, type Column } from '../../text/table.ts';
import { bytesText, countText, durationText, shareText } from '../../text/text.ts';
import type { World } from '../../world.ts';

const pageItems = 500;
/** Targets of a receipt that people are shown: those that were done last. */
const targetsShown = 10;
/** Feeders named in a cell. */
const feedersShown = 3;

type MapMember = SwarmMap['items'][number];
type CoverageZone = Coverage['items'][number];

export function registerSwarm(program: Command, world: World): void {
  const swarm = program.command('swarm').description('how bytes travel between machines');
  swarm
    .command('map')
    .description('the members by zone, and who fed whom in the newest deployments')
    .action(async (_flags: unknown, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const map = await whole(async (query) => await api.call('getSwarmMap', { params: {}, query }));
      context.terminal.object(map, { text: () => describeMap(map, context), name: () => map.items.map(({ name }) => name).join('\n') });
    });
  swarm
    .command('coverage')
    .description('how far a revision has spread, zone by zone')
    .argument('<revision>', 'web@latest, web@41, web@ALIAS, a digest or a CID')
    .option('-e, --environment <name>', 'only the targets of one environment')
    .action(async (revision: string, flags: { readonly environment?: string }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const coverage = await whole(async (query) => await api.call('getSwarmCoverage', { params: {}, query: { ...query, revision, ...flags } }));
      context.terminal.object(coverage, { text: () => describeCoverage(coverage, context), name: () => `${coverage.app}@${coverage.number}` });
    });
  swarm
    .command('peers')
    .description('from whom a machine got its bytes in the newest deployments, and who got bytes from it')
    .argument('<member>', 'its name or its member id')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const { items } = await whole(async (query) => await api.call('getSwarmMap', { params: {}, query }));
      const one = items.find(({ name, member }) => name === id || member === id);
      if (one === undefined) throw new ControlError('NOT_FOUND', `there is no member '${id}'; \`starling swarm map\` shows who there is`);
      context.terminal.list(peersOf(one, items), { columns: peerColumns, name: ({ peer }) => peer, empty: `${one.name} neither got bytes from others nor did others name it, as far as the newest deployments say` });
    });
  swarm
    .command('receipt')
    .description('where the bytes of a deployment came from, how fast, and what held it up')
    .argument('<deployment>', 'its id, or an environment: then its newest deployment')
    .action(async (text: string, _flags: unknown, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const deployment = await deploymentOf(api, text);
      const receipt = await whole(async (query) => await api.call('getReceipt', { params: { deployment }, query }));
      context.terminal.object(receipt, { text: () => describeReceipt(receipt, context), name: () => receipt.deployment });
    });
}

/** The newest deployment of the environment of that name; else the text itself, which the server knows or refuses. */
async function deploymentOf(api: Api, text: string): Promise<string> {
  try {
    return (await api.call('getEnvironment', { params: { environment: text } })).newestDeployment ?? text;
  } catch (error) {
    // A token for this one environment may not ask about others: the deployment's id is enough.
    if (error instanceof ControlError && (error.code === 'NOT_FOUND' || error.code === 'INVALID_REQUEST' || error.code === 'FORBIDDEN')) return text;
    throw error;
  }
}

/** All pages as one. */
async function whole<Page extends { readonly items: unknown[]; readonly next?: string }>(read: (query: PageQuery) => Promise<Page>): Promise<Page> {
  let page = await read({ limit: pageItems });
  const items = [...page.items];
  while (page.next !== undefined) {
    page = await read({ limit: pageItems, cursor: page.next });
    items.push(...page.items);
  }
  return { ...page, items };
}

function describeReceipt(receipt: Receipt, context: Context): string {
  const { deployment, environment, app, number, phase, targets, bytes, time } = receipt;
  const fetched = bytes.originBytes + bytes.peerBytes;
  const all = fetched + bytes.reusedBytes;
  const pending = [...(targets.fetching > 0 ? [`${targets.fetching} fetching`] : []), ...(targets.silent > 0 ? [`${targets.silent} had nothing to fetch, or did not get so far`] : [])];
  const head = visible(`${deployment}: ${app}@${number} to ${environment}, ${phase}; ${targets.fetched} of ${countText(targets.total, 'target')} fetched${pending.length === 0 ? '' : `, ${pending.join(', ')}`}`);
  if (targets.fetched === 0) return head;
  const lines: [string, string][] = [
    ['time', timeText(time)],
    ['origin', `${bytesText(bytes.originBytes)}${receipt.originCopies === undefined ? '' : `, ${receipt.originCopies.toFixed(2)} copies of ${bytesText(receipt.fetchBytes)}`}`],
    ['peers', `${bytesText(bytes.peerBytes)}, ${shareText(bytes.peerBytes, fetched)} of what was fetched; so much less left the origin`],
    ['zones', receipt.crossZoneCopies === undefined || (receipt.zones === 1 && bytes.crossZoneBytes === 0) ? `${countText(receipt.zones, 'zone')}` : `${countText(receipt.zones, 'zone')}; ${bytesText(bytes.crossZoneBytes)} crossed between them, ${receipt.crossZoneCopies.toFixed(2)} copies`],
    ['disk', `${bytesText(bytes.reusedBytes)} were there already, ${shareText(bytes.reusedBytes, all)} of all`],
    ...(bytes.deltaBytes + bytes.savedBytes === 0 ? [] : [['deltas', `${bytes.deltaBytes === 0 ? 'came with the index of the revision' : bytesText(bytes.deltaBytes)}, which saved ${bytesText(bytes.savedBytes)}`] satisfies [string, string]]),
    ['wasted', `${bytesText(bytes.wastedBytes)}, ${shareText(bytes.wastedBytes, fetched + bytes.wastedBytes)} of what came`],
    ...(receipt.slowest === undefined ? [] : [['last', lastText(receipt.slowest)] satisfies [string, string]]),
    ...(receipt.feeders.length === 0 ? [] : [['fed most', visible(receipt.feeders.slice(0, feedersShown).map(({ name, bytes: sent, targets: to }) => `${name} ${bytesText(sent)} to ${to}`).join(', '))] satisfies [string, string]]),
  ];
  const last = receipt.items.filter(({ state }) => state === 'fetched').toSorted((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0)).slice(0, targetsShown);
  const title = last.length < targets.fetched ? `the ${last.length} that were done last:` : 'targets, the last first:';
  return [head, ...lines.map(([name, text]) => `  ${name.padEnd(8)} ${text}`), '', title, ...tableOf(last, receiptColumns, context)].join('\n');
}

const boundNames: Readonly<Record<NonNullable<Receipt['time']['boundBy']>, string>> = {
  'origin-uplink': "the origin's line",
  downlink: 'the slowest line of a target',
  'all-uplinks': 'the lines of all together',
};

function timeText({ durationMs, boundMs, boundBy, ratio, unknown }: Receipt['time']): string {
  if (durationMs === undefined) return 'nothing was fetched';
  const missing = unknown.length === 0 ? '' : ` (not counted: ${unknown.join('; ')})`;
  if (boundMs === undefined) return `${durationText(durationMs)}; what would have been possible is unknown: no member declares its rates (\`rates.link\` in agent.yaml)`;
  return visible(`${durationText(durationMs)}, ${ratio === undefined ? '-' : ratio.toFixed(2)} times the ${durationText(boundMs)} that ${boundBy === undefined ? 'the lines' : boundNames[boundBy]} allowed${missing}`);
}

function lastText({ name, durationMs, cause, detail }: ReceiptTarget): string {
  return visible(`${name}, ${durationText(durationMs ?? 0)}${cause === undefined ? '' : `: ${causeText(cause)}`}${detail === undefined ? '' : ` (${detail})`}`);
}

function causeText(cause: NonNullable<ReceiptTarget['cause']>): string {
  return cause.replaceAll('-', ' ');
}

const receiptColumns: readonly Column<ReceiptTarget>[] = [
  { title: 'TARGET', cell: ({ name }) => name },
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'TOOK', align: 'right', cell: ({ durationMs }) => (durationMs === undefined ? '-' : durationText(durationMs)) },
  { title: 'ORIGIN', align: 'right', cell: ({ originBytes }) => bytesText(originBytes) },
  { title: 'PEERS', align: 'right', cell: ({ peerBytes }) => bytesText(peerBytes) },
  { title: 'DISK', align: 'right', cell: ({ reusedBytes }) => bytesText(reusedBytes) },
  { title: 'CAUSE', cell: ({ cause }) => (cause === undefined ? '-' : causeText(cause)), colour: ({ cause }) => (cause === undefined || cause === 'downlink' ? undefined : 'yellow') },
  { title: 'FED BY', cell: ({ from }) => feedersText(from) },
];

function describeCoverage(coverage: Coverage, context: Context): string {
  const { app, number, targets, holding, fetching, copiesMin } = coverage;
  const where = coverage.environment === undefined ? '' : ` in ${coverage.environment}`;
  const head = visible(`${app}@${number}${where}: ${shareText(holding, targets)} of ${countText(targets, 'target')} hold every chunk (${holding}), ${fetching} fetching; ${countText(coverage.seeds, 'seed')}; at least ${copiesMin === 1 ? '1 copy' : `${copiesMin} copies`} in each zone`);
  return [head, ...tableOf(coverage.items, coverageColumns, context)].join('\n');
}

const coverageColumns: readonly Column<CoverageZone>[] = [
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'TARGETS', align: 'right', cell: ({ targets }) => String(targets) },
  { title: 'HOLDING', align: 'right', cell: ({ holding }) => String(holding), colour: ({ holding, targets }) => (holding === targets ? 'green' : 'yellow') },
  { title: 'FETCHING', align: 'right', cell: ({ fetching }) => String(fetching) },
  { title: 'COPIES', align: 'right', cell: ({ copies }) => String(copies), colour: ({ copies }) => (copies === 0 ? 'red' : undefined) },
];

function describeMap({ zones, links, items }: SwarmMap, context: Context): string {
  if (items.length === 0) return 'no member yet: `starling token create --join` makes a token that adds one';
  const heads = zones.map(({ zone, agents, seeds, online }) => visible(`${zone}: ${countText(agents, 'agent')}, ${countText(seeds, 'seed')}; ${online} online`));
  const between = links.filter(({ from, to }) => from !== to).map(({ from, to, bytes }) => visible(`${from} → ${to}: ${bytesText(bytes)}`));
  const unknown = items.some(({ rates }) => rates.send === undefined || rates.receive === undefined) ? ['', 'UP, DOWN: what a member declares of its line (`rates.link` in agent.yaml); receipts are held against it'] : [];
  return [...heads, ...between, '', ...tableOf(items, mapColumns, context), ...unknown].join('\n');
}

const mapColumns: readonly Column<MapMember>[] = [
  { title: 'MEMBER', cell: ({ name }) => name },
  { title: 'ROLES', cell: ({ roles }) => roles.join(',') },
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'STATE', cell: ({ connectivity }) => connectivity, colour: ({ connectivity }) => (connectivity === 'online' ? 'green' : connectivity === 'stale' ? 'yellow' : 'red') },
  { title: 'UP', align: 'right', cell: ({ rates }) => rateText(rates.send) },
  { title: 'DOWN', align: 'right', cell: ({ rates }) => rateText(rates.receive) },
  { title: 'FETCHING', align: 'right', cell: ({ fetching }) => (fetching === undefined ? '-' : shareText(fetching.haveBytes, fetching.totalBytes)) },
  { title: 'FED', cell: ({ fed }) => (fed.targets === 0 ? '-' : `${bytesText(fed.bytes)} to ${fed.targets}`) },
  { title: 'FED BY', cell: ({ from }) => feedersText(from) },
];

/** Bytes between a member and another, in one direction. */
interface Exchange {
  readonly peer: string;
  readonly direction: 'from' | 'to';
  readonly bytes: number;
  /** Absent: it is no member any more. */
  readonly other?: MapMember;
}

/** Both directions, most bytes first. Whom it fed is known as far as these named it among those that sent them most. */
function peersOf(one: MapMember, items: readonly MapMember[]): readonly Exchange[] {
  const from = one.from.map(({ member, name, bytes }): Exchange => {
    const other = items.find((item) => item.member === member);
    return { peer: name, direction: 'from', bytes, ...(other === undefined ? {} : { other }) };
  });
  const to = items.flatMap((other): Exchange[] => other.from.filter(({ member }) => member === one.member).map(({ bytes }) => ({ peer: other.name, direction: 'to', bytes, other })));
  return [...from, ...to].toSorted((a, b) => b.bytes - a.bytes);
}

const peerColumns: readonly Column<Exchange>[] = [
  { title: 'PEER', cell: ({ peer }) => peer },
  { title: 'DIRECTION', cell: ({ direction }) => direction },
  { title: 'BYTES', align: 'right', cell: ({ bytes }) => bytesText(bytes) },
  { title: 'ROLES', cell: ({ other }) => other?.roles.join(',') ?? '-' },
  { title: 'ZONE', cell: ({ other }) => other?.zone ?? '-' },
  { title: 'STATE', cell: ({ other }) => other?.connectivity ?? 'gone' },
];

function rateText(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? '?' : `${bytesText(bytesPerSecond)}/s`;
}

function feedersText(from: readonly { readonly name: string; readonly bytes: number }[]): string {
  return from.slice(0, feedersShown).map(({ name, bytes }) => `${name} ${bytesText(bytes)}`).join(', ') || '-';
}

function tableOf<Item>(items: readonly Item[], columns: readonly Column<Item>[], { terminal }: Context): readonly string[] {
  return renderTable(items, columns, { paint: (colour, text) => terminal.paint(colour, text), width: terminal.stdout.isTTY ? terminal.stdout.columns : undefined });
}
