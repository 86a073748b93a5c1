// `starling target …`: one machine of the fleet: its labels, whether deployments begin with it, and the end of its membership. The list is
// that of `starling targets` (status.ts).

import type { Command } from 'commander';
import type { Target } from '../../../../proto/api/targets.ts';
import { ControlError } from '../../../errors.ts';
import { momentsOf } from '../hold/restraints.ts';
import { listing } from './status.ts';
import { registerTargetHistory } from './target-history.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { Moments } from '../../text/moments.ts';
import { aheadText, labelsText } from '../../text/text.ts';
import type { World } from '../../world.ts';

export function registerTarget(program: Command, world: World): void {
  const target = program.command('target').description('the machines of the fleet, and one of them');
  listing(target.command('list'), world);
  target
    .command('get')
    .alias('show')
    .description('what a machine is, runs and does')
    .argument('<target>', 'its name or its member id')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('getTarget', { params: { target: id } });
      terminal.object(found, { text: (one) => describe(one, momentsOf(world)), name: ({ name }) => name });
    });
  registerTargetHistory(target, world);
  target
    .command('label')
    .description('set labels of a machine, or take them away: they select the environments whose applications it runs')
    .argument('<target>', 'its name or its member id')
    .argument('<labels...>', 'key=value to set, key- to take away')
    .action(async (id: string, words: readonly string[], _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const { reply, tag } = await client.callWithTag('getTarget', { params: { target: id } });
      const body = { labels: labelled(reply.labels, words) };
      const found = await client.call('labelTarget', { params: { target: reply.member }, body, ...(tag === undefined ? {} : { ifMatch: tag }) });
      terminal.object(found, { text: (one) => visible(`${one.name} has the labels ${labelsText(one.labels) || '(none)'}`), name: ({ name }) => name });
    });
  target
    .command('cordon')
    .description('leave a machine out of whatever begins from now on: what is under way goes on, and what it runs stays')
    .argument('<target>', 'its name or its member id')
    .requiredOption('--reason <text>', 'why; others will read it')
    .action(async (id: string, { reason }: { readonly reason: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('cordonTarget', { params: { target: id }, body: { reason } });
      terminal.object(found, { text: (one) => visible(`${one.name} is cordoned: no deployment begins with it until \`starling target uncordon ${one.name}\``), name: ({ name }) => name });
    });
  target
    .command('uncordon')
    .description('let deployments begin with a machine again; it is brought to what its environments run')
    .argument('<target>', 'its name or its member id')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('uncordonTarget', { params: { target: id } });
      terminal.object(found, { text: (one) => visible(`${one.name} is no longer cordoned`), name: ({ name }) => name });
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

/** @throws {ControlError} CONFIG_INVALID for what is neither a label nor the end of one. */
function labelled(before: Readonly<Record<string, string>>, words: readonly string[]): Record<string, string> {
  const labels = new Map(Object.entries(before));
  for (const word of words) {
    const [, key = '', value] = /^([^=]+?)(?:=(.*)|-)$/.exec(word) ?? [];
    if (key === '') throw new ControlError('CONFIG_INVALID', `'${word}' is neither key=value nor key-`);
    if (value === undefined) labels.delete(key);
    else labels.set(key, value);
  }
  return Object.fromEntries(labels);
}

function describe({ name, member, roles, environments, labels, attributes, addresses, enrolledAt, revoked, cordoned, connectivity, lastSeenAt, clock, version, running, work, refused = [] }: Target, moments: Moments): string {
  return [
    `${name}  ${roles.join(', ')}  ${revoked ? 'REVOKED' : connectivity}${lastSeenAt === undefined ? ', not heard since the control plane was started' : `, heard ${moments.relative(lastSeenAt)}`}`,
    `  member ${member}, joined ${moments.relative(enrolledAt)}${version === undefined ? '' : `, version ${version}`}`,
    ...(clock === undefined ? [] : [`  REFUSED ${moments.relative(clock.refusedAt)}: its clock is ${aheadText(clock.aheadMs)}`, '    do: set it by network time (`timedatectl` there says whether it is); then it is heard again by itself']),
    ...(cordoned === undefined ? [] : [`  CORDONED ${moments.relative(cordoned.since)}: ${cordoned.reason}`]),
    ...(environments.length === 0 ? [] : [`  of ${environments.join(', ')}`]),
    ...(Object.keys(labels).length === 0 ? [] : [`  labels ${labelsText(labels)}`]),
    ...(Object.keys(attributes).length === 0 ? [] : [`  says of itself ${labelsText(attributes)}`]),
    ...(addresses.length === 0 ? [] : [`  at ${addresses.join(', ')}`]),
    ...running.map(({ app, number, since, healthy }) => `  runs ${app}@${number} since ${moments.relative(since)}${healthy === false ? ', NOT HEALTHY' : ''}`),
    ...work.filter(({ settled }) => !settled).map(({ app, deployment, phase }) => `  ${app}: ${phase} for ${deployment}`),
    ...refused.flatMap(({ app, deployment, order, code, detail, advice, since }) => [`  REFUSES order ${order} (${app}, ${deployment}) ${moments.relative(since)} ${code}: ${detail}`, `    do: ${advice}`]),
  ].map(visible).join('\n');
}
