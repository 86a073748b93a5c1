// `starling target …`: one machine of the fleet, and the end of its membership. The list is `starling targets` too (commands-status.ts).

import type { Command } from 'commander';
import type { Target } from '../../proto/api/targets.ts';
import { momentsOf } from './commands-restraints.ts';
import { contextOf } from './context.ts';
import { visible } from './escape.ts';
import type { Moments } from './moments.ts';
import { labelsText } from './text.ts';
import type { World } from './world.ts';

export function registerTarget(program: Command, world: World): void {
  const target = program.command('target').description('one machine of the fleet; `starling targets` lists them');
  target
    .command('get')
    .description('what a machine is, runs and does')
    .argument('<target>', 'its name or its member id')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('getTarget', { params: { target: id } });
      terminal.object(found, { text: (one) => describe(one, momentsOf(world)), name: ({ name }) => name });
    });
  target
    .command('revoke')
    .description('bar a machine from the fleet: its certificate counts no more, and nobody serves it')
    .argument('<target>', 'its name or its member id')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (id: string, { reason }: { readonly reason: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('revokeTarget', { params: { target: id }, body: { reason } });
      terminal.object(found, { text: (one) => describe(one, momentsOf(world)), name: ({ name }) => name });
    });
}

function describe({ name, member, roles, environments, labels, attributes, addresses, enrolledAt, revoked, connectivity, lastSeenAt, version, running, work }: Target, moments: Moments): string {
  return [
    `${name}  ${roles.join(', ')}  ${revoked ? 'REVOKED' : connectivity}${lastSeenAt === undefined ? '' : `, heard ${moments.relative(lastSeenAt)}`}`,
    `  member ${member}, joined ${moments.relative(enrolledAt)}${version === undefined ? '' : `, version ${version}`}`,
    ...(environments.length === 0 ? [] : [`  of ${environments.join(', ')}`]),
    ...(Object.keys(labels).length === 0 ? [] : [`  labels ${labelsText(labels)}`]),
    ...(Object.keys(attributes).length === 0 ? [] : [`  says of itself ${labelsText(attributes)}`]),
    ...(addresses.length === 0 ? [] : [`  at ${addresses.join(', ')}`]),
    ...running.map(({ app, number, since, healthy }) => `  runs ${app}@${number} since ${moments.relative(since)}${healthy === false ? ', NOT HEALTHY' : ''}`),
    ...work.filter(({ settled }) => !settled).map(({ app, deployment, phase }) => `  ${app}: ${phase} for ${deployment}`),
  ].map(visible).join('\n');
}
