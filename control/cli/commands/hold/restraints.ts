// `starling lock`, `hold`, `pin`, `unpin` and `freeze`: what people hold back, and let go again. Whatever goes past what somebody
// else wanted needs a reason.

import type { Command } from 'commander';
import type { Freeze, Hold, Lock, Pin } from '../../../../proto/api/restraints.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { parseEdge, parseReach, reachText, setText } from '../../text/governance.ts';
import { momentsAt, type Moments } from '../../text/moments.ts';
import type { ListLook } from '../../text/terminal.ts';
import type { World } from '../../world.ts';

interface Because {
  readonly reason: string;
}

/** Times as this process shows them. */
export function momentsOf({ clock, environment }: Pick<World, 'clock' | 'environment'>): Moments {
  return momentsAt(clock.now(), environment['TZ']);
}

const scopeOption = ['--scope <scope>', 'an environment, stage:PIPELINE/STAGE, pipeline:NAME, project:NAME, or all'] as const;
const reasonOption = ['--reason <text>', 'why; others will read it'] as const;

export function registerLock(program: Command, world: World): void {
  const lock = program.command('lock').description('locks: nothing new starts within their scope, what is under way goes on');
  lock
    .command('add')
    .description('lock a scope')
    .requiredOption(...scopeOption)
    .requiredOption(...reasonOption)
    .option('--until <time>', 'when it ends by itself: 4h, or 2026-12-24T18:00')
    .option('--include-rollback', 'hold rollbacks too')
    .action(async (flags: Because & { readonly scope: string; readonly until?: string; readonly includeRollback?: boolean }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const moments = momentsOf(world);
      const body = { scope: parseReach(flags.scope), reason: flags.reason, includeRollback: flags.includeRollback ?? false, ...(flags.until === undefined ? {} : { expiresAt: moments.parse(flags.until, '--until') }) };
      const made = await (await api()).call('createLock', { params: {}, body });
      terminal.object(made, { text: (one) => visible(`${reachText(one.scope)} is locked: ${one.lock}${one.expiresAt === undefined ? '' : `, until ${moments.text(one.expiresAt)}`}`), name: (one) => one.lock });
    });
  lock
    .command('list')
    .description('locks that hold something now, newest first')
    .option('-e, --environment <name>', 'only those that hold an environment, whatever their scope')
    .option('--expired', 'also those that have expired')
    .action(async (flags: { readonly environment?: string; readonly expired?: boolean }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      terminal.list(await listAll(async (page) => await client.call('listLocks', { params: {}, query: { ...page, ...flags } })), lockLook(momentsOf(world)));
    });
  lock
    .command('release')
    .description('release a lock that you hold')
    .argument('<lock>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const { reply, tag } = await client.callWithTag('getLock', { params: { lock: id } });
      await client.call('releaseLock', { params: { lock: id }, ifMatch: tag ?? '*' });
      terminal.object(reply, { text: (one) => visible(`${reachText(one.scope)} is no longer locked by ${one.lock}`), name: (one) => one.lock });
    });
  lock
    .command('break')
    .description('take away a lock that somebody else holds')
    .argument('<lock>')
    .requiredOption(...reasonOption)
    .action(async (id: string, { reason }: Because, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const broken = await (await api()).call('breakLock', { params: { lock: id }, body: { reason } });
      terminal.object(broken, { text: (one) => visible(`the lock of ${reachText(one.scope)} by ${one.holder} is broken`), name: (one) => one.lock });
    });
}

