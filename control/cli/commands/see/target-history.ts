// `starling target history` and `target logs`: what was deployed to one machine, how far it came each time and why not further, and what its hooks wrote.

import type { Command } from 'commander';
import type { TargetDeployment } from '../../../../proto/api/deployments.ts';
import { ControlError } from '../../../errors.ts';
import { listUpTo, shownOf } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible, visibleLines } from '../../text/escape.ts';
import { momentsAt } from '../../text/moments.ts';
import type { Column } from '../../text/table.ts';
import { bytesText, durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface HistoryFlags {
  readonly limit: string;
  readonly failed?: boolean;
}

/** Deployments that are looked through for something that was written. */
const loggedMax = 100;

/** Adds to `starling target`. */
export function registerTargetHistory(target: Command, world: World): void {
  target
    .command('history')
    .description('what was deployed to a machine, newest first, how far it came and why not further')
    .argument('<target>', 'its name or its member id')
    .option('--failed', 'only where it says why it came no further')
    .option('--limit <number>', 'so many deployments', '10')
    .action(async (id: string, { limit, failed }: HistoryFlags, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const wanted = shownOf(limit, 'deployments');
      const client = await api();
      let archived = 0;
      const { items, more } = await listUpTo(wanted, async (page) => {
        const reply = await client.call('listTargetDeployments', { params: { target: id }, query: { ...page, ...(failed === true ? { failed } : {}) } });
        archived = reply.archived ?? 0;
        return reply;
      });
      const moments = momentsAt(world.clock.now(), world.environment['TZ']);
      const columns: readonly Column<TargetDeployment>[] = [
        { title: 'DEPLOYMENT', cell: ({ deployment }) => deployment },
        { title: 'WHAT', cell: ({ type, app, number }) => `${type} of ${app}@${number}` },
        { title: 'ENVIRONMENT', cell: ({ environment }) => environment },
        { title: 'HERE', cell: ({ target: { phase } }) => phase, colour: ({ target: { code } }) => (code === undefined ? undefined : 'red') },
        { title: 'IN ALL', cell: ({ phase }) => phase },
        { title: 'STARTED', cell: ({ startedAt }) => moments.text(startedAt) },
        { title: 'TOOK', cell: ({ startedAt, target: { reportedAt, settled } }) => (reportedAt === undefined || !settled ? '' : durationText(reportedAt - startedAt)) },
        { title: 'FETCHED', cell: ({ target: { transfer } }) => (transfer === undefined ? '' : bytesText(transfer.originBytes + transfer.peerBytes)) },
        { title: 'WHY', cell: ({ target: { code, detail, refused } }) => (refused === undefined ? [code, detail].filter((part) => part !== undefined).join(': ') : `refuses order ${refused.order}: ${refused.detail}`) },
      ];
      terminal.list(items, { columns, name: ({ deployment }) => deployment, empty: failed === true ? 'nothing failed here' : 'nothing was deployed here yet' });
      if (more) terminal.say('there are more; --limit shows so many');
      else if (archived > 0) terminal.say(archivedText(archived));
    });
  target
    .command('logs')
    .description('the end of what the hooks and the application of a machine wrote in a deployment')
    .argument('<target>', 'its name or its member id')
    .option('--deployment <id>', 'in this one; else in the newest in which something was written')
    .action(async (id: string, { deployment }: { readonly deployment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const { items } = await listUpTo(loggedMax, async (page) => await client.call('listTargetDeployments', { params: { target: id }, query: page }));
      const wanted = items.find((one) => (deployment === undefined ? one.target.output !== undefined : one.deployment === deployment));
      if (wanted === undefined) throw new ControlError('NOT_FOUND', deployment === undefined ? `nothing was written in the last ${items.length} deployments of '${id}'; a target reports what was written where something failed, and what hooks say` : `'${id}' has no part in '${deployment}' among its last ${items.length} deployments; \`starling target history ${id}\` shows them`);
      terminal.object(wanted, { text: logText, name: (one) => one.deployment });
    });
}

/** What is not in the list, since nobody keeps it but the journal. */
function archivedText(count: number): string {
  const [many, were] = count === 1 ? ['1 deployment', 'was'] : [`${count} deployments`, 'were'];
  return `${many} to its environments ${were} longer ago: which of them it had a part in, only the journal tells; \`starling deployment list\` names them, \`starling deployment get\` reads one back`;
}

function logText({ deployment, app, number, target: { phase, code, detail, output } }: TargetDeployment): string {
  const why = [code, detail].filter((part) => part !== undefined).join(': ');
  return `${visible(`${deployment}  ${app}@${number} ${phase}${why === '' ? '' : `  ${why}`}`)}\n${output === undefined ? 'nothing was written' : visibleLines(output).replace(/\n$/, '')}`;
}
