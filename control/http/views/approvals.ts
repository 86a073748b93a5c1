// Requests for approval as one caller sees them: what exactly is approved, who said what, what is missing, and whether the
// caller's word would count.

import { createHash } from 'node:crypto';
import type { Approval } from '../../../proto/api/approvals.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import { vote } from '../../core/answers/approval.ts';
import { asCounted } from '../../core/gates/approval.ts';
import { numberOf } from '../../core/gates/blocker.ts';
import { unfilled } from '../../core/gates/votes.ts';
import type { ApprovalRequest } from '../../core/model/approval.ts';
import type { State } from '../../core/model/model.ts';
import { personOf } from '../../core/model/people.ts';
import { changesBetween } from '../../core/model/revisions.ts';
import { setIdOf } from '../../core/model/sets.ts';
import type { Caller } from '../auth.ts';
import { approvalResource } from '../resources.ts';
import { allows } from '../scopes.ts';
import { membersView } from './governance.ts';

/** Changes shown with a request: what a person can read before voting; the rest is in the revisions. */
const changesShown = 100;

/** What a set is called where its exact content counts: sha2-256 of its canonical text. */
export function setDigest(members: SetMembers): string {
  return createHash('sha256').update(setIdOf(members)).digest('hex');
}

export function approvalView(state: State, one: ApprovalRequest, caller: Caller, now: number): Approval {
  const request = asCounted(state, one);
  const { subject, reason, expiresAt, settledAt, outcome, run, step, lifts, countsForMs } = request;
  return {
    approval: request.request,
    purpose: subject.purpose,
    status: request.status,
    ...(subject.destination === undefined ? {} : { environment: subject.destination }),
    source: subject.source,
    set: setDigest(subject.members),
    members: membersView(state, subject.members),
    changes: newChanges(state, request),
    rules: request.rules.map((rule) => ({ ...rule })),
    missing: unfilled(request).map((rule) => ({ ...rule })),
    votes: request.votes.map(({ groups, ...said }) => ({ ...said, groups: [...groups] })),
    excluded: [...request.excluded],
    openedAt: request.openedAt,
    by: personOf(state, request.openedBy),
    ...(reason === undefined ? {} : { reason }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(settledAt === undefined ? {} : { settledAt }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(run === undefined ? {} : { run }),
    ...(step === undefined ? {} : { step }),
    ...(lifts === undefined ? {} : { lifts: [...lifts] }),
    ...(countsForMs === undefined ? {} : { countsForMs }),
    ...reviewView(request),
    mine: mineOf(state, one, caller, now),
  };
}

/** Whether an override was used and nobody has looked at that yet. */
export function isReviewDue({ review, used, reviewed }: ApprovalRequest): boolean {
  return review === true && used !== undefined && reviewed === undefined;
}

function reviewView(request: ApprovalRequest): Pick<Approval, 'review'> {
  const { review, used, reviewed } = request;
  if (review !== true) return {};
  return { review: { due: isReviewDue(request), ...(used === undefined ? {} : { deployment: used.deployment, usedAt: used.at }), ...reviewed } };
}

/** Whether the caller's yes would count: the same check as of the vote itself, and whether it would fill a place that is empty. */
export function mineOf(state: State, request: ApprovalRequest, { person, groups, scopes }: Caller, now: number): Approval['mine'] {
  const answer = vote(state, { kind: 'vote', request: request.request, decision: 'approve', by: person, groups }, now);
  if (answer.kind === 'refused') return { may: false, why: answer.message };
  const resource = approvalResource(state, request.request);
  if (!allows(scopes, 'approve', resource)) return { may: false, why: `this needs a token with scope 'approve:${resource}'` };
  if (request.votes.some((one) => one.by === person && one.decision === 'approve' && one.revokedAt === undefined)) return { may: false, why: `${person} has approved it already` };
  const counted = asCounted(state, request);
  const places = (votes: ApprovalRequest['votes']): number => unfilled({ ...counted, votes }).reduce((sum, { count }) => sum + count, 0);
  const fills = places([...counted.votes, { by: person, decision: 'approve', groups, at: now }]) < places(counted.votes);
  return fills ? { may: true } : { may: false, why: `the places that ${person} could fill are taken; others must speak` };
}

/** What the destination does not run yet. */
function newChanges(state: State, { subject: { destination, members } }: ApprovalRequest): Approval['changes'] {
  const current = state.environments.get(destination ?? '')?.slots ?? {};
  return Object.entries(members)
    .flatMap(([app, revision]) => changesBetween(state, app, numberOf(state, app, current[app]?.current ?? '') ?? 0, numberOf(state, app, revision) ?? 0))
    .toSorted((a, b) => b.checkedInAt - a.checkedInAt)
    .slice(0, changesShown)
    .map(({ commit, author, message, checkedInAt }) => ({ commit, author, message, checkedInAt }));
}
