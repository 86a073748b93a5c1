// Handlers of promotions, deployments and targets.

import type { Deployment } from '../../core/model/deployment.ts';
import type { Member, State } from '../../core/model/model.ts';
import { explain } from '../../core/explain/explain.ts';
import { isOfFleet } from '../../core/model/select.ts';
import { valuesOf } from '../../core/model/shared-map.ts';
import { createWholeDeployment } from './archived.ts';
import { answered, etagOf, found, newId, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { parseSelector } from '../label-selector.ts';
import { pageById, pageOf } from '../paging.ts';
import { promotionView, targetView } from '../views/views.ts';
import { deploymentSummary, deploymentTargetView, deploymentView, explanationView, targetDeploymentView, targetsInOrder } from '../views/deployments.ts';

export function promotionHandlers({ facts, submit, observed }: ApiOptions): Handlers<'listPromotions' | 'createPromotion' | 'getPromotion' | 'abortPromotion' | 'explainPromotion'> {
  const promotionOf = (state: State, id: string) => found(state.promotions.get(id), 'promotion', id);
  return {
    listPromotions: async ({ query }) => {
      const { environment, phase } = query;
      const newest = [...facts.state().promotions.values()].toReversed();
      const cursor = cursorQuery(query);
      const page = pageById(newest, ({ promotion }) => promotion, cursor, (one) => (environment === undefined || one.environment === environment) && (phase === undefined || one.phase === phase));
      return { body: { ...page, items: page.items.map((promotion) => promotionView(facts.state(), promotion)) } };
    },
    createPromotion: async ({ body: { environment, revision, reason, hotfix }, caller, draw }) => {
      const promotion = newId('pr', draw);
      const command = { kind: 'promote', promotion, environment, revision, ...(reason === undefined ? {} : { reason }), ...(hotfix === true ? { cause: 'hotfix' as const } : {}) } as const;
      return answered(await submit(caller.actor, command), (state) => ({
        body: promotionView(state, promotionOf(state, promotion)),
        headers: { location: `/v1/promotions/${promotion}` },
      }));
    },
    getPromotion: async ({ params: { promotion } }) => ({ body: promotionView(facts.state(), promotionOf(facts.state(), promotion)) }),
    abortPromotion: async ({ params: { promotion }, body: { reason }, caller }) => {
      const command = { kind: 'abort-promotion', promotion, ...(reason === undefined ? {} : { reason }) } as const;
      return answered(await submit(caller.actor, command), (state) => ({ body: promotionView(state, promotionOf(state, promotion)) }));
    },
    explainPromotion: async ({ params: { promotion } }) => {
      const state = facts.state();
      const { environment } = promotionOf(state, promotion);
      return { body: explanationView(environment, found(explain(state, observed(), promotion), 'promotion', promotion)) };
    },
  };
}

export function deploymentHandlers(options: ApiOptions): Handlers<'listDeployments' | 'getDeployment' | 'listDeploymentTargets' | 'abortDeployment'> {
  const { facts, submit, presence } = options;
  const wholeOf = createWholeDeployment(options);
  const deploymentOf = (state: State, id: string) => found(state.deployments.get(id), 'deployment', id);
  return {
    listDeployments: async ({ query }) => {
      const { environment, phase } = query;
      const newest = [...facts.state().deployments.values()].toReversed();
      const cursor = cursorQuery(query);
      const page = pageById(newest, ({ deployment }) => deployment, cursor, (one) => (environment === undefined || one.environment === environment) && (phase === undefined || one.phase === phase));
      return { body: { ...page, items: page.items.map(deploymentSummary) } };
    },
    getDeployment: async ({ params: { deployment: id }, gone }) => {
      const deployment = await wholeOf(id, gone);
      return { body: deploymentView(facts.state(), deployment, presence) };
    },
    listDeploymentTargets: async ({ params: { deployment: id }, query, gone }) => {
      const deployment = await wholeOf(id, gone);
      const state = facts.state();
      const page = pageById(targetsInOrder(deployment), ({ member }) => member, query);
      return { body: { ...page, items: page.items.map((target) => deploymentTargetView(state, deployment, target, presence)) } };
    },
    abortDeployment: async ({ params: { deployment }, body: { reason }, caller }) => {
      const command = { kind: 'abort', deployment, ...(reason === undefined ? {} : { reason }) } as const;
      return answered(await submit(caller.actor, command), (state) => ({ body: deploymentSummary(deploymentOf(state, deployment)) }));
    },
  };
}

const byName = { name: ({ name }: Member) => name, id: ({ member }: Member) => member };

export function targetHandlers({ facts, submit, presence }: ApiOptions): Handlers<'listTargets' | 'getTarget' | 'listTargetDeployments' | 'revokeTarget' | 'labelTarget' | 'cordonTarget' | 'uncordonTarget'> {
  const view = (state: State, target: string) => {
    const member = memberOf(state, target);
    return { body: targetView(state, member, presence), headers: { etag: labelsTag(member) } };
  };
  return {
    listTargets: async ({ query }) => {
      const { environment, label, name: part = '', connectivity, role = 'agent', revoked } = query;
      const selects = label === undefined ? () => true : parseSelector(label);
      const filter = {
        role,
        ...(environment === undefined ? {} : { environment }),
        ...(revoked === undefined ? {} : { revoked }),
      };
      const isWanted = (one: Member): boolean => isOfFleet(one, filter) && one.name.includes(part) && selects(one.labels) && (connectivity === undefined || presence.connectivity(one.member) === connectivity);
      // Names of revoked members may come again: the id makes the key unique.
      const state = facts.state();
      const page = pageOf(valuesOf(state.members), byName, cursorQuery(query), isWanted);
      return { body: { ...page, items: page.items.map((member) => targetView(state, member, presence)) } };
    },
    getTarget: async ({ params: { target } }) => view(facts.state(), target),
    listTargetDeployments: async ({ params: { target }, query: { failed, ...query } }) => {
      const state = facts.state();
      const { member, environments, enrolledAt } = memberOf(state, target);
      const newest = valuesOf(state.deployments).toReversed();
      const archived = newest.filter((one) => one.archived !== undefined && one.startedAt >= enrolledAt && environments.includes(one.environment)).length;
      const hadPart = ({ targets }: Deployment): boolean => (failed === true ? targets.get(member)?.code !== undefined : targets.has(member));
      const page = pageById(newest, ({ deployment }) => deployment, cursorQuery(query), hadPart);
      return { body: { ...page, items: page.items.flatMap((one) => targetDeploymentView(state, one, member, presence)), ...(archived === 0 ? {} : { archived }) } };
    },
    labelTarget: async ({ params: { target }, body: { labels }, ifMatch, caller }) => {
      const known = memberOf(facts.state(), target);
      const problem = unmatched(ifMatch, labelsTag(known));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'label-member', member: known.member, labels }), (state) => view(state, known.member));
    },
    cordonTarget: async ({ params: { target }, body: { reason }, caller }) => {
      const { member } = memberOf(facts.state(), target);
      return answered(await submit(caller.actor, { kind: 'cordon-member', member, reason }), (state) => view(state, member));
    },
    uncordonTarget: async ({ params: { target }, caller }) => {
      const { member } = memberOf(facts.state(), target);
      return answered(await submit(caller.actor, { kind: 'uncordon-member', member }), (state) => view(state, member));
    },
    revokeTarget: async ({ params: { target }, body: { reason }, caller }) => {
      const { member } = memberOf(facts.state(), target);
      return answered(await submit(caller.actor, { kind: 'revoke-member', member, reason }), (state) => ({ body: targetView(state, memberOf(state, member), presence) }));
    },
  };
}

/** What a change of labels must have seen: the labels. */
function labelsTag({ labels }: Member): string {
  return etagOf(labels);
}

/** By member id, or by the name that a member has now. */
function memberOf(state: State, text: string) {
  return found(state.members.get(text) ?? [...state.members.values()].find(({ name, revoked }) => name === text && !revoked), 'target', text);
}

function cursorQuery({ limit, cursor }: { readonly limit?: number; readonly cursor?: string }) {
  return { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) };
}
