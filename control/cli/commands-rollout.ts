// `starling promote`, `rollback` and `explain`: what moves an environment, and why it does not move.

import type { Command } from 'commander';
import type { Explanation, Promotion } from '../../proto/api/promotions.ts';
import { ControlError } from '../errors.ts';
import type { Api } from './api.ts';
import { createBoard } from './board.ts';
import { contextOf, type Context } from './context.ts';
import { visible } from './escape.ts';
import type { ExitCode } from './exit.ts';
import { follow, requireSuccess, type Seen } from './follow.ts';
import { durationText, parseDuration } from './text.ts';
import type { World } from './world.ts';

/** `--wait` without a duration. */
const waitDefault = '30m';

export interface WaitFlags {
  readonly wait?: string | true;
  readonly watch?: boolean;
}

interface PromoteFlags extends WaitFlags {
  readonly to: string;
  readonly app?: string;
  readonly revision: string;
  readonly reason?: string;
}

export function registerPromote(program: Command, world: World): void {
  const command = program
    .command('promote')
    .description('promote a revision to an environment')
    .requiredOption('-t, --to <environment>', 'where to')
    .option('-a, --app <name>', 'the application; every environment has one, so this only makes sure')
    .option('-r, --revision <revision>', 'latest, a number (41 or web@41), a digest, an identifier or an alias', 'latest')
    .option('--reason <text>', 'why, for the record');
  waitOptions(command).action(async (flags: PromoteFlags, self: Command) => {
    const context = contextOf(world, self);
    const patience = patienceOf(flags);
    const api = await context.api();
    if (flags.app !== undefined) await requireApp(api, flags.to, flags.app);
    const revision = flags.app !== undefined && /^[0-9]+$/.test(flags.revision) ? `${flags.app}@${flags.revision}` : flags.revision;
    const promotion = await api.call('createPromotion', { params: {}, body: { environment: flags.to, revision, ...reasonOf(flags) } });
    await conclude(context, api, promotion, patience);
  });
}

export function registerRollback(program: Command, world: World): void {
  const command = program
    .command('rollback')
    .description('go back to a revision that succeeded before')
    .argument('<environment>')
    .option('--to <revision>', 'previous, or the number of a revision', 'previous')
    .option('--reason <text>', 'why, for the record');
  waitOptions(command).action(async (environment: string, flags: WaitFlags & { readonly to: string; readonly reason?: string }, self: Command) => {
    const context = contextOf(world, self);
    const patience = patienceOf(flags);
    const to = rollbackTarget(flags.to);
    const api = await context.api();
    const promotion = await api.call('createRollback', { params: { environment }, body: { to, ...reasonOf(flags) } });
    await conclude(context, api, promotion, patience);
  });
}

export function registerExplain(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  program
    .command('explain')
    .description('why something is not moving: what holds it, since when, until when (exit code 6 when a gate does)')
    .argument('<environment|promotion>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const explanation = await explain(await api(), id);
      terminal.object(explanation, { text: (item) => describeExplanation(item, world.clock.now()), name: ({ subject }) => subject.id });
      if (explanation.blockers.length > 0) setExit(6);
    });
}

export function waitOptions(command: Command): Command {
  return command
    .option('-w, --wait [duration]', `wait until it is over, ${waitDefault} when no duration is given`)
    .option('--watch', 'show how it goes until it is over, however long it takes');
}

/** How long to stay, and what to show; undefined: not at all. Read before anything is asked for, since a mistake must change nothing. */
export interface Patience {
  readonly timeoutMs?: number;
  readonly watch: boolean;
}

export function patienceOf({ wait, watch }: WaitFlags): Patience | undefined {
  if (wait === undefined) return watch === true ? { watch } : undefined;
  return { timeoutMs: parseDuration(wait === true ? waitDefault : wait, '--wait'), watch: watch ?? false };
}