export function registerHold(program: Command, world: World): void {
  const hold = program.command('hold').description('holds: automatic promotion that waits for a person, after a rollback or a promotion against the order');
  hold
    .command('list')
    .description('promotion configurations that are on hold')
    .option('-e, --environment <name>', 'only those to an environment')
    .action(async (flags: { readonly environment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      terminal.list(await listAll(async (page) => await client.call('listHolds', { params: {}, query: { ...page, ...flags } })), holdLook(momentsOf(world)));
    });
  hold
    .command('release')
    .description('let automatic promotion go on')
    .argument('<promotion-config>', 'such as shop/alpha-prod')
    .requiredOption(...reasonOption)
    .action(async (text: string, { reason }: Because, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const params = parseEdge(text);
      const client = await api();
      const { reply, tag } = await client.callWithTag('getPromotionConfig', { params });
      await client.call('releaseHold', { params, query: { reason }, ifMatch: tag ?? '*' });
      const { hold: _hold, ...rest } = reply;
      terminal.object(rest, { text: () => visible(`${text} is no longer on hold`), name: () => text });
    });
}

export function registerPin(program: Command, world: World): void {
  program
    .command('pin')
    .description('keep an environment at a set: nothing else comes to it, not even by a rollback')
    .argument('<environment>')
    .requiredOption(...reasonOption)
    .option('-r, --revision <revision>', 'such as web@41, or web@41+api@7; what it runs now when it is left out')
    .option('--until <time>', 'when it ends by itself: 4h, or 2026-12-24T18:00')
    .action(async (environment: string, flags: Because & { readonly revision?: string; readonly until?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const moments = momentsOf(world);
      const client = await api();
      const { tag } = await client.callWithTag('getPin', { params: { environment } });
      const body = { reason: flags.reason, ...(flags.revision === undefined ? {} : { revision: flags.revision }), ...(flags.until === undefined ? {} : { until: moments.parse(flags.until, '--until') }) };
      const pin = await client.call('placePin', { params: { environment }, body, ifMatch: tag ?? '*' });
      terminal.object(pin, { text: (one) => pinText(one, moments), name: (one) => one.environment });
    });
  program
    .command('unpin')
    .description('let an environment change again')
    .argument('<environment>')
    .requiredOption(...reasonOption)
    .action(async (environment: string, { reason }: Because, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const { reply, tag } = await client.callWithTag('getPin', { params: { environment } });
      if (reply.members === undefined) throw new ControlError('NOT_FOUND', `'${environment}' is not pinned`);
      await client.call('removePin', { params: { environment }, query: { reason }, ifMatch: tag ?? '*' });
      terminal.object({ environment, pinned: false }, { text: () => visible(`${environment} is no longer pinned to ${setText(reply.members ?? [])}`), name: () => environment });
    });
}

export function registerFreeze(program: Command, world: World): void {
  const freeze = program.command('freeze').description('freezes: "not now" for a whole scope');
  freeze
    .command('start')
    .description('let nothing start in a scope')
    .requiredOption(...scopeOption)
    .requiredOption(...reasonOption)
    .option('--until <time>', 'when it ends by itself: 4h, or 2027-01-03')
    .option('--break-glass <group=count>', 'who may lift it for one promotion, such as incident-commanders=1; nobody when it is left out')
    .action(async (flags: Because & { readonly scope: string; readonly until?: string; readonly breakGlass?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const moments = momentsOf(world);
      const body = {
        scope: parseReach(flags.scope),
        reason: flags.reason,
        ...(flags.until === undefined ? {} : { until: moments.parse(flags.until, '--until') }),
        ...(flags.breakGlass === undefined ? {} : { breakGlass: ruleOf(flags.breakGlass) }),
      };
      const made = await (await api()).call('startFreeze', { params: {}, body });
      terminal.object(made, { text: (one) => visible(`${reachText(one.scope)} is frozen: ${one.freeze}${one.until === undefined ? '' : `, until ${moments.text(one.until)}`}`), name: (one) => one.freeze });
    });
  freeze
    .command('end')
    .description('end a freeze')
    .argument('<freeze>')
    .requiredOption(...reasonOption)
    .action(async (id: string, { reason }: Because, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const ended = await (await api()).call('endFreeze', { params: { freeze: id }, body: { reason } });
      terminal.object(ended, { text: (one) => visible(`${reachText(one.scope)} is no longer frozen by ${one.freeze}`), name: (one) => one.freeze });
    });
  freeze
    .command('list')
    .description('freezes that hold something now, newest first')
    .option('-e, --environment <name>', 'only those that hold an environment, whatever their scope')
    .option('--over', 'also those whose time has passed')
    .action(async (flags: { readonly environment?: string; readonly over?: boolean }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      terminal.list(await listAll(async (page) => await client.call('listFreezes', { params: {}, query: { ...page, ...flags } })), freezeLook(momentsOf(world)));
    });
}

function ruleOf(text: string): { readonly group: string; readonly count: number } {
  const [, group = '', count = '1'] = /^([a-z0-9-]{1,64})(?:=([1-9][0-9]?))?$/.exec(text) ?? [];
  if (group === '') throw new ControlError('CONFIG_INVALID', `--break-glass: '${text}' is not a group with a number, such as incident-commanders=1`);
  return { group, count: Number(count) };
}

function pinText({ environment, members = [], until, reason }: Pin, moments: Moments): string {
  return visible(`${environment} is pinned to ${setText(members)}${until === undefined ? '' : ` until ${moments.text(until)}`}: ${reason ?? ''}`);
}

function lockLook(moments: Moments): ListLook<Lock> {
  return {
    name: ({ lock }) => lock,
    empty: 'nothing is locked',
    columns: [
      { title: 'LOCK', cell: ({ lock }) => lock },
      { title: 'SCOPE', cell: ({ scope }) => reachText(scope) },
      { title: 'HOLDER', cell: ({ mode, holder }) => (mode === 'workflow' ? `run ${holder}` : holder) },
      { title: 'SINCE', cell: ({ at }) => moments.relative(at) },
      { title: 'UNTIL', cell: ({ expiresAt, expired }) => (expiresAt === undefined ? '-' : expired ? 'expired' : moments.text(expiresAt)) },
      { title: 'REASON', cell: ({ reason }) => reason },
    ],
  };
}

function holdLook(moments: Moments): ListLook<Hold> {
  return {
    name: ({ pipeline, edge }) => `${pipeline}/${edge}`,
    empty: 'nothing is on hold',
    columns: [
      { title: 'PROMOTION-CONFIG', cell: ({ pipeline, edge }) => `${pipeline}/${edge}` },
      { title: 'TO', cell: ({ environment }) => environment },
      { title: 'BY', cell: ({ by }) => by },
      { title: 'SINCE', cell: ({ at }) => moments.relative(at) },
      { title: 'REASON', cell: ({ reason }) => reason },
    ],
  };
}

function freezeLook(moments: Moments): ListLook<Freeze> {
  return {
    name: ({ freeze }) => freeze,
    empty: 'nothing is frozen',
    columns: [
      { title: 'FREEZE', cell: ({ freeze }) => freeze },
      { title: 'SCOPE', cell: ({ scope }) => reachText(scope) },
      { title: 'BY', cell: ({ by }) => by },
      { title: 'SINCE', cell: ({ at }) => moments.relative(at) },
      { title: 'UNTIL', cell: ({ until, over }) => (until === undefined ? '-' : over ? 'over' : moments.text(until)) },
      { title: 'LIFTED BY', cell: ({ breakGlass }) => (breakGlass === undefined ? 'nobody' : `${breakGlass.count} of ${breakGlass.group}`) },
      { title: 'REASON', cell: ({ reason }) => reason },
    ],
  };
}
