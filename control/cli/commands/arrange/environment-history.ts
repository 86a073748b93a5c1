// `starling env history` and `env compare`: what an environment ran and how to go back, and what differs between two of them.

import type { Command } from 'commander';
import type { Comparison, PastDeployment } from '../../../../proto/api/history.ts';
import type { Drift } from '../../../../proto/api/targets.ts';
import { listAll, listUpTo, shownOf } from '../../api.ts';
import { phaseColour } from '../../text/board.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { momentsAt } from '../../text/moments.ts';
import type { Column } from '../../text/table.ts';
import { countText, durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Deployments shown when nobody says how many (control-plane.md, section 7). */
const shownDefault = 10;
/** Changes of one application that people are shown; `-o json` has all that the API tells. */
const changesShown = 20;

/** Adds to `starling env`. */
export function registerEnvironmentHistory(environment: Command, world: World): void {
  registerDrift(environment, world);
  environment
    .command('history')
    .description('what was deployed, newest first, and the command that goes back to it')
    .argument('<environment>')
    .option('--limit <number>', 'so many deployments', String(shownDefault))
    .action(async (name: string, { limit }: { readonly limit: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const wanted = shownOf(limit, 'deployments');
      const client = await api();
      const { items, more } = await listUpTo(wanted, async (query) => await client.call('listHistory', { params: { environment: name }, query }));
      const moments = momentsAt(world.clock.now(), world.environment['TZ']);
      const columns: readonly Column<PastDeployment>[] = [
        { title: 'DEPLOYMENT', cell: ({ deployment }) => deployment },
        { title: 'WHAT', cell: ({ app, to, from, type }) => `${type} of ${app}@${to.number}${from === undefined || from.number === to.number ? '' : ` from ${from.number}`}` },
        { title: 'PHASE', cell: ({ phase, current }) => `${phase}${current ? ', runs now' : ''}`, colour: ({ phase }) => phaseColour(phase) },
        { title: 'STARTED', cell: ({ startedAt }) => moments.text(startedAt) },
        { title: 'TOOK', cell: ({ startedAt, finishedAt }) => (finishedAt === undefined ? '' : durationText(finishedAt - startedAt)) },
        { title: 'BY', cell: ({ by }) => by },
        { title: 'GO BACK', cell: ({ undo }) => undo ?? '' },
        { title: 'WHY', cell: ({ reason, outcome }) => outcome ?? reason ?? '' },
      ];
      terminal.list(items, { columns, name: ({ deployment }) => deployment, empty: 'nothing was deployed here yet' });
      if (more) terminal.say('there are more; --limit shows so many');
    });
  environment
    .command('compare')
    .description('what differs between two environments, with the changes between')
    .argument('<environment>')
    .argument('<other>')
    .action(async (name: string, other: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const comparison = await (await api()).call('compareEnvironments', { params: { environment: name }, query: { with: other } });
      terminal.object(comparison, { text: describe, name: ({ apps }) => apps.filter(({ here, there }) => here?.revision !== there?.revision).map(({ app }) => app).join(' ') });
    });
}

function describe({ environment, with: other, same, apps }: Comparison): string {
  const lines = apps.flatMap(({ app, here, there, changes }) => {
    const [a, b] = [here?.number ?? 0, there?.number ?? 0];
    const name = (number: number): string => (number === 0 ? 'nothing' : `${app}@${number}`);
    if (a === b) return [`${app}: both run ${name(a)}`];
    const [newer, older] = a > b ? [environment, other] : [other, environment];
    const shown = changes.slice(0, changesShown).map(({ commit, author, message, number }) => `  ${commit.slice(0, 10)} (${app}@${number}) ${author}: ${message.split('\n', 1)[0] ?? ''}`);
    return [
      `${app}: ${environment} runs ${name(a)}, ${other} ${name(b)}; ${newer} has ${changes.length === 0 ? 'nothing that was described' : countText(changes.length, 'change')} that ${older} lacks`,
      ...shown,
      ...(changes.length > shown.length ? [`  and ${changes.length - shown.length} more; -o json has them`] : []),
    ];
  });
  return [...lines, ...(same ? [`${environment} and ${other} run the same`] : [])].map(visible).join('\n');
}

function registerDrift(environment: Command, world: World): void {
  environment
    .command('drift')
    .description('targets that are not as the environment has it: what they lack, and who brings it')
    .argument('<environment>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const found = await listAll(async (page) => await client.call('listDrift', { params: { environment: name }, query: page }));
      const columns: readonly Column<Drift>[] = [
        { title: 'TARGET', cell: (one) => one.name },
        { title: 'STATE', cell: ({ connectivity }) => connectivity },
        { title: 'WANTED', cell: ({ app, wanted }) => `${app}@${wanted.number}` },
        { title: 'FOUND', cell: foundText },
        { title: 'WHAT COMES', cell: comingText },
      ];
      terminal.list(found, { columns, name: (one) => one.name, empty: `everything is as ${name} has it` });
    });
}

function foundText({ why, app, running, changed }: Drift): string {
  const runs = running === undefined ? 'runs nothing' : `${app}@${running.number}`;
  if (why === 'unhealthy') return `${runs}, not healthy`;
  return why === 'changed' ? `${runs}, ${countText(changed ?? 0, 'thing')} changed on its disk` : runs;
}

function comingText({ deployment, caughtUp, why, connectivity }: Drift): string {
  if (deployment !== undefined) return `${deployment} is changing it`;
  if (caughtUp) return connectivity === 'online' ? 'a catch-up, as soon as gates allow' : 'a catch-up, when it can be heard';
  if (why === 'changed') return 'a person: it could not be put back; see the log of starlingd there, and its disk';
  return why === 'unhealthy' ? 'a person: see `starling target get`, and its log' : 'a person: a deployment failed on it; retry or roll back';
}
