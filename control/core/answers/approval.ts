// Commands about approvals. They record what was said; whether it is enough is gates/votes.ts, and what follows is
// automation/automation.ts. Runs of workflows are workflow.ts.

import { accepted, refused } from '../commands/answer.ts';
import type { RequestApproval, RequestOverride, ReviewOverride, RevokeVote, SettleRequest, VoteOn } from '../commands/command-governance.ts';
import type { Answer } from '../commands/command.ts';
import { why } from './pipeline.ts';
import { asCounted, requestAbout } from '../gates/approval.ts';
import { demandsOf, liftPolicy } from '../gates/lift-rules.ts';
import type { State } from '../model/model.ts';
import { isAmong, personOf } from '../model/people.ts';
import { findSet } from '../model/select.ts';
import { approvalTransitions, mayBecome } from '../model/transitions.ts';

export function requestApproval(state: State, { kind: _kind, ...command }: RequestApproval): Answer {
  if (state.requests.has(command.request)) return accepted();
  const open = requestAbout(state, command.subject);
  if (open?.status === 'open') return refused('conflict', `request ${open.request} asks the same already; approve that one`);
  return accepted({ kind: 'approval.requested', ...command });
}

/** Who may lift it comes from what is lifted: nobody may lift what does not say who (CDS-17). */
export function requestOverride(state: State, { request, environment, revision, lifts, reason }: RequestOverride): Answer {
  const known = state.environments.get(environment);
  if (known === undefined) return refused('not-found', `there is no environment '${environment}'`);
  if (state.requests.has(request)) return accepted();
  if (reason.trim() === '') return refused('invalid', 'an override needs a reason');
  const set = findSet(state, known, revision);
  if ('problem' in set) return refused('not-found', set.problem);
  const members = { ...state.sets.get(environment)?.current, ...set.members };
  const demands = demandsOf(state, environment, members, lifts);
  const closed = lifts.filter((_, index) => demands[index] === undefined);
  const policy = liftPolicy(lifts, demands);
  if (lifts.length === 0 || policy === undefined) return refused('forbidden', `nobody may lift ${closed.join(', ') || 'nothing'}; it names no group for an override`);
  const rules = demands.flatMap((demand) => (demand === undefined ? [] : [demand.rule]));
  const countsForMs = Math.min(...demands.flatMap((demand) => demand?.forMs ?? []));
  return accepted({
    kind: 'approval.requested',
    request,
    subject: { purpose: 'override', source: environment, members, destination: environment, policy },
    rules,
    excluded: [],
    reason,
    lifts,
    countsForMs,
    ...(demands.some((demand) => demand?.review === true) ? { review: true } : {}),
  });
}

export function vote(state: State, { kind: _kind, ...command }: VoteOn, now: number): Answer {
  const request = state.requests.get(command.request);
  if (request === undefined) return refused('not-found', `there is no request '${command.request}'`);
  if (request.status !== 'open') return refused('conflict', `request '${command.request}' was ${request.status} already; nothing more can be said to it`);
  if (request.expiresAt !== undefined && request.expiresAt <= now) return refused('conflict', `request '${command.request}' has expired; ask again`);
  if (isAmong(asCounted(state, request).excluded, command.by)) return refused('forbidden', `${command.by} wrote or asked for a part of it, and cannot approve it; ask somebody else`);
  const fits = request.rules.some(({ group }) => group === '*' || command.groups.includes(group));
  if (!fits) return refused('forbidden', `request '${command.request}' is for ${request.rules.map(({ group }) => `group '${group}'`).join(', ')}, which ${command.by} is not in`);
  if (command.decision === 'reject' && (command.comment ?? '').trim() === '') return refused('invalid', 'a rejection says why: add a comment');
  return accepted({ kind: 'approval.voted', ...command });
}

/** A review by whoever asked for it or said yes would be none. */
export function reviewOverride(state: State, { request: id, by, comment }: ReviewOverride): Answer {
  const request = state.requests.get(id);
  if (request === undefined) return refused('not-found', `there is no request '${id}'`);
  if (request.review !== true) return refused('conflict', `request '${id}' is of nothing whose use is to be reviewed`);
  if (request.used === undefined) return refused('conflict', `override '${id}' was not used, so that there is nothing to review`);
  if (request.reviewed !== undefined) return refused('conflict', `override '${id}' was reviewed by ${request.reviewed.by} already`);
  if (comment.trim() === '') return refused('invalid', 'a review says what was seen: add a comment');
  const involved = [personOf(state, request.openedBy), ...request.votes.filter((one) => one.decision === 'approve' && one.revokedAt === undefined).map((one) => one.by)];
  if (isAmong(involved, by)) return refused('forbidden', `${by} had a part in override '${id}'; somebody else must review it`);
  return accepted({ kind: 'approval.reviewed', request: id, by, comment });
}

export function revokeVote(state: State, { request: id, by, reason }: RevokeVote): Answer {
  const request = state.requests.get(id);
  const mine = request?.votes.find((one) => one.by === by && one.revokedAt === undefined);
  if (request === undefined || mine === undefined) return refused('not-found', `${by} has no vote on request '${id}' to take back`);
  return accepted({ kind: 'approval.vote-revoked', request: id, by, reason });
}

export function settleRequest(state: State, { request: id, status, reason }: SettleRequest): Answer {
  const request = state.requests.get(id);
  if (request === undefined) return refused('not-found', `there is no request '${id}'`);
  if (!mayBecome(approvalTransitions, request.status, status)) return refused('conflict', `request '${id}' was ${request.status}, and cannot become ${status}`);
  return accepted({ kind: 'approval.settled', request: id, status, ...why(reason) });
}
