// The handler of a promotion's dry run. What it would do is core/forecast/forecast.ts; nothing is appended here.

import type { Forecast } from '../../../proto/api/forecast.ts';
import { limits } from '../../../proto/limits.ts';
import { forecast, type Forecast as Foretold, type Leg } from '../../core/forecast/forecast.ts';
import type { State } from '../../core/model/model.ts';
import { revisionOf } from '../../core/model/select.ts';
import { newId, type ApiOptions, type Handlers } from './api.ts';
import { refusalProblem } from '../problems.ts';
import { blockerView } from '../views/governance.ts';

export function forecastHandlers({ facts, observed }: Pick<ApiOptions, 'facts' | 'observed'>): Handlers<'dryRunPromotion'> {
  return {
    dryRunPromotion: async ({ body: { environment, revision, reason, hotfix }, caller, draw }) => {
      const state = facts.state();
      const seen = observed();
      const command = { kind: 'promote', promotion: newId('dry', draw), environment, revision, ...(reason === undefined ? {} : { reason }), ...(hotfix === true ? { cause: 'hotfix' as const } : {}) } as const;
      const found = forecast(state, seen, command, caller.actor);
      return 'kind' in found ? { problem: refusalProblem(found) } : { body: forecastView(state, found, seen.now) };
    },
  };
}

function forecastView(state: State, { promotion, gates, legs, supersedes, holds, releases }: Foretold, at: number): Forecast {
  return {
    environment: promotion.environment,
    at,
    blockers: gates.blockers.map(blockerView),
    ...(gates.nextCheckAt === undefined ? {} : { nextCheckAt: gates.nextCheckAt }),
    exemptions: gates.exemptions.map(({ gate, why }) => ({ gate, why })),
    legs: legs.map((leg) => legView(state, leg)),
    supersedes: [...supersedes],
    holds: [...holds],
    releases: [...releases],
  };
}

function legView(state: State, { started, bytes, times }: Leg): Forecast['legs'][number] {
  const { app, type, to, from, number } = started;
  const { groups, originBytes, evidence } = bytes;
  return {
    app,
    type,
    to: { revision: to, number },
    ...(from === undefined ? {} : { from: { revision: from, number: revisionOf(state, app, from)?.number ?? 0 } }),
    targets: times.batches.reduce((sum, { targets }) => sum + targets.length, 0),
    batches: times.batches.map(({ targets, ...batch }) => ({ ...batch, targets: targets.length, first: targets.slice(0, limits.pageItemsMax).map((member) => state.members.get(member)?.name ?? member) })),
    ...(times.totalMs === undefined ? {} : { totalMs: times.totalMs }),
    timesFrom: [...times.evidence],
    bytes: { groups: groups.map((group) => ({ ...group })), total: bytes.bytes, ...(originBytes === undefined ? {} : { origin: originBytes }), ...(evidence === undefined ? {} : { originFrom: evidence }) },
  };
}
