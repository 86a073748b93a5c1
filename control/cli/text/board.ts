// How a deployment under way looks: a row for each target that is redrawn on a terminal, a plain line for each change elsewhere.

import { isDeepStrictEqual } from 'node:util';
import type { Deployment, DeploymentTarget } from '../../../proto/api/deployments.ts';
import type { Clock } from '../../clock.ts';
import { visible } from './escape.ts';
import type { Seen } from '../follow.ts';
import { broughtText } from './governance.ts';
import { barText, createLiveArea } from '../live.ts';
import type { Colour } from './table.ts';
import type { Terminal } from './terminal.ts';
import { bytesText, durationText } from './text.ts';

/** Rows that fit on most screens; the rest is summed up. */
const rowsMax = 20;

const colours: Readonly<Record<string, Colour>> = {
  committed: 'green', 'already-current': 'green', succeeded: 'green',
  failed: 'red', errored: 'red', rejected: 'red', inconsistent: 'red', lost: 'red', 'rollback-failed': 'red',
  'rolling-back': 'yellow', 'rolled-back': 'yellow', deferred: 'yellow', waiting: 'yellow', aborted: 'yellow', superseded: 'yellow',
  assigned: 'dim',
};

/** The colour of a phase of a target, a deployment or a promotion. */
export function phaseColour(phase: string): Colour | undefined {
  return colours[phase] ?? 'cyan';
}

export interface Board {
  show(seen: Seen): void;
  /** Leaves the last state standing. */
  close(): void;
}

export function createBoard(terminal: Terminal, clock: Pick<Clock, 'monotonic'>): Board {
  const area = createLiveArea(terminal, clock);
  const startedAt = clock.monotonic();
  const paint: Terminal['paintError'] = (colour, text) => terminal.paintError(colour, text);
  let said: Readonly<Record<string, string>> = {};
  return {
    show: (seen) => {
      if (terminal.live) {
        area.draw(rows(seen, durationText(clock.monotonic() - startedAt), paint));
        return;
      }
      const now = phases(seen);
      if (isDeepStrictEqual(now, said)) return;
      for (const [name, text] of Object.entries(now)) if (said[name] !== text) terminal.say(`${name}: ${text}`);
      said = now;
    },
    close: () => area.keep(),
  };
}

/** Where a promotion is: in its deployment, until that is over and what it brought is verified. */
function phaseNow({ promotion, deployment }: Seen): string {
  return deployment === undefined || promotion.phase === 'verifying' ? promotion.phase : deployment.phase;
}

/** What a plain line says when it changes, by target; the deployment itself under the environment's name. */
function phases({ promotion, deployment, blockers = [] }: Seen): Record<string, string> {
  const why = blockers.length === 0 ? '' : `: ${blockers.map(({ reason }) => visible(reason)).join('; ')}`;
  const whole = `${phaseNow({ promotion, deployment })}${legText({ promotion, deployment })}${why}`;
  const targets = (deployment?.targets ?? []).map((target) => [visible(target.name), `${target.phase}${transferText(target)}${failureText(target)}`]);
  return Object.fromEntries([[promotion.environment, `${broughtText(promotion)} ${whole}`], ...targets]);
}

/** Which application of several is under way: they are deployed one after another. */
function legText({ promotion: { members }, deployment }: Seen): string {
  return members === undefined || deployment === undefined ? '' : ` (${deployment.app})`;
}

function rows({ promotion, deployment, blockers = [] }: Seen, elapsed: string, paint: Terminal['paintError']): readonly string[] {
  const phase = phaseNow({ promotion, deployment });
  const head = `${paint('bold', `${broughtText(promotion)} → ${promotion.environment}`)}  ${painted(paint, phase)}${legText({ promotion, deployment })}${batchText(deployment)}  ${paint('dim', elapsed)}`;
  if (deployment === undefined) return [head, ...blockers.map(({ type, reason }) => `  ${visible(`${type}: ${reason}`)}`)];
  const width = Math.max(...deployment.targets.slice(0, rowsMax).map(({ name }) => visible(name).length), 0);
  const lines = deployment.targets.slice(0, rowsMax).map((target) => `  ${visible(target.name).padEnd(width)}  ${painted(paint, target.phase.padEnd(15))}${fetchText(target)}${transferText(target)}${failureText(target)}`);
  const hidden = deployment.progress.total - lines.length;
  return [head, ...lines, ...(hidden > 0 ? [`  … and ${hidden} more: ${deployment.progress.done} of ${deployment.progress.total} are done`] : [])];
}

function painted(paint: Terminal['paintError'], phase: string): string {
  const colour = phaseColour(phase.trim());
  return colour === undefined ? visible(phase) : paint(colour, visible(phase));
}

function batchText(deployment: Deployment | undefined): string {
  if (deployment === undefined || deployment.progress.batches < 2) return '';
  return `  batch ${Math.min(deployment.progress.batch + 1, deployment.progress.batches)} of ${deployment.progress.batches}`;
}

function fetchText({ phase, fetching }: DeploymentTarget): string {
  if (fetching === undefined || phase !== 'downloading') return '';
  return ` ${barText(fetching.totalBytes === 0 ? 1 : fetching.haveBytes / fetching.totalBytes)} ${bytesText(fetching.haveBytes)} of ${bytesText(fetching.totalBytes)}`;
}

function transferText({ transfer }: DeploymentTarget): string {
  if (transfer === undefined) return '';
  return ` ${bytesText(transfer.originBytes)} from the origin, ${bytesText(transfer.peerBytes)} from peers, ${bytesText(transfer.reusedBytes)} reused`;
}

function failureText({ code, detail }: DeploymentTarget): string {
  return code === undefined && detail === undefined ? '' : ` ${visible([code, detail].filter((part) => part !== undefined).join(': '))}`;
}
