// `starling changes`: how far each check-in is, newest first, environment by environment.

import type { Command } from 'commander';
import type { ChangeProgress, Changes, ChangesQuery } from '../../../../proto/api/history.ts';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { momentsAt, type Moments } from '../../text/moments.ts';
import { parseSince } from '../../since.ts';
import type { Colour, Column } from '../../text/table.ts';
import type { World } from '../../world.ts';

/** Check-ins shown when nobody says how many: what fits on a screen or two. */
const shownDefault = 50;
const messageCharactersMax = 48;
const commitCharacters = 10;

interface Flags {
  readonly pipeline?: string;
  readonly since?: string;
  readonly author?: string;
  readonly app?: string;
  readonly all?: boolean;
  readonly limit: string;
}

export function registerChanges(program: Command, world: World): void {
  program
    .command('changes')
    .description('how far changes are, newest first: all that an environment still lacks, or those since a time')
    .option('--since <when>', 'all check-ins since then, also those that are everywhere: 36h, or an instant such as 2026-06-01T12:00Z')
    .option('--author <person>', 'only those of one person')
    .option('-a, --app <name>', 'only those of one application')
    .option('-p, --pipeline <name>', 'only the environments of one pipeline')
    .option('--all', 'also those that are everywhere')
    .option('--limit <number>', 'so many check-ins', String(shownDefault))
    .action(async (flags: Flags, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const moments = momentsAt(world.clock.now(), world.environment['TZ']);
      const { columns, items, more } = await changesOf(await api(), flags, world.clock.now());
      const width = { columns: [...headColumns(moments), ...columns.map((column): Column<ChangeProgress> => cellColumn(column.environment, moments))] };
      terminal.list(items, { ...width, name: ({ app, number, commit }) => commit ?? `${app}@${number}`, empty: flags.since === undefined && flags.all !== true ? 'every change is everywhere; --all shows them' : 'no change that fits' });
      if (terminal.format === 'table') for (const line of items.flatMap((item) => reasonsOf(item, moments))) terminal.line(line);
      if (more) terminal.say(`there are more; --limit shows so many, --since and --author fewer`);
    });
}

async function changesOf(api: Api, { limit, since, author, app, all, pipeline }: Flags, now: number): Promise<Pick<Changes, 'columns' | 'items'> & { readonly more: boolean }> {
  const wanted = Number(limit);
  if (!Number.isInteger(wanted) || wanted < 1) throw new ControlError('CONFIG_INVALID', `--limit: '${limit}' is not a number of check-ins`);
  const filter: ChangesQuery = {
    ...(since === undefined ? {} : { since: parseSince(since, '--since', now) }),
    ...(since === undefined && all !== true ? { inFlight: true } : {}),
    ...(author === undefined ? {} : { author }),
    ...(app === undefined ? {} : { app }),
  };
  const items: ChangeProgress[] = [];
  let columns: Changes['columns'] = [];
  let cursor: string | undefined;
  do {
    const query = { ...filter, limit: Math.min(limits.pageItemsMax, wanted - items.length), ...(cursor === undefined ? {} : { cursor }) };
    const page = pipeline === undefined ? await api.call('listChanges', { params: {}, query }) : await api.call('listPipelineChanges', { params: { pipeline }, query });
    items.push(...page.items);
    columns = page.columns;
    cursor = page.next;
  } while (cursor !== undefined && items.length < wanted);
  return { columns, items, more: cursor !== undefined };
}

function headColumns(moments: Moments): readonly Column<ChangeProgress>[] {
  return [
    { title: 'WHEN', cell: ({ at }) => moments.relative(at) },
    { title: 'CHANGE', cell: (item) => (item.commit === undefined ? `${item.app}@${item.number}` : `${item.commit.slice(0, commitCharacters)} (${partsOf(item).map(({ app, number }) => `${app}@${number}`).join(', ')})`) },
    { title: 'AUTHOR', cell: ({ author }) => author.replace(/\s*<[^>]*>\s*$/, '') },
    { title: 'WHAT', cell: ({ message }) => firstLine(message) },
  ];
}

function firstLine(message: string): string {
  const line = message.split('\n', 1)[0] ?? '';
  return line.length > messageCharactersMax ? `${line.slice(0, messageCharactersMax - 1)}…` : line;
}

type Cell = ChangeProgress['cells'][number];
type Part = Pick<ChangeProgress, 'app' | 'number' | 'cells'>;

/** A commit in each application that it changed. */
function partsOf(item: ChangeProgress): readonly Part[] {
  return [item, ...(item.also ?? [])];
}

function cellColumn(environment: string, moments: Moments): Column<ChangeProgress> {
  const placed = (item: ChangeProgress): readonly { readonly app: string; readonly cell: Cell }[] =>
    partsOf(item).flatMap(({ app, cells }) => cells.filter((cell) => cell.environment === environment).map((cell) => ({ app, cell })));
  return {
    title: environment.toUpperCase(),
    cell: (item) => {
      const texts = placed(item).map(({ app, cell }) => ({ app, text: cellText(cell, moments) }));
      const same = new Set(texts.map(({ text }) => text)).size < 2;
      return same ? (texts[0]?.text ?? '') : texts.map(({ app, text }) => `${app} ${text}`).join('; ');
    },
    // The one that is least far: that is what somebody waits for.
    colour: (item) => colours[placed(item).map(({ cell }) => cell.state).toSorted((a, b) => order.indexOf(a) - order.indexOf(b))[0] ?? 'absent'],
  };
}

const order: readonly Cell['state'][] = ['failed', 'rolled-back', 'waiting', 'deploying', 'absent', 'there'];
const colours: Readonly<Record<Cell['state'], Colour>> = { absent: 'dim', waiting: 'yellow', deploying: 'cyan', there: 'green', failed: 'red', 'rolled-back': 'red' };

function cellText(cell: Cell, moments: Moments): string {
  const since = cell.since === undefined ? '' : ` ${moments.relative(cell.since)}`;
  if (cell.state === 'absent') return '-';
  if (cell.state === 'there') return `there, since${since}`;
  if (cell.state === 'deploying') return `deploying ${cell.percent ?? 0} %`;
  return cell.state === 'waiting' ? 'waiting' : `${cell.state}${since}`;
}

/** Below the table: what each change waits for, and why it failed. */
function reasonsOf(item: ChangeProgress, moments: Moments): readonly string[] {
  const { app: first, number: of, commit } = item;
  const lines = partsOf(item).flatMap(({ app, number, cells }) => {
    const told = cells.filter(({ reason }) => reason !== undefined);
    return told.map(({ environment, reason, until, number: by }) => {
      const what = by === undefined || by === number ? (item.also === undefined ? '' : ` (${app}@${number})`) : ` (with ${app}@${by})`;
      return `  ${environment}${what}: ${reason ?? ''}${until === undefined ? '' : `; until ${moments.text(until)}`}`;
    });
  });
  if (lines.length === 0) return [];
  return ['', `${commit === undefined ? `${first}@${of}` : commit.slice(0, commitCharacters)}:`, ...lines].map(visible);
}
