// Handlers of the swarm: the receipt of a deployment, the map, and how far a revision has spread.

import type { Location, SwarmMap } from '../../../proto/api/swarm.ts';
import { limits } from '../../../proto/limits.ts';
import type { Member } from '../../core/model/model.ts';
import { firstStart, receiptOf, receiptTarget } from '../../core/swarm/receipt.ts';
import { findRevision } from '../../core/model/select.ts';
import { holdersOf, mapKey, mapMembers, mapZones, revisionNamed, spreadOf, swarmLinks, type Holder, type SwarmLinks } from '../../core/swarm/swarm.ts';
import { zoneOf } from '../../core/model/zones.ts';
import type { State } from '../../core/model/model.ts';
import type { Presence } from '../../fleet/presence.ts';
import { createWholeDeployment } from './archived.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { pageById, pageByKey } from '../paging.ts';
import { targetsInOrder } from '../views/deployments.ts';

export function swarmHandlers(options: ApiOptions): Handlers<'getReceipt' | 'getSwarmMap' | 'getSwarmCoverage' | 'listLocations'> {
  const { facts, presence } = options;
  const wholeOf = createWholeDeployment(options);
  return {
    getReceipt: async ({ params: { deployment: id }, query, gone }) => {
      const deployment = await wholeOf(id, gone);
      const state = facts.state();
      const page = pageById(targetsInOrder(deployment), ({ member }) => member, query);
      const first = firstStart(deployment);
      const summary = receiptOf(state, deployment, (member) => presence.of(member)?.rates);
      return { body: { ...summary, ...page, items: page.items.map((target) => receiptTarget(state, target, first)) } };
    },
    getSwarmMap: async ({ query }) => {
      const state = facts.state();
      const members = mapMembers(state);
      const page = pageByKey(members, mapKey, query);
      const links = swarmLinks(state);
      const zones = mapZones(members, (member) => presence.connectivity(member) === 'online');
      return {
        body: {
          zones: zones.slice(0, limits.pageItemsMax),
          links: links.zones.slice(0, limits.pageItemsMax),
          ...page,
          items: page.items.map((member) => memberView(state, member, links, presence)),
        },
      };
    },
    listLocations: async ({ params: { app, revision }, query }) => {
      const state = facts.state();
      found(state.apps.get(app), 'application', app);
      const record = found(findRevision(state, app, revision), 'revision', `${app}@${revision}`);
      const page = pageByKey(holdersOf(state, record), ({ member }) => mapKey(member), query);
      return { body: { ...page, items: page.items.map((one) => locationView(one, presence)) } };
    },
    getSwarmCoverage: async ({ query: { revision, environment, ...cursor } }) => {
      const state = facts.state();
      const record = found(revisionNamed(state, revision), 'revision', revision);
      if (environment !== undefined) found(state.environments.get(environment), 'environment', environment);
      const { zones, targets, holding, fetching, seeds } = spreadOf(state, record, environment);
      const populated = zones.filter((zone) => zone.targets > 0);
      return {
        body: {
          app: record.app,
          number: record.number,
          revision: record.revision,
          ...(environment === undefined ? {} : { environment }),
          targets, holding, fetching, seeds,
          fraction: targets === 0 ? 0 : Math.floor((10_000 * holding) / targets) / 10_000,
          copiesMin: populated.length === 0 ? 0 : Math.min(...populated.map(({ copies }) => copies)),
          ...pageByKey(zones, ({ zone }) => zone, cursor),
        },
      };
    },
  };
}

function memberView(state: State, member: Member, links: SwarmLinks, presence: Presence): SwarmMap['items'][number] {
  const { member: id, name, roles, environments } = member;
  const heard = presence.of(id);
  const fetching = heard?.progress[0];
  return {
    member: id,
    name,
    roles: [...roles],
    zone: zoneOf(member),
    environments: [...environments],
    connectivity: presence.connectivity(id),
    rates: { ...heard?.rates },
    ...(fetching === undefined ? {} : { fetching: { ...fetching } }),
    fed: { ...(links.fed.get(id) ?? { bytes: 0, targets: 0 }) },
    from: (links.from.get(id) ?? []).map((link) => ({ ...link, name: state.members.get(link.member)?.name ?? link.member })),
  };
}

function locationView({ member, has }: Holder, presence: Presence): Location {
  const role = member.roles.find((one) => one !== 'agent') ?? 'agent';
  return { member: member.member, name: member.name, role, zone: zoneOf(member), has, connectivity: presence.connectivity(member.member) };
}
