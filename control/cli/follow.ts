// A promotion from the wish to its end: asked for again and again until it is over, shown target by target. How it ended becomes a
// value; the exit code of that is the caller's.

import type { Deployment, DeploymentTarget } from '../../proto/api/deployments.ts';
import type { Promotion } from '../../proto/api/promotions.ts';
import type { Blocker } from '../../proto/api/schema.ts';
import { ControlError } from '../errors.ts';
import type { Api } from './api.ts';
import { broughtText } from './text/governance.ts';
import type { World } from './world.ts';

/** Between two questions: often enough for a bar, seldom enough for many watchers. */
const pollMs = 400;
/** How long the control plane may be away before watching is given up: a restart takes seconds. */
const absenceMsMax = 60_000;
/** Looks between two questions for what holds a promotion that waits: 5 s, since a gate opens seldom and the answer costs more than a look. */
const looksPerExplanation = 12;

/** What is known of a promotion under way. */
export interface Seen {
  readonly promotion: Promotion;
  readonly deployment: Deployment | undefined;
  /** What holds it, while it waits. */
  readonly blockers?: readonly Blocker[];
}

export interface FollowOptions {
  /** Called at every look, changed or not. */
  readonly onSeen: (seen: Seen) => void;
  /** Give up after this long; absent: never. */
  readonly timeoutMs?: number;
  /** The deployment to look at; absent: the promotion's newest. */
  readonly deployment?: string;
}

const over: ReadonlySet<Promotion['phase']> = new Set(['succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded']);
const rollbackOver: ReadonlySet<Deployment['phase']> = new Set(['succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted']);

/**
 * Looks at a promotion until it and its deployment are over.
 * @throws {ControlError} TIMED_OUT, with what it waited for; UNREACHABLE when the control plane stays away.
 */
export async function follow(api: Api, id: string, { onSeen, timeoutMs, deployment }: FollowOptions, { clock, signal }: Pick<World, 'clock' | 'signal'>): Promise<Seen> {
  const startedAt = clock.monotonic();
  let heardAt = startedAt;
  let last: Seen | undefined;
  for (let looks = 0; ; looks += 1) {
    try {
      const found = await look(api, id, deployment);
      last = found.promotion.phase === 'waiting' ? { ...found, blockers: await holding(api, id, looks, last) } : found;
      heardAt = clock.monotonic();
      onSeen(last);
      if (isOver(last, deployment !== undefined)) return last;
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'UNREACHABLE' || clock.monotonic() - heardAt > absenceMsMax) throw error;
    }
    if (timeoutMs !== undefined && clock.monotonic() - startedAt >= timeoutMs) {
      throw new ControlError('TIMED_OUT', `${describeState(last)} after the time given to --wait; it goes on: \`starling explain ${id}\` says what it waits for${blockerLines(last)}`);
    }
    await clock.wait(pollMs, { signal });
  }
}

/** What holds a promotion that waits: as it was said last, or asked for anew. */
async function holding(api: Api, id: string, looks: number, last: Seen | undefined): Promise<readonly Blocker[]> {
  if (last?.blockers !== undefined && looks % looksPerExplanation !== 0) return last.blockers;
  return (await api.call('explainPromotion', { params: { promotion: id } })).blockers;
}

function blockerLines(seen: Seen | undefined): string {
  return (seen?.blockers ?? []).map(({ type, reason }) => `\n  ${type}: ${reason}`).join('');
}

async function look(api: Api, id: string, given: string | undefined): Promise<Seen> {
  const promotion = await api.call('getPromotion', { params: { promotion: id } });
  const which = given ?? promotion.deployment;
  const deployment = which === undefined ? undefined : await api.call('getDeployment', { params: { deployment: which } });
  return { promotion, deployment };
}

/** Who looks at one deployment sees its end, though its promotion is verified after it. */
function isOver({ promotion, deployment }: Seen, one: boolean): boolean {
  const ended = over.has(promotion.phase) || (one && promotion.phase === 'verifying');
  return ended && (deployment === undefined || rollbackOver.has(deployment.phase));
}

function describeState(seen: Seen | undefined): string {
  if (seen === undefined) return 'nothing was heard of the promotion';
  const { promotion, deployment } = seen;
  const what = `${broughtText(promotion)} in '${promotion.environment}'`;
  if (promotion.phase === 'verifying') return `${what} runs everywhere and is still being verified`;
  if (deployment === undefined) return `${what} is still ${promotion.phase}`;
  return `${what} is still ${deployment.phase}${promotion.members === undefined ? '' : ` (${deployment.app})`} (${deployment.progress.done} of ${deployment.progress.total} targets done)`;
}

/** Nothing when it went well. @throws {ControlError} ROLLED_BACK, FAILED or CONFLICT, saying why it did not. */
export function requireSuccess({ promotion, deployment }: Seen): void {
  // A catch-up is for a promotion that has ended long ago, and can fail all the same.
  if (promotion.phase === 'verifying' && deployment?.phase === 'succeeded') return;
  if (promotion.phase === 'succeeded' && (deployment?.type !== 'catch-up' || deployment.phase === 'succeeded')) return;
  const what = `${broughtText(promotion)} in '${promotion.environment}'`;
  const why = [promotion.outcome, deployment?.reason].find((text) => text !== undefined && text !== '');
  const failures = (deployment?.targets ?? []).filter(({ code, detail }) => code !== undefined || detail !== undefined).slice(0, failuresMax).map(failureLine);
  const lines = (head: string): string => [`${head}${why === undefined ? '' : `: ${why}`}`, ...failures].join('\n');
  if (deployment?.phase === 'rolled-back') {
    // A reason that says where it went back to says it once.
    const told = why?.startsWith('rolled back to ') === true;
    throw new ControlError('ROLLED_BACK', told ? [`${what} was ${why}`, ...failures].join('\n') : lines(`${what} was rolled back${backText(promotion, deployment)}`));
  }
  if (promotion.phase === 'superseded') throw new ControlError('CONFLICT', lines(`${what} was superseded by a newer promotion`));
  throw new ControlError('FAILED', lines(`${what} ${deployment?.phase === 'rollback-failed' ? 'failed, and so did its rollback' : promotion.phase === 'succeeded' ? `is not on every late target: ${deployment?.phase}` : promotion.phase}`));
}

/** Of several applications the newest deployment names the one that failed; those before it go back by a promotion of their own. */
function backText({ members }: Promotion, { app, rollback }: Deployment): string {
  if (rollback === undefined) return '';
  return members === undefined ? ` to revision ${rollback.number}` : `: ${app} failed and is at revision ${rollback.number} again, and so is what came before it`;
}

/** Targets that an error message names; `status` has them all. */
const failuresMax = 5;

/** Lines of a target's own output that an error message repeats: mostly the last ones say what was wrong. */
const outputLinesMax = 8;

function failureLine({ name, phase, code, detail, output }: DeploymentTarget): string {
  const said = (output ?? '').trimEnd().split('\n').slice(-outputLinesMax).filter((line) => line !== '');
  return [`  ${name} ${phase}${code === undefined ? '' : ` ${code}`}${detail === undefined ? '' : `: ${detail}`}`, ...said.map((line) => `    | ${line}`)].join('\n');
}
