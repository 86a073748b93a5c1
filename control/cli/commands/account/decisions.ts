// `starling decisions replay`: a decision of the past, made again from the journal.

import type { Command } from 'commander';
import type { Replay } from '../../../../proto/api/history.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { parseSince } from '../../since.ts';
import { countText } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface Flags {
  readonly at: string;
  readonly promotion?: string;
  readonly environment?: string;
}

export function registerDecisions(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  program
    .command('decisions')
    .description('what was decided, and why')
    .command('replay')
    .description('make a decision again from the journal: the gates as they stood then, and what followed; the same bytes each time')
    .requiredOption('--at <entry|when>', 'the number of an entry (the decision that led to it), an instant such as 2026-06-01T12:00Z, or so long ago: 36h')
    .option('--promotion <promotion>', 'only what held this one')
    .option('-e, --environment <name>', 'only of this environment')
    .action(async ({ at, promotion, environment }: Flags, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const when = /^[0-9]{1,15}$/.test(at) ? { seq: Number(at) } : { at: parseSince(at, '--at', world.clock.now()) };
      const query = { ...when, ...(promotion === undefined ? {} : { promotion }), ...(environment === undefined ? {} : { environment }) };
      const replay = await (await api()).call('replayDecision', { params: {}, query });
      terminal.object(replay, { text: describe, name: ({ events }) => events.map(nameOf).join(' ') });
      if (replay.recorded?.reproduced === false) setExit(1);
    });
}

/** Instants in UTC, and nothing that depends on when it is read. */
function describe({ head, at, presence, promotions, events, recorded }: Replay): string {
  const silent = presence.silent.length === 0 ? 'every target had been heard' : `${countText(presence.silent.length, 'target')} had been silent for too long: ${presence.silent.join(', ')}`;
  return [
    `decided ${new Date(at).toISOString()}, by the entries up to ${head}`,
    presence.known ? `  as was recorded, ${silent}` : '  which machines could be heard is not on record: all are taken to have been',
    ...promotions.flatMap(({ promotion, environment, app, number, blockers, exemptions, nextCheckAt }) => [
      `${promotion}: ${app}@${number} for '${environment}' ${blockers.length === 0 ? 'was let go' : `was held by ${countText(blockers.length, 'gate')}`}`,
      ...blockers.map(({ type, reason }) => `  ${type}: ${reason}`),
      ...exemptions.map(({ gate, why, ref }) => `  past ${gate} (${why}${ref === undefined ? '' : `, ${ref}`})`),
      ...(nextCheckAt === undefined ? [] : [`  to be looked at again ${new Date(nextCheckAt).toISOString()}`]),
    ]),
    ...(promotions.length === 0 ? ['nothing was in line'] : []),
    ...(events.length === 0 ? ['nothing followed'] : events.map((event) => `followed: ${nameOf(event)}`)),
    ...(recorded === undefined ? [] : [recorded.reproduced ? `entry ${recorded.seq} is just what was decided` : `entry ${recorded.seq} is NOT what this decision leads to`]),
  ].map(visible).join('\n');
}

function nameOf(event: Readonly<Record<string, unknown>>): string {
  const id = event['deployment'] ?? event['promotion'] ?? event['environment'] ?? '';
  return `${String(event['kind'])}${typeof id === 'string' && id !== '' ? ` ${id}` : ''}`;
}
