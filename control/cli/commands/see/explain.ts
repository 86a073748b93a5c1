// `starling explain`: why something is not moving, until when, who can act, and with which command.

import type { Command } from 'commander';
import type { Explanation } from '../../../../proto/api/promotions.ts';
import type { Blocker } from '../../../../proto/api/schema.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { actorsText } from '../../text/governance.ts';
import { momentsAt, type Moments } from '../../text/moments.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

export function registerExplain(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  program
    .command('explain')
    .description('why something is not moving: what holds it, since when, until when, who can act (exit code 6 when a gate holds it)')
    .argument('<environment|promotion>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const explanation = await explain(await api(), id);
      const now = world.clock.now();
      terminal.object(explanation, { text: (item) => describeExplanation(item, now, momentsAt(now, world.environment['TZ'])), name: ({ subject }) => subject.id });
      if (explanation.blockers.length > 0) setExit(6);
    });
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

function describeExplanation(explanation: Explanation, now: number, moments: Moments): string {
  const { summary, blockers, waits, nextCheckAt, progress } = explanation;
  const until = (at: number | undefined): string => (at === undefined ? '' : `, until ${moments.text(at)}`);
  const lines = [
    summary,
    ...blockers.flatMap((blocker) => describeBlocker(blocker, explanation, now, moments)),
    ...waits.map(({ reason, until: end }) => `  waiting: ${reason}${until(end)}`),
    ...(progress === undefined ? [] : [`  targets: ${progress.done} of ${progress.total} done, ${progress.inFlight} under way, ${progress.failed} failed${progress.revoked === undefined ? '' : `, ${progress.revoked} revoked on the way and counted no longer`}; batch ${Math.min(progress.batch + 1, progress.batches)} of ${progress.batches}`]),
    ...(nextCheckAt === undefined || nextCheckAt <= now ? [] : [`  looked at again ${moments.text(nextCheckAt)}`]),
    ...nextSteps(explanation),
  ];
  return lines.map(visible).join('\n');
}

function describeBlocker(blocker: Blocker, explanation: Explanation, now: number, moments: Moments): readonly string[] {
  const { type, reason, since, until, ref, actors = [] } = blocker;
  const times = [...(since > 0 ? [`for ${durationText(now - since)}`] : []), ...(until === undefined ? [] : [`${type === 'window' ? 'opens' : 'until'} ${moments.text(until)}`])];
  const hint = hintOf(blocker, explanation);
  return [
    `  blocked by ${type}: ${reason}${ref === undefined ? '' : ` [${ref}]`}`,
    ...(times.length === 0 ? [] : [`    ${times.join('; ')}`]),
    ...(actors.length === 0 ? [] : [`    can act: ${actorsText(actors)}`]),
    ...(hint === undefined ? [] : [`    by: ${hint}`]),
  ];
}

/** Where one looks, and what one does, when the newest deployment did not end well. */
function nextSteps({ blockers, waits, deployment, environment, progress }: Explanation): readonly string[] {
  if (deployment === undefined || progress === undefined || progress.failed === 0) return [];
  const again = blockers.length + waits.length > 0 ? [] : [`  try again there: starling env sync ${environment}; or bring something better: starling promote --to ${environment}`];
  return [`  what its targets said: starling deployment logs ${deployment}`, ...again];
}

/** The command that ends a blocker, where there is one. */
function hintOf({ type, reason, ref = '', actors = [] }: Blocker, { environment, promotion }: Explanation): string | undefined {
  const lift = promotion === undefined || !actors.some((actor) => actor.startsWith('group:')) ? undefined : `starling override create --promotion ${promotion} --reason …`;
  switch (type) {
    case 'approval':
      return ref.startsWith('request-') ? `starling approve ${ref}` : undefined;
    case 'compliance':
      return `starling approval list --environment ${environment}${lift === undefined ? '' : `, or ${lift}`}`;
    case 'window':
      return lift;
    case 'freeze':
      return `starling freeze end ${ref} --reason …${lift === undefined ? '' : `, or ${lift}`}`;
    case 'lock':
      return actors.some((actor) => actor.startsWith('run:')) ? undefined : `starling lock release ${ref}, or starling lock break ${ref} --reason …`;
    case 'hold': {
      // A hold that a rollback placed says which deployment that was, and that one knows what the machines said.
      const failed = / by system: (\S+) rolled back: /.exec(reason)?.[1];
      return `${failed === undefined ? '' : `starling deployment logs ${failed} to see what failed; then `}starling hold release ${ref} --reason …`;
    }
    case 'pin':
      return `starling unpin ${environment} --reason …`;
    case 'veto':
      return `starling revision unveto ${ref.replace(/@([0-9a-f]{12})[0-9a-f]{52}$/, '@$1…')} --reason …`;
    case 'edge-disabled':
      return `starling edge enable ${ref}`;
    case 'targets-offline':
      return `starling targets --environment ${environment} to see who is away since when`;
    case 'automation-off':
      return `starling automation list, and starling promote --to ${environment} to go by hand`;
    default:
      return undefined;
  }
}
