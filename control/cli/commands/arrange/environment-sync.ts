// `starling env sync`: brings the targets that are not as their environment has it to what it has, where nothing does so by itself. What they lack is `env drift`.

import type { Command } from 'commander';
import type { DeploymentSummary } from '../../../../proto/api/deployments.ts';
import type { Drift } from '../../../../proto/api/targets.ts';
import { ControlError } from '../../../errors.ts';
import { listAll, type Api } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { countText } from '../../text/text.ts';
import type { World } from '../../world.ts';
import { conclude, patienceOf, reasonOf, waitOptions, type WaitFlags } from '../release/rollout.ts';

/** Deployments among which the newest of an application is looked for. */
const newestMax = 100;

/** Adds to `starling env`. */
export function registerEnvironmentSync(environment: Command, world: World): void {
  const sync = environment
    .command('sync')
    .description('try again on the targets that do not run what the environment has')
    .argument('<environment>')
    .option('--reason <text>', 'why, for the record');
  waitOptions(sync).action(async (name: string, flags: WaitFlags & { readonly reason?: string }, self: Command) => {
    const context = contextOf(world, self);
    const patience = patienceOf(flags);
    const api = await context.api();
    const drift = await listAll(async (query) => await api.call('listDrift', { params: { environment: name }, query }));
    if (drift.length === 0) return context.terminal.say(visible(`everything is as ${name} has it`));
    for (const line of leftAlone(drift)) context.terminal.say(visible(line));
    const lacking = new Map(drift.filter(isForPeople).map(({ app, wanted }) => [app, wanted]));
    for (const [app, wanted] of lacking) {
      const { deployment, finishedAt } = await newestOf(api, name, app, wanted);
      if (finishedAt === undefined) context.terminal.say(visible(`${deployment} is under way and comes to them`));
      else await conclude(context, api, await api.call('retryDeployment', { params: { deployment }, body: reasonOf(flags) }), patience);
    }
  });
}

/** Whether somebody has to say that it is tried again: a deployment failed there. */
function isForPeople({ deployment, caughtUp, why }: Drift): boolean {
  return deployment === undefined && !caughtUp && (why === 'missing' || why === 'other');
}

/** What this command does nothing about, and who does. */
function leftAlone(drift: readonly Drift[]): readonly string[] {
  const counted = (wanted: (one: Drift) => boolean, text: string): readonly string[] => {
    const names = drift.filter(wanted).map(({ name }) => name);
    return names.length === 0 ? [] : [`${countText(names.length, 'target')} (${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}) ${text}`];
  };
  return [
    ...counted(({ deployment }) => deployment !== undefined, 'being changed already'),
    ...counted(({ deployment, caughtUp }) => deployment === undefined && caughtUp, 'caught up without your help, as soon as gates allow and they are heard'),
    ...counted(({ deployment, caughtUp, why }) => deployment === undefined && !caughtUp && (why === 'unhealthy' || why === 'changed'), 'with the right revision, but not in order: see `starling target get`, and the log of starlingd there'),
  ];
}

/** The deployment to try again: of those that brought what is wanted, the newest that failed somewhere, be it one that only came after. @throws {ControlError} NOT_FOUND; CONFLICT when it brought something else. */
async function newestOf(api: Api, environment: string, app: string, wanted: Drift['wanted']): Promise<DeploymentSummary> {
  const { items } = await api.call('listDeployments', { params: {}, query: { environment, limit: newestMax } });
  const newest = items.find((one) => one.app === app && one.type !== 'prefetch' && one.type !== 'catch-up');
  if (newest === undefined) throw new ControlError('NOT_FOUND', `none of the last ${items.length} deployments in '${environment}' was of ${app}; \`starling promote --to ${environment} --app ${app} --revision ${wanted.number}\` begins a new one`);
  const { deployment, to, number, phase } = newest;
  if (to === wanted.revision) {
    const since = items.slice(0, items.indexOf(newest) + 1).filter((one) => one.app === app && one.to === to && one.type !== 'prefetch');
    return since.find((one) => one.finishedAt === undefined || one.phase !== 'succeeded' || one.progress.failed > 0) ?? newest;
  }
  throw new ControlError('CONFLICT', `'${environment}' has ${app}@${wanted.number}, and ${deployment}, which brought ${app}@${number}, ${phase}: \`starling deployment retry ${deployment}\` goes on to ${app}@${number}, \`starling rollback ${environment} --to ${wanted.number}\` goes back`);
}
