// `starling trace`: the way of a commit or a revision, from its check-in down to the machines that have it.

import type { Command } from 'commander';
import type { Trace, TraceMachine } from '../../../../proto/api/history.ts';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { momentsAt, type Moments } from '../../text/moments.ts';
import { bytesText, countText, durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Machines of an environment that are named when nobody says how many. */
const machinesDefault = 20;

interface Flags {
  readonly app?: string;
  readonly machines: string;
}

type Stop = Trace['environments'][number];
type Traced = Trace & { readonly machines: Readonly<Record<string, readonly TraceMachine[]>> };

export function registerTrace(program: Command, world: World): void {
  program
    .command('trace')
    .description('the way of a commit or a revision: tests, approvals, promotions, deployments, and which machine has it since when')
    .argument('<commit|revision>', 'a commit (its first 6 letters are enough), or web@41, a digest, an identifier, an alias')
    .option('-a, --app <name>', 'of this application only')
    .option('--machines <number>', 'so many machines of each environment', String(machinesDefault))
    .action(async (of: string, { app, machines }: Flags, command: Command) => {
      const context = contextOf(world, command);
      const wanted = Number(machines);
      if (!Number.isInteger(wanted) || wanted < 0) throw new ControlError('CONFIG_INVALID', `--machines: '${machines}' is not a number of machines`);
      const api = await context.api();
      const { items } = await api.call('trace', { params: {}, query: { of, ...(app === undefined ? {} : { app }) } });
      const moments = momentsAt(world.clock.now(), world.environment['TZ']);
      for (const trace of items) {
        const found: Traced = { ...trace, machines: await machinesOf(api, of, trace, wanted) };
        context.terminal.item(found, { text: (item) => describeTrace(item, moments), name: ({ commit, app: one, number }) => commit ?? `${one}@${number}` });
      }
    });
}

async function machinesOf(api: Api, of: string, { app, environments }: Trace, wanted: number): Promise<Traced['machines']> {
  const found: Record<string, readonly TraceMachine[]> = {};
  for (const { environment, targets } of wanted === 0 ? [] : environments) {
    const items: TraceMachine[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.call('listTraceMachines', { params: {}, query: { of, app, environment, limit: Math.min(limits.pageItemsMax, wanted - items.length), ...(cursor === undefined ? {} : { cursor }) } });
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== undefined && items.length < Math.min(wanted, targets));
    found[environment] = items;
  }
  return found;
}

function describeTrace(trace: Traced, moments: Moments): string {
  const { app, number, alias, commit, author, message, at, pushedAt, pushedBy, bytes, tests, signedBy, environments, machines } = trace;
  const name = `${app}@${number}${alias === undefined ? '' : ` (${alias})`}`;
  const summary = message.split('\n', 1)[0] ?? '';
  return [
    ...(commit === undefined ? [] : [`${commit}  ${author}, ${moments.text(at)}: ${summary}`]),
    `${commit === undefined ? '' : 'came with '}${name}, pushed by ${pushedBy}, ${moments.text(pushedAt)}, ${bytesText(bytes)}${commit === undefined && summary !== '' ? `: ${summary}` : ''}`,
    ...(tests === undefined ? [] : [`  tests: ${tests.passed} of ${tests.total} passed${tests.score === undefined ? '' : `, score ${tests.score}`}`]),
    ...(signedBy.length === 0 ? [] : [`  signed by ${signedBy.join(', ')}`]),
    ...environments.flatMap((stop) => describeStop(stop, trace, machines[stop.environment] ?? [], moments)),
  ].map(visible).join('\n');
}

function describeStop(stop: Stop, { app, number }: Trace, machines: readonly TraceMachine[], moments: Moments): readonly string[] {
  const { environment, state, since, reason, having, targets, promotions, more, approvals, runs } = stop;
  const when = since === undefined ? '' : ` since ${moments.text(since)}`;
  const with_ = stop.number === undefined || stop.number === number ? '' : ` with ${app}@${stop.number}`;
  return [
    '',
    `${environment}: ${state === 'absent' ? 'not there' : state}${state === 'deploying' ? ` ${stop.percent ?? 0} %` : ''}${with_}${when}, on ${having} of ${countText(targets, 'target')}${reason === undefined ? '' : `: ${reason}`}`,
    ...approvals.flatMap(({ approval, purpose, status, votes, step }) => [
      `  ${approval} (${step ?? purpose}) ${status}`,
      ...votes.map(({ by, decision, at, comment, revokedAt }) => `    ${by} said ${decision}, ${moments.text(at)}${revokedAt === undefined ? '' : ', and took it back'}${comment === undefined ? '' : `: ${comment}`}`),
    ]),
    ...runs.flatMap(({ run, workflow, phase, steps }) => [`  ${run} of workflow ${workflow} ${phase}`, ...steps.map((step) => `    ${step.step} ${step.phase}${step.detail === undefined ? '' : `: ${step.detail}`}`)]),
    ...promotions.toReversed().flatMap((promotion) => describePromotion(promotion, app, moments)),
    ...(more === 0 ? [] : [`  and ${countText(more, 'older promotion')}: starling audit list --object environment:${environment}`]),
    ...machines.map(({ name, zone, has, number: runs_, since: from, deployment }) => `    ${name} (${zone})  ${has ? `has it${from === undefined ? '' : `, ${moments.text(from)}`}${deployment === undefined ? '' : `, with ${deployment}`}` : 'lacks it'}; runs ${runs_ === 0 ? 'nothing' : `${app}@${runs_}`}`),
    ...(machines.length === 0 || machines.length >= targets ? [] : [`    and ${targets - machines.length} more; --machines shows so many`]),
  ];
}

function describePromotion({ promotion, number, phase, by, at, cause, reason, outcome, deployments }: Stop['promotions'][number], app: string, moments: Moments): readonly string[] {
  return [
    `  ${promotion} of ${app}@${number}${cause === undefined ? '' : ` (${cause})`} by ${by}, ${moments.text(at)}: ${phase}${reason === undefined ? '' : `, because ${reason}`}${outcome === undefined ? '' : `, ${outcome}`}`,
    ...deployments.map(({ deployment, type, phase: how, startedAt, finishedAt, targets, done, failed, exemptions }) => {
      const took = finishedAt === undefined ? '' : ` in ${durationText(finishedAt - startedAt)}`;
      const past = exemptions.length === 0 ? '' : `; past ${exemptions.map(({ gate, why }) => `${gate} (${why})`).join(', ')}`;
      return `    ${deployment} (${type}) ${how}${took}: ${done} of ${targets} done, ${failed} failed${past}`;
    }),
  ];
}
