// `starling promotion …`: what was asked for, what became of it, and how one that waits or deploys is followed or ended. Making one is
// `starling promote` (rollout.ts); why it does not move is `starling explain`.

import type { Command } from 'commander';
import { promotionPhases, type Promotion } from '../../../../proto/api/promotions.ts';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import { phaseColour } from '../../text/board.ts';
import { conclude, patienceOf, reasonOf } from './rollout.ts';
import { momentsOf } from '../hold/restraints.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { broughtText } from '../../text/governance.ts';
import type { Moments } from '../../text/moments.ts';
import type { World } from '../../world.ts';

/** Promotions that `list` shows unless told otherwise: the newest are the ones that people ask about. */
const shownDefault = '20';

interface ListFlags {
  readonly environment?: string;
  readonly phase?: string;
  readonly limit: string;
}

export function registerPromotion(program: Command, world: World): void {
  const promotion = program.command('promotion').description('promotions: what was asked for, and what became of it');
  promotion
    .command('list')
    .description('the newest promotions')
    .option('-e, --environment <name>', 'only those to an environment')
    .option('--phase <phase>', `only those in a phase: ${promotionPhases.join(', ')}`)
    .option('-n, --limit <count>', `how many, at most ${limits.pageItemsMax}`, shownDefault)
    .action(async ({ environment, phase, limit }: ListFlags, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const wanted = promotionPhases.find((one) => one === phase);
      if (phase !== undefined && wanted === undefined) throw new ControlError('CONFIG_INVALID', `--phase: '${phase}' is none of ${promotionPhases.join(', ')}`);
      if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > limits.pageItemsMax) throw new ControlError('CONFIG_INVALID', `--limit: '${limit}' is not a number from 1 to ${limits.pageItemsMax}`);
      const client = await api();
      // Asked for by itself, an unknown environment would only be an empty list.
      if (environment !== undefined) await client.call('getEnvironment', { params: { environment } });
      const query = { limit: Number(limit), ...(environment === undefined ? {} : { environment }), ...(wanted === undefined ? {} : { phase: wanted }) };
      const moments = momentsOf(world);
      terminal.list((await client.call('listPromotions', { params: {}, query })).items, {
        name: ({ promotion: id }) => id,
        empty: 'no such promotion: `starling promote` makes one',
        columns: [
          { title: 'PROMOTION', cell: ({ promotion: id }) => id },
          { title: 'WHAT', cell: broughtText },
          { title: 'TO', cell: ({ environment: to }) => to },
          { title: 'PHASE', cell: ({ phase: so }) => so, colour: ({ phase: so }) => phaseColour(so) },
          { title: 'HOW', cell: howText },
          { title: 'SINCE', cell: ({ createdAt }) => moments.relative(createdAt) },
          { title: 'WHY', cell: ({ outcome, reason }) => outcome ?? reason ?? '-' },
        ],
      });
    });
  promotion
    .command('get')
    .description('one promotion, with what came of it')
    .argument('<promotion>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('getPromotion', { params: { promotion: id } });
      terminal.object(found, { text: (one) => promotionText(one, momentsOf(world)), name: ({ promotion: name }) => name });
    });
  promotion
    .command('watch')
    .description('follow a promotion until it is over')
    .argument('<promotion>')
    .option('--timeout <duration>', 'give up after this long, such as 30m')
    .action(async (id: string, { timeout }: { readonly timeout?: string }, self: Command) => {
      const context = contextOf(world, self);
      const patience = timeout === undefined ? { watch: true } : { ...patienceOf({ wait: timeout }), watch: true };
      const api = await context.api();
      await conclude(context, api, await api.call('getPromotion', { params: { promotion: id } }), patience);
    });
  promotion
    .command('abort')
    .description('end a promotion that waits or deploys; what it has changed stays as it is')
    .argument('<promotion>')
    .option('--reason <text>', 'why, for the record')
    .action(async (id: string, flags: { readonly reason?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const ended = await (await api()).call('abortPromotion', { params: { promotion: id }, body: reasonOf(flags) });
      terminal.object(ended, { text: (one) => promotionText(one, momentsOf(world)), name: ({ promotion: name }) => name });
    });
}

function howText({ trigger, cause, edge }: Promotion): string {
  return [trigger === 'rollback' ? 'rollback' : (cause ?? 'by hand'), ...(edge === undefined ? [] : [`by ${edge}`])].join(' ');
}

function promotionText(one: Promotion, moments: Moments): string {
  const { promotion, environment, phase, outcome, reason, createdAt, finishedAt, by, deployment, retryOf, attempt } = one;
  const open = finishedAt === undefined;
  return [
    `${promotion}: ${broughtText(one)} → ${environment}  ${phase}${outcome === undefined ? '' : `: ${outcome}`}`,
    `  asked ${moments.relative(createdAt)}, ${howText(one)}, by ${by}${reason === undefined ? '' : `: ${reason}`}`,
    ...(retryOf === undefined ? [] : [`  attempt ${attempt ?? 2}, after deployment ${retryOf}`]),
    ...(deployment === undefined ? [] : [`  newest deployment ${deployment}: starling deployment get ${deployment}`]),
    ...(open ? [`  what holds it: starling explain ${promotion}`] : [`  ended ${moments.relative(finishedAt)}`]),
  ].map(visible).join('\n');
}
