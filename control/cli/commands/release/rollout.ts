// `starling promote` and `rollback`: what moves an environment. Why it does not move is explain.ts.

import type { Command } from 'commander';
import type { Promotion } from '../../../../proto/api/promotions.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { createBoard } from '../../text/board.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { describeForecast } from '../../text/forecast.ts';
import { follow, requireSuccess, type Seen } from '../../follow.ts';
import { broughtText, parseSet } from '../../text/governance.ts';
import { momentsAt } from '../../text/moments.ts';
import { parseDuration } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** `promote` without a revision: what has been tried where it comes from, not what was pushed last. */
const revisionDefault = 'source';

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
  readonly set?: string;
  readonly hotfix?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export function registerPromote(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  const command = program
    .command('promote')
    .description('promote a revision to an environment')
    .argument('[revision]', 'such as web@41, the same as --revision; or several, such as web@41,api@7, the same as --set')
    .requiredOption('-t, --to <environment>', 'where to')
    .option('-a, --app <name>', 'whose revision it is, where the environment runs several')
    .option('-r, --revision <revision>', 'source (what runs where it is promoted from; of a hotfix it is latest), latest, a number (41 or web@41), a digest, an identifier or an alias', revisionDefault)
    .option('--set <revisions>', 'several applications at once, such as web@41,api@7 or web=41,api=7')
    .option('--hotfix', 'past stages, soak, workflows and approvals, never past policies, vetoes, pins, locks or freezes; needs --reason')
    .option('--reason <text>', 'why, for the record')
    .option('--dry-run', 'make nothing: say what would hold it, its batches, bytes and times (exit code 6 when a gate would hold it)');
  waitOptions(command).action(async (named: string | undefined, given: PromoteFlags, self: Command) => {
    const context = contextOf(world, self);
    const flags = withNamed(given, named, self);
    const patience = patienceOf(flags);
    if (flags.hotfix === true && flags.reason === undefined) throw new ControlError('CONFIG_INVALID', '--hotfix goes past gates, and needs --reason');
    if (flags.dryRun === true && patience !== undefined) throw new ControlError('CONFIG_INVALID', '--dry-run makes nothing that one could wait for: leave --wait and --watch out');
    const set = flags.set === undefined ? undefined : parseSet(flags.set, '--set');
    const alone = flags.revision === revisionDefault && flags.app === undefined;
    if (set !== undefined && !alone) throw new ControlError('CONFIG_INVALID', '--set names applications and revisions itself: leave --app and --revision out');
    const api = await context.api();
    if (flags.app !== undefined) await requireApp(api, flags.to, flags.app);
    const revision = flags.app !== undefined && !flags.revision.startsWith(`${flags.app}@`) ? `${flags.app}@${flags.revision}` : flags.revision;
    const body = { environment: flags.to, revision: set ?? revision, ...(flags.hotfix === true ? { hotfix: true } : {}), ...reasonOf(flags) };
    if (flags.dryRun === true) {
      const forecast = await api.call('dryRunPromotion', { params: {}, body });
      context.terminal.object(forecast, { text: (item) => describeForecast(item, momentsAt(world.clock.now(), world.environment['TZ'])), name: ({ environment }) => environment });
      if (forecast.blockers.length > 0) setExit(6);
      return;
    }
    const promotion = await api.call('createPromotion', { params: {}, body });
    await conclude(context, api, promotion, patience);
  });
}

/** The flags with the revision, or the set, that was named without one. @throws {ControlError} CONFIG_INVALID when both were. */
function withNamed(flags: PromoteFlags, named: string | undefined, self: Command): PromoteFlags {
  // A hotfix goes past the very source.
  if (named === undefined) return flags.hotfix === true && flags.set === undefined && self.getOptionValueSource('revision') === 'default' ? { ...flags, revision: 'latest' } : flags;
  if (flags.set !== undefined || self.getOptionValueSource('revision') !== 'default') throw new ControlError('CONFIG_INVALID', `'${named}' says what to promote, and so do --revision and --set: leave one out`);
  return /[+,]/.test(named) ? { ...flags, set: named } : { ...flags, revision: named };
}

export function registerRollback(program: Command, world: World): void {
  const command = program
    .command('rollback')
    .description('go back to a revision that succeeded before')
    .argument('<environment>')
    .option('--to <revision>', 'previous, the number of a revision, or of several applications web@41,api@7', 'previous')
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

function rollbackTarget(text: string): string | number {
  if (text === 'previous') return text;
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  if (!/[=@]/.test(text)) throw new ControlError('CONFIG_INVALID', `--to: '${text}' is not 'previous' or the number of a revision, such as 41, or a set such as web@41,api@7`);
  return parseSet(text, '--to');
}

async function requireApp(api: Api, environment: string, app: string): Promise<void> {
  const found = await api.call('getEnvironment', { params: { environment } });
  const runs = found.apps.map((one) => one.app);
  if (!runs.includes(app)) throw new ControlError('CONFLICT', `environment '${environment}' runs ${runs.map((one) => `'${one}'`).join(', ')}, not '${app}'`);
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
export function describePromotion(one: Promotion): string {
  const { promotion, environment, phase, outcome } = one;
  return visible(`${promotion}  ${broughtText(one)} → ${environment}  ${phase}${outcome === undefined ? '' : `: ${outcome}`}`);
}
