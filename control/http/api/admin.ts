// Handlers of tokens and of the status summary.

import { apiTokenTtlMsDefault, joinTokenTtlMsDefault, type CreateToken } from '../../../proto/api/tokens.ts';
import type { State } from '../../core/model/model.ts';
import { answered, etagOf, found, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { pageById } from '../paging.ts';
import { environmentView, tokenView } from '../views/views.ts';
import { deploymentSummary } from '../views/deployments.ts';

export function tokenHandlers({ facts, submit, tokens, repository, clock }: ApiOptions): Handlers<'listTokens' | 'createToken' | 'getToken' | 'revokeToken'> {
  const tokenOf = (state: State, id: string) => found(state.tokens.get(id), 'token', id);
  const versionOf = (state: State, id: string) => etagOf([id, tokenOf(state, id).revoked]);
  return {
    listTokens: async ({ query: { use, ...query } }) => {
      const newest = [...facts.state().tokens.values()].toReversed();
      const page = pageById(newest, ({ token }) => token, query, (one) => use === undefined || one.use === use);
      return { body: { ...page, items: page.items.map(tokenView) } };
    },
    createToken: async ({ body, caller, draw }) => {
      const made = body.use === 'api' ? tokens.createApi(draw) : tokens.createJoin(repository.rootDigest(), draw);
      const view = (state: State) => ({
        body: { ...tokenView(tokenOf(state, made.token)), text: made.text },
        headers: { location: `/v1/tokens/${made.token}`, etag: versionOf(state, made.token) },
      });
      // Drawn from the request's own key: when it is on record already, an earlier try of this very request made it.
      if (facts.state().tokens.has(made.token)) return view(facts.state());
      const command = { kind: 'create-token', token: made.token, secretDigest: made.secretDigest, name: body.name, ...grantsOf(body, clock.now()) } as const;
      return answered(await submit(caller.actor, command), view);
    },
    getToken: async ({ params: { token } }) => ({ body: tokenView(tokenOf(facts.state(), token)), headers: { etag: versionOf(facts.state(), token) } }),
    revokeToken: async ({ params: { token }, caller, ifMatch }) => {
      const problem = unmatched(ifMatch, versionOf(facts.state(), token));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'revoke-token', token, reason: 'revoked on request' }), () => ({ body: undefined }));
    },
  };
}

function grantsOf(body: CreateToken, now: number) {
  if (body.use === 'api') {
    const groups = body.groups === undefined || body.groups.length === 0 ? {} : { groups: [...new Set(body.groups)] };
    return { use: 'api', scopes: body.scopes, ...groups, roles: [], environments: [], labels: {}, usesMax: 0, expiresAt: now + (body.ttlMs ?? apiTokenTtlMsDefault) } as const;
  }
  const { roles, environments = [], labels = {}, usesMax = 1, ttlMs = joinTokenTtlMsDefault } = body;
  return { use: 'join', scopes: [], roles, environments, labels, usesMax, expiresAt: now + ttlMs } as const;
}

export function statusHandlers({ facts, presence, repository, clock, about }: ApiOptions): Handlers<'getStatus'> {
  return {
    getStatus: async () => {
      const state = facts.state();
      const members = [...state.members.values()].filter(({ revoked }) => !revoked);
      const withRole = (role: 'agent' | 'seed' | 'proxy') => members.filter(({ roles }) => roles.includes(role)).length;
      const environments = [...state.environments.values()].toSorted((a, b) => (a.environment < b.environment ? -1 : 1));
      return {
        body: {
          org: about.org,
          version: about.version,
          now: clock.now(),
          startedAt: about.startedAt,
          asOf: state.head,
          publicUrl: about.publicUrl(),
          rootDigest: repository.rootDigest(),
          developmentKeys: about.developmentKeys,
          apps: state.apps.size,
          members: {
            agents: withRole('agent'),
            seeds: withRole('seed'),
            proxies: withRole('proxy'),
            online: members.filter(({ member }) => presence.connectivity(member) === 'online').length,
          },
          environments: environments.map((environment) => {
            const deployment = state.deployments.get(environment.newestDeployment ?? '');
            return { ...environmentView(state, environment, presence), ...(deployment === undefined ? {} : { deployment: deploymentSummary(deployment) }) };
          }),
        },
      };
    },
  };
}
