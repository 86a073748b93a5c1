// `starling deployment …`: what was rolled out, how far it is, and what a person does about one that is under way.

import type { Command } from 'commander';
import type { Batch, Deployment, DeploymentSummary, DeploymentsQuerySchema } from '../../../../proto/api/deployments.ts';
import type { Static } from 'typebox';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { phaseColour } from '../../text/board.ts';
import { conclude, patienceOf, reasonOf, waitOptions, type WaitFlags } from './rollout.ts';
import { contextOf } from '../../context.ts';
import { visible, visibleLines } from '../../text/escape.ts';
import { renderTable } from '../../text/table.ts';
import type { ListLook } from '../../text/terminal.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface ReasonFlags {
  readonly reason?: string;
}

/** Deployments that `list` shows unless told otherwise: the newest are the ones that people ask about. */
const shownDefault = '20';

export function registerDeployment(program: Command, world: World): void {
  const deployment = program.command('deployment').description('look at deployments, and pause, resume, speed up, retry or abort one');
  deployment
    .command('list')
    .description('the newest deployments')
    .option('-e, --environment <name>', 'only those of an environment')
    .option('--phase <phase>', 'only those in a phase, such as running or failed')
    .option('-n, --limit <count>', `how many, at most ${limits.pageItemsMax}`, shownDefault)
    .action(async ({ environment, phase, limit }: { readonly environment?: string; readonly phase?: string; readonly limit: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > limits.pageItemsMax) throw new ControlError('CONFIG_INVALID', `--limit: '${limit}' is not a number from 1 to ${limits.pageItemsMax}`);
      const query = { limit: Number(limit), ...(environment === undefined ? {} : { environment }), ...(phase === undefined ? {} : { phase: phaseOf(phase) }) };
      const client = await api();
      // Asked for by itself, an unknown environment would only be an empty list.
      if (environment !== undefined) await client.call('getEnvironment', { params: { environment } });
      terminal.list((await client.call('listDeployments', { params: {}, query })).items, look(world.clock.now()));
    });
  deployment
    .command('get')
    .description('one deployment, batch by batch')
    .argument('<deployment>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('getDeployment', { params: { deployment: id } });
      terminal.object(found, { text: (one) => describe(one, world.clock.now()).map(visible).join('\n'), name: (one) => one.deployment });
    });
  deployment
    .command('watch')
    .description('follow a deployment until it is over')
    .argument('<deployment>')
    .option('--timeout <duration>', 'give up after this long, such as 30m')
    .action(async (id: string, { timeout }: { readonly timeout?: string }, self: Command) => {
      const context = contextOf(world, self);
      const patience = timeout === undefined ? { watch: true } : { ...patienceOf({ wait: timeout }), watch: true };
      const api = await context.api();
      const { promotion } = await api.call('getDeployment', { params: { deployment: id } });
      await conclude(context, api, await api.call('getPromotion', { params: { promotion } }), patience, id);
    });
  registerLogs(deployment, world);
  registerActions(deployment, world);
  const retry = deployment.command('retry').description('bring the same set once more to the targets that lack it').argument('<deployment>').option('--reason <text>', 'why, for the record');
  waitOptions(retry).action(async (id: string, flags: WaitFlags & ReasonFlags, self: Command) => {
    const context = contextOf(world, self);
    const patience = patienceOf(flags);
    const api = await context.api();
    await conclude(context, api, await api.call('retryDeployment', { params: { deployment: id }, body: reasonOf(flags) }), patience);
  });
}

function registerLogs(deployment: Command, world: World): void {
  deployment
    .command('logs')
    .description('what each target said: how far it came, why not further, and the end of what its hooks wrote')
    .argument('<deployment>')
    .option('-t, --target <name>', 'only this one')
    .option('--failed', 'only those that say why they came no further')
    .action(async (id: string, { target, failed }: { readonly target?: string; readonly failed?: boolean }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const all = await listAll(async (query) => await client.call('listDeploymentTargets', { params: { deployment: id }, query }));
      const wanted = all.filter(({ name, member, code }) => (target === undefined || name === target || member === target) && (failed !== true || code !== undefined));
      if (target !== undefined && wanted.length === 0 && failed !== true) throw new ControlError('NOT_FOUND', `deployment '${id}' has no target '${target}'`);
      terminal.list(wanted, {
        name: ({ name }) => name,
        empty: failed === true ? 'no target says why it came no further' : 'it has no targets',
        columns: [
          { title: 'TARGET', cell: ({ name }) => name },
          { title: 'BATCH', cell: ({ batch }) => `${batch + 1}`, align: 'right' },
          { title: 'PHASE', cell: ({ phase }) => phase },
          { title: 'CODE', cell: ({ code }) => code ?? '-' },
          { title: 'DETAIL', cell: ({ detail }) => detail ?? '-' },
        ],
      });
      if (terminal.format !== 'table') return;
      for (const { name, output } of wanted) if (output !== undefined) terminal.stdout.write(visibleLines(`\n— ${name}\n${output}${output.endsWith('\n') ? '' : '\n'}`));
    });
}

const actions = [
  { name: 'pause', operation: 'pauseDeployment', description: 'activate nothing more until it is resumed; what is in flight comes to its end' },
  { name: 'resume', operation: 'resumeDeployment', description: 'let a paused deployment go on' },
  { name: 'next-batch', operation: 'nextBatch', description: 'go on to the next batch without the rest of the bake, or what verifies it' },
  { name: 'abort', operation: 'abortDeployment', description: 'stop it where it is, and leave done what is done' },
] as const;

