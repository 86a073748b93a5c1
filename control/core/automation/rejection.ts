// Promotions that people said no to, or nothing in time: those that wait for that very approval end (control-plane.md 1.2). Whoever
// promotes the same again asks again.

import type { Event } from '../../../proto/events.ts';
import { contextOf } from '../gates/gates.ts';
import { approvalFor, requestAbout, subjectOf } from '../gates/approval.ts';
import { kindOf } from '../gates/blocker.ts';
import { carriedBy } from '../gates/carried.ts';
import { complianceSubject, policiesOf } from '../gates/compliance.ts';
import { edgesInto } from '../gates/place.ts';
import type { ApprovalRequest } from '../model/approval.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { membersOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';

/** The facts that end the promotions of an environment whose approval was refused while they waited. */
export function rejected(state: State, environment: Environment, observed: Observed): readonly Event[] {
  if (state.requests.size === 0) return [];
  return environment.waiting.flatMap((id): readonly Event[] => {
    const promotion = state.promotions.get(id);
    const no = promotion === undefined ? undefined : refusalOf(state, environment, promotion, observed);
    if (promotion === undefined || no === undefined) return [];
    const why = no.outcome === undefined ? '' : `: ${no.outcome}`;
    return [{ kind: 'promotion.finished', promotion: id, phase: 'rejected', reason: `request '${no.request}' was ${no.status}${why}; promote it again to ask again` }];
  });
}

/** Whether a request was answered for good before somebody asked for the same once more, so that people are to be asked again. */
export function isAskedAnew(request: ApprovalRequest, promotion: Pick<Promotion, 'createdAt'> | undefined): boolean {
  const over = request.status !== 'open' && request.status !== 'approved';
  return over && promotion !== undefined && (request.settledAt ?? 0) < promotion.createdAt;
}

/** The request that was refused after the promotion was made, when the promotion must pass it. */
function refusalOf(state: State, environment: Environment, promotion: Promotion, observed: Observed): ApprovalRequest | undefined {
  const kind = kindOf(promotion);
  if (kind === 'rollback') return undefined;
  const context = contextOf(state, environment, promotion, observed);
  const edges = kind === 'hotfix' ? [] : edgesInto(state, environment.environment).filter((edge) => edge.spec.apps.some((app) => membersOf(promotion)[app] !== undefined));
  const approvals = edges.flatMap((edge) => {
    const approval = approvalFor(state, edge);
    return approval === undefined ? [] : [subjectOf(edge, approval, carriedBy(edge, context.members))];
  });
  const policies = policiesOf(context).filter((policy) => policy.mode === 'enforce').map((policy) => complianceSubject(policy, context));
  const asked = [...approvals, ...policies].flatMap((subject) => requestAbout(state, subject) ?? []);
  return asked.find((request) => (request.status === 'rejected' || request.status === 'expired') && (request.settledAt ?? 0) >= promotion.createdAt);
}
