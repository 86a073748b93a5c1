// How requests for approval end: enough votes, a vote against, time, or a subject that is no longer what would go on. And
// the requests that compliance policies need for what waits.

import type { SetMembers } from '../../../proto/pipeline.ts';
import { carriesSame } from '../choice/candidates.ts';
import type { Command } from '../commands/command.ts';
import { evaluateGates, contextOf } from '../gates/gates.ts';
import { approvalFor, asCounted, askedByHand, isSameSubject, subjectOf } from '../gates/approval.ts';
import { complianceSubject, policiesOf } from '../gates/compliance.ts';
import { isAskedAsNow } from '../gates/override.ts';
import { edgesInto, placeOf } from '../gates/place.ts';
import { isWorthAsking } from '../gates/table.ts';
import { isSatisfied, rejection } from '../gates/votes.ts';
import type { ApprovalRequest } from '../model/approval.ts';
import type { State } from '../model/model.ts';
import { authorsOf, personOf } from '../model/people.ts';
import { isAskedAnew } from './rejection.ts';
import { isWithdrawn, membersOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { numberOf } from '../gates/blocker.ts';
import { canonicalText } from '../model/sets.ts';

/** Requests that come to an end now. */
export function settleRequests(state: State, now: number): readonly Command[] {
  return [...state.requests.values()].flatMap((one): readonly Command[] => {
    if (one.status !== 'open' && one.status !== 'approved') return [];
    const request = asCounted(state, one);
    const end = request.status === 'open' ? endOf(state, request, now) : afterwards(state, request);
    return end === undefined ? [] : [{ kind: 'settle-request', request: request.request, ...end }];
  });
}

type End = { readonly status: Exclude<ApprovalRequest['status'], 'open'>; readonly reason?: string };

function endOf(state: State, request: ApprovalRequest, now: number): End | undefined {
  const against = rejection(request);
  if (against !== undefined) return { status: 'rejected', reason: `${against.by} said no: ${against.comment ?? 'without a comment'}` };
  const stale = staleness(state, request);
  if (stale !== undefined) return stale;
  if (request.expiresAt !== undefined && request.expiresAt <= now) return { status: 'expired', reason: 'nobody said enough in time' };
  return isSatisfied(request) ? { status: 'approved' } : undefined;
}

/** An approval whose votes were taken back counts no longer, and one about something else than is configured now neither. */
function afterwards(state: State, request: ApprovalRequest): End | undefined {
  if (!isSatisfied(request)) return { status: 'revoked', reason: 'a vote was taken back, or is of who asks for the promotion' };
  const stale = staleness(state, request);
  return stale?.status === 'invalidated' ? stale : undefined;
}

/** Why a request asks for what can no longer go on: nobody is to be bothered with it. */
function staleness(state: State, request: ApprovalRequest): End | undefined {
  const { subject, run } = request;
  const { destination, members } = subject;
  if (run !== undefined && state.runs.get(run)?.finishedAt !== undefined) return { status: 'cancelled', reason: `run ${run} is over` };
  if (destination === undefined) return undefined;
  if (subject.purpose === 'override') return isAskedAsNow(state, request) ? undefined : { status: 'invalidated', reason: 'who may lift it was changed, or it is over' };
  const barred = Object.entries(members).find(([app, revision]) => isWithdrawn(state, destination, app, revision));
  if (barred !== undefined) return { status: 'invalidated', reason: `${barred[0]}@${numberOf(state, ...barred) ?? '?'} was vetoed or has expired` };
  if (subject.purpose === 'compliance') {
    const place = placeOf(state, destination);
    const known = (place?.pipeline.spec.policies ?? []).some((policy) => canonicalText(policy) === subject.policy);
    return known ? undefined : { status: 'invalidated', reason: 'the policy was changed' };
  }
  if (subject.purpose !== 'promotion') return undefined;
  const edges = edgesInto(state, destination).filter((edge) => {
    const approval = approvalFor(state, edge);
    return approval !== undefined && isSameSubject(subjectOf(edge, approval, members), subject);
  });
  if (edges.length === 0) return { status: 'invalidated', reason: 'what must be approved was changed' };
  const desired = state.sets.get(destination)?.desired ?? {};
  const passed = Object.entries(members).some(([app, revision]) => (numberOf(state, app, revision) ?? 0) < (numberOf(state, app, desired[app] ?? '') ?? 0));
  // Who goes back to something older by hand still wants it.
  if (passed && !edges.some((edge) => askedByHand(state, edge, members).length > 0)) return { status: 'cancelled', reason: `'${destination}' has gone on to something newer` };
  return isThere(state, destination, members) ? { status: 'cancelled', reason: `'${destination}' has it already` } : undefined;
}

/** Whether a set came in another way, with more or as a hotfix, and nobody waits to bring it again. */
function isThere(state: State, destination: string, members: SetMembers): boolean {
  if (!carriesSame(state.sets.get(destination)?.current, members)) return false;
  const waiting = (state.environments.get(destination)?.waiting ?? []).flatMap((id) => state.promotions.get(id) ?? []);
  return !waiting.some((promotion) => Object.keys(members).some((app) => membersOf(promotion)[app] !== undefined));
}

/** Requests for the approvals that compliance policies demand of promotions that wait. */
export function missingCompliance(state: State, observed: Observed): readonly Command[] {
  const waiting = [...state.environments.values()].flatMap((environment) => environment.waiting.map((id) => ({ environment, promotion: state.promotions.get(id) })));
  return waiting.flatMap(({ environment, promotion }): readonly Command[] => {
    if (promotion === undefined || promotion.trigger === 'rollback') return [];
    const context = contextOf(state, environment, promotion, observed);
    const policies = policiesOf(context).filter((policy) => policy.requires.some((rule) => rule.rule === 'approvals'));
    if (policies.length === 0 || !isWorthAsking(evaluateGates(state, promotion, observed).blockers)) return [];
    return policies.flatMap((policy): readonly Command[] => {
      const subject = complianceSubject(policy, context);
      const known = [...state.requests.values()].findLast((request) => isSameSubject(request.subject, subject));
      if (known !== undefined && !isAskedAnew(known, promotion)) return [];
      const rules = policy.requires.flatMap((rule) => (rule.rule === 'approvals' ? [{ group: rule.group, count: rule.count }] : []));
      const excluded = policy.requires.some((rule) => rule.rule === 'separationOfDuties') ? [...new Set([...authorsOf(context), personOf(state, promotion.by)])] : [];
      return [{ kind: 'request-approval', request: `request-${state.requests.size + 1}`, subject, rules, excluded }];
    });
  });
}