function registerActions(deployment: Command, world: World): void {
  for (const { name, operation, description } of actions) {
    deployment
      .command(name)
      .description(description)
      .argument('<deployment>')
      .option('--reason <text>', 'why, for the record')
      .action(async (id: string, flags: ReasonFlags, self: Command) => {
        const { api, terminal } = contextOf(world, self);
        const changed = await (await api()).call(operation, { params: { deployment: id }, body: reasonOf(flags) });
        terminal.object(changed, { text: (one) => visible(headline(one)), name: (one) => one.deployment });
      });
  }
}

type Phase = NonNullable<Static<typeof DeploymentsQuerySchema>['phase']>;

/** Which phases there are is the API's to say: it answers what it expected. */
function phaseOf(text: string): Phase {
  const known: readonly Phase[] = ['distributing', 'running', 'baking', 'rolling-back', 'succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted'];
  const phase = known.find((one) => one === text);
  if (phase === undefined) throw new ControlError('CONFIG_INVALID', `--phase: '${text}' is none of ${known.join(', ')}`);
  return phase;
}

function look(now: number): ListLook<DeploymentSummary> {
  return {
    name: ({ deployment }) => deployment,
    empty: 'nothing was deployed yet: `starling promote` begins',
    columns: [
      { title: 'DEPLOYMENT', cell: ({ deployment }) => deployment },
      { title: 'WHAT', cell: ({ type, app, number }) => `${type} of ${app}@${number}` },
      { title: 'PHASE', cell: phaseText, colour: ({ phase, paused }) => (paused === undefined ? phaseColour(phase) : 'yellow') },
      { title: 'TARGETS', cell: progressText },
      { title: 'BEGAN', cell: ({ startedAt }) => `${durationText(now - startedAt)} ago` },
      { title: 'REASON', cell: ({ reason, paused }) => paused?.reason ?? reason ?? '-' },
    ],
  };
}

function phaseText({ phase, paused }: Pick<DeploymentSummary, 'phase' | 'paused'>): string {
  return paused === undefined ? phase : `${phase}, paused`;
}

function progressText({ progress: { done, total, failed, batch, batches } }: Pick<DeploymentSummary, 'progress'>): string {
  const where = batches < 2 ? '' : `, batch ${Math.min(batch + 1, batches)} of ${batches}`;
  return `${done} of ${total}${failed > 0 ? `, ${failed} failed` : ''}${where}`;
}

function headline(one: DeploymentSummary): string {
  const why = one.paused?.reason ?? one.reason;
  return `${one.deployment}  ${one.type} of ${one.app}@${one.number} → ${one.environment}  ${phaseText(one)}, ${progressText(one)}${why === undefined ? '' : `: ${why}`}`;
}

function describe(deployment: Deployment, now: number): readonly string[] {
  const rows = deployment.batches.map((batch) => ({ batch, targets: deployment.targets.filter((target) => target.batch === batch.index) }));
  const table = renderTable(
    rows,
    [
      { title: 'BATCH', cell: ({ batch }) => `${batch.index + 1}${batch.name === undefined ? '' : ` ${batch.name}`}${batch.canary === true ? ' (canary)' : ''}` },
      { title: 'PHASE', cell: ({ batch }) => `${batch.phase}${bakeText(batch, now)}${batch.samples === undefined ? '' : `, ${batch.samples.reading?.value ?? 'none'} of ${batch.samples.count} samples`}${batch.verification === undefined ? '' : `, ${batch.verification.workflow} ${batch.verification.phase} (${batch.verification.run})`}` },
      { title: 'TARGETS', cell: ({ batch, targets }) => `${batch.targets}: ${countedPhases(targets.map(({ phase }) => phase))}` },
    ],
    { paint: (_colour, text) => text, width: undefined },
  );
  const failures = deployment.targets.filter(({ code }) => code !== undefined).map(({ name, phase, code, detail }) => `  ${name} ${phase} ${code}${detail === undefined ? '' : `: ${detail}`}`);
  const words = { success: 'quiet', failure: 'fires', inconclusive: 'unclear', error: 'cannot be asked' } as const;
  const alarms = (deployment.alarms ?? []).map(({ alarm, verdict, value, detail }) => `  alarm ${alarm} ${words[verdict]}${value === undefined ? '' : ` (${value})`}${detail === undefined ? '' : `: ${detail}`}`);
  return [headline(deployment), '', ...table, ...alarms, ...failures, ...refusals(deployment.targets)];
}

/** Targets named where several refuse an order for the same reason. */
const refusersMax = 5;

/** Orders that targets do not take, each reason once, with what to do. */
function refusals(targets: Deployment['targets']): readonly string[] {
  const alike = Map.groupBy(targets.flatMap(({ name, refused }) => (refused === undefined ? [] : [{ name, ...refused }])), ({ order, code, detail }) => `${order} ${code} ${detail}`);
  return [...alike.values()].flatMap((found) => {
    const [first] = found;
    const more = found.length > refusersMax ? ` and ${found.length - refusersMax} more` : '';
    const names = found.slice(0, refusersMax).map(({ name }) => name).join(', ');
    return first === undefined ? [] : [`  ${names}${more} refuse${found.length === 1 ? 's' : ''} order ${first.order} (${first.code}): ${first.detail}`, `    do: ${first.advice}`];
  });
}

function bakeText({ phase, bakeUntil }: Batch, now: number): string {
  return phase !== 'baking' || bakeUntil === undefined || bakeUntil <= now ? '' : `, for another ${durationText(bakeUntil - now)}`;
}

function countedPhases(phases: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => `${count} ${phase}`).join(', ') || '-';
}