export function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function rollbackTarget(text: string): 'previous' | number {
  if (text === 'previous') return text;
  const number = /^(?:[a-z0-9-]+@)?([1-9][0-9]{0,9})$/.exec(text)?.[1];
  if (number === undefined) throw new ControlError('CONFIG_INVALID', `--to: '${text}' is not 'previous' or the number of a revision, such as 41`);
  return Number(number);
}

async function requireApp(api: Api, environment: string, app: string): Promise<void> {
  const found = await api.call('getEnvironment', { params: { environment } });
  if (found.app !== app) throw new ControlError('CONFLICT', `environment '${environment}' runs '${found.app}', not '${app}'`);
}

/** Prints the promotion at once, or when it is over; `deployment` is the one to follow where it is not the promotion's newest. */
export async function conclude({ terminal, world }: Context, api: Api, promotion: Promotion, patience: Patience | undefined, deployment?: string): Promise<void> {
  const look = { text: describePromotion, name: ({ promotion: id }: Promotion) => id };
  if (patience === undefined) {
    terminal.object(promotion, look);
    terminal.say(`follow it with \`starling status ${promotion.environment} --watch\`, or ask \`starling explain ${promotion.promotion}\``);
    return;
  }
  const board = createBoard(terminal, world.clock);
  const streams = patience.watch && (terminal.format === 'json' || terminal.format === 'jsonl');
  let printed = '';
  const onSeen = (seen: Seen): void => {
    board.show(seen);
    const text = JSON.stringify(seen);
    if (streams && text !== printed) terminal.item(seen, { text: () => '', name: () => '' });
    printed = text;
  };
  try {
    const seen = await follow(api, promotion.promotion, { onSeen, ...(deployment === undefined ? {} : { deployment }), ...(patience.timeoutMs === undefined ? {} : { timeoutMs: patience.timeoutMs }) }, world);
    board.close();
    if (!streams) terminal.object(seen.promotion, look);
    requireSuccess(seen);
  } finally {
    board.close();
  }
}

/** One line. */
export function describePromotion({ promotion, app, number, environment, phase, outcome }: Promotion): string {
  return visible(`${promotion}  ${app}@${number} → ${environment}  ${phase}${outcome === undefined ? '' : `: ${outcome}`}`);
}

async function explain(api: Api, id: string): Promise<Explanation> {
  for (const ask of [
    async () => await api.call('explainEnvironment', { params: { environment: id } }),
    async () => await api.call('explainPromotion', { params: { promotion: id } }),
  ]) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ControlError) || (error.code !== 'NOT_FOUND' && error.code !== 'INVALID_REQUEST')) throw error;
    }
  }
  throw new ControlError('NOT_FOUND', `there is neither an environment nor a promotion '${id}'; \`starling env list\` shows the environments`);
}

function describeExplanation({ summary, phase, blockers, waits, nextCheckAt, progress }: Explanation, now: number): string {
  const until = (at: number | undefined): string => (at === undefined ? '' : ` (${at > now ? `for another ${durationText(at - now)}, ` : ''}until ${new Date(at).toISOString()})`);
  const lines = [
    `${summary} [${phase}]`,
    ...blockers.map(({ type, reason, since, until: end, ref }) => `  blocked by ${type}: ${reason}, for ${durationText(now - since)}${until(end)}${ref === undefined ? '' : ` [${ref}]`}`),
    ...waits.map(({ reason, until: end }) => `  waits for ${reason}${until(end)}`),
    ...(progress === undefined ? [] : [`  targets: ${progress.done} of ${progress.total} done, ${progress.inFlight} under way, ${progress.failed} failed; batch ${Math.min(progress.batch + 1, progress.batches)} of ${progress.batches}`]),
    ...(nextCheckAt === undefined || nextCheckAt <= now ? [] : [`  looked at again in ${durationText(nextCheckAt - now)}`]),
  ];
  return lines.map(visible).join('\n');
}
