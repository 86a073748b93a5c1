// The handler of the gate: what holds an environment now, or would at another time, or with another revision. The answer is that of
// admission and automation (T-2).

import type { Candidate } from '../../core/gates/gates.ts';
import { evaluateGates } from '../../core/gates/gates.ts';
import type { Environment, State } from '../../core/model/model.ts';
import { observedAt } from '../../core/gates/openings.ts';
import { wantedSet } from '../../core/gates/source-set.ts';
import { revisionOf } from '../../core/model/select.ts';
import { ControlError } from '../../errors.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { blockerView } from '../views/governance.ts';

export function gateHandlers({ facts, observed }: Pick<ApiOptions, 'facts' | 'observed'>): Handlers<'getGate'> {
  return {
    getGate: async ({ params: { environment: name }, query: { at, revision } }) => {
      const state = facts.state();
      const environment = found(state.environments.get(name), 'environment', name);
      const seen = observed();
      const candidate = revision === undefined ? candidateOf(state, environment, seen.now) : thoughtOf(state, environment, revision, seen.now);
      const when = at === undefined ? {} : { at };
      if (candidate === undefined) return { body: { environment: name, ...when, blockers: [] } };
      const { blockers, nextCheckAt } = evaluateGates(state, candidate, at === undefined ? seen : observedAt(seen, at));
      return {
        body: {
          environment: name,
          ...(candidate.promotion === undefined ? {} : { promotion: candidate.promotion }),
          ...when,
          blockers: blockers.map(blockerView),
          ...(nextCheckAt === undefined ? {} : { nextCheckAt }),
        },
      };
    },
  };
}

/** The promotion that waits longest, or the thought of promoting the newest revisions. */
function candidateOf(state: State, environment: Environment, now: number): Candidate | undefined {
  const waiting = state.promotions.get(environment.waiting[0] ?? '');
  if (waiting !== undefined) return waiting;
  const set = wantedSet(state, environment, 'latest');
  return 'problem' in set ? undefined : thoughtOf(state, environment, 'latest', now);
}

/** The thought of promoting by hand. @throws {ControlError} NOT_FOUND when it names no revision. */
function thoughtOf(state: State, environment: Environment, text: string, now: number): Candidate {
  const set = wantedSet(state, environment, text);
  if ('problem' in set) throw new ControlError('NOT_FOUND', set.problem);
  const app = environment.apps.find((one) => set.members[one] !== undefined) ?? '';
  const revision = set.members[app] ?? '';
  return { environment: environment.environment, app, revision, number: revisionOf(state, app, revision)?.number ?? 0, members: set.members, trigger: 'manual', createdAt: now };
}
