// Handlers of applications, revisions, uploads and environments.

import { deploymentDefaults, type DeploymentConfigInput } from '../../../proto/api/environments.ts';
import type { Grant } from '../../../proto/statement.ts';
import type { DeploymentConfig } from '../../../proto/events.ts';
import { explain } from '../../core/explain/explain.ts';
import type { Environment, State } from '../../core/model/model.ts';
import { deploySpecOf } from '../../core/pipeline/problems.ts';
import { targetsOf } from '../../core/model/select.ts';
import { answered, etagOf, found, newId, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { parseSelector } from '../label-selector.ts';
import { pageByKey } from '../paging.ts';
import { appView, environmentView, promotionView, proxyViews, refOf, revisionView, targetView } from '../views/views.ts';
import { explanationView } from '../views/deployments.ts';
import { driftKey, driftOf } from '../views/drift.ts';

/** How long an upload may take: a grant is asked for again after it. */
export const grantLifeMs = 4 * 3_600_000;

export function appHandlers({ facts, submit, presence, repository, clock }: ApiOptions): Handlers<
  'listApps' | 'createApp' | 'getApp' | 'listRevisions' | 'createUpload' | 'listUploadProxies'
> {
  return {
    listApps: async ({ query }) => {
      const state = facts.state();
      const apps = [...state.apps.values()].toSorted((a, b) => (a.app < b.app ? -1 : 1));
      const page = pageByKey(apps, ({ app }) => app, query);
      return { body: { ...page, items: page.items.map((app) => appView(state, app)) } };
    },
    createApp: async ({ body: { app, project = app }, caller, resumedFrom }) => {
      const view = (state: State) => ({ body: appView(state, found(state.apps.get(app), 'application', app)), headers: { location: `/v1/apps/${app}` } });
      const existing = facts.state().apps.get(app);
      if (existing !== undefined && made(existing.createdAt, resumedFrom) && existing.project === project) return view(facts.state());
      return answered(await submit(caller.actor, { kind: 'create-app', app, project }), view);
    },
    getApp: async ({ params: { app } }) => ({ body: appView(facts.state(), found(facts.state().apps.get(app), 'application', app)) }),
    listRevisions: async ({ params: { app }, query }) => {
      const { revisions } = found(facts.state().apps.get(app), 'application', app);
      // Newest first; numbers only grow, so that counting down is a stable order.
      const page = pageByKey(revisions.toReversed(), ({ number }) => String(Number.MAX_SAFE_INTEGER - number), query);
      return { body: { ...page, items: page.items.map(revisionView) } };
    },
    createUpload: async ({ params: { app }, body, caller, draw }) => {
      const state = facts.state();
      const { project, revisions } = found(state.apps.get(app), 'application', app);
      const known = body.revision === undefined ? undefined : revisions.find(({ revision }) => revision === body.revision);
      const now = clock.now();
      const grant: Grant = {
        id: newId('up', draw),
        project,
        app,
        user: caller.actor,
        notBefore: Math.floor(now / 1000),
        notAfter: Math.floor((now + grantLifeMs) / 1000),
      };
      const online = proxyViews(state, presence);
      const deploySpec = deploySpecOf(state.pipelines.values(), app)?.path;
      const proxies = [...online.filter(({ connectivity }) => connectivity === 'online'), ...online.filter(({ connectivity }) => connectivity !== 'online')];
      return { body: { upload: grant.id, app, grant: repository.signGrant(grant), expiresAt: grant.notAfter * 1000, proxies, ...(known === undefined ? {} : { known: refOf(known) }), ...(deploySpec === undefined ? {} : { deploySpec }) } };
    },
    listUploadProxies: async ({ query }) => ({ body: pageByKey(proxyViews(facts.state(), presence), ({ name }) => name, query) }),
  };
}

export function environmentHandlers(options: ApiOptions): Handlers<
  | 'listEnvironments' | 'createEnvironment' | 'getEnvironment' | 'changeEnvironment' | 'explainEnvironment' | 'listEnvironmentTargets' | 'listDrift' | 'createRollback'
> {
  const { facts, submit, presence, observed } = options;
  const view = (state: State, name: string) => {
    const environment = found(state.environments.get(name), 'environment', name);
    return { body: environmentView(state, environment, presence), headers: { etag: versionOf(environment) } };
  };
  return {
    listEnvironments: async ({ query }) => {
      const state = facts.state();
      const environments = [...state.environments.values()].toSorted((a, b) => (a.environment < b.environment ? -1 : 1));
      const page = pageByKey(environments, ({ environment }) => environment, query);
      return { body: { ...page, items: page.items.map((environment) => environmentView(state, environment, presence)) } };
    },
    createEnvironment: async ({ body: { environment, app, apps = [app], selector, config: input }, caller, resumedFrom }) => {
      const config = configOf(input ?? {});
      const created = (state: State) => ({ ...view(state, environment), headers: { ...view(state, environment).headers, location: `/v1/environments/${environment}` } });
      const existing = facts.state().environments.get(environment);
      if (existing !== undefined && made(existing.createdAt, resumedFrom) && existing.apps.join() === apps.join() && versionOf(existing) === versionOf({ selector, config })) return created(facts.state());
      return answered(await submit(caller.actor, { kind: 'create-environment', environment, app, apps, selector, config }), created);
    },
    getEnvironment: async ({ params: { environment } }) => view(facts.state(), environment),
    changeEnvironment: async ({ params: { environment }, body, caller, ifMatch }) => {
      const existing = found(facts.state().environments.get(environment), 'environment', environment);
      const problem = unmatched(ifMatch, versionOf(existing));
      if (problem !== undefined) return { problem };
      const command = { kind: 'change-environment', environment, selector: body.selector, config: configOf(body.config) } as const;
      return answered(await submit(caller.actor, command), (state) => view(state, environment));
    },
    explainEnvironment: async ({ params: { environment } }) => {
      const state = facts.state();
      found(state.environments.get(environment), 'environment', environment);
      return { body: explanationView(environment, found(explain(state, observed(), environment), 'environment', environment)) };
    },
    listEnvironmentTargets: async ({ params: { environment }, query }) => {
      const state = facts.state();
      const { label, name: part = '', connectivity, ...page } = query;
      const selects = label === undefined ? () => true : parseSelector(label);
      const targets = targetsOf(state, found(state.environments.get(environment), 'environment', environment));
      const wanted = targets.filter((one) => one.name.includes(part) && selects(one.labels) && (connectivity === undefined || presence.connectivity(one.member) === connectivity));
      const shown = pageByKey(wanted, ({ name }) => name, page);
      return { body: { ...shown, items: shown.items.map((member) => targetView(state, member, presence)) } };
    },
    listDrift: async ({ params: { environment }, query }) => {
      const state = facts.state();
      return { body: pageByKey(driftOf(state, found(state.environments.get(environment), 'environment', environment), presence), driftKey, query) };
    },
    createRollback: async ({ params: { environment }, body: { to, reason }, caller, draw }) => {
      const promotion = newId('pr', draw);
      const command = { kind: 'rollback', promotion, environment, ...(to === undefined ? {} : { to }), ...(reason === undefined ? {} : { reason }) } as const;
      return answered(await submit(caller.actor, command), (state) => ({
        body: promotionView(state, found(state.promotions.get(promotion), 'promotion', promotion)),
        headers: { location: `/v1/promotions/${promotion}` },
      }));
    },
  };
}

/** What an environment's PUT replaces. */
function versionOf({ selector, config }: Pick<Environment, 'selector' | 'config'>): string {
  const sorted = Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return etagOf([sorted, Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function configOf(input: DeploymentConfigInput): DeploymentConfig {
  return { ...deploymentDefaults, ...input };
}

/** Whether something on record was made by an earlier try of this very request. */
function made(createdAt: number, resumedFrom: number | undefined): boolean {
  return resumedFrom !== undefined && createdAt >= resumedFrom;
}
