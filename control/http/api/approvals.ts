// Handlers of requests for approval and of overrides. Who votes is the person of the caller's token, in the groups that the token
// carries: nothing in a body says otherwise.

import type { approvalStatuses } from '../../../proto/api/approvals.ts';
import type { Command } from '../../core/commands/command.ts';
import { asCounted } from '../../core/gates/approval.ts';
import { evaluateGates } from '../../core/gates/gates.ts';
import { placeOf } from '../../core/gates/place.ts';
import type { Blocker } from '../../core/gates/gates.ts';
import type { Promotion, State } from '../../core/model/model.ts';
import type { Observed } from '../../core/model/select.ts';
import { membersOf } from '../../core/model/select.ts';
import { setIdOf } from '../../core/model/sets.ts';
import { ControlError } from '../../errors.ts';
import { answered, found, newId, type ApiOptions, type Handlers } from './api.ts';
import type { Caller } from '../auth.ts';
import { pageById } from '../paging.ts';
import { approvalView, isReviewDue, mineOf } from '../views/approvals.ts';

const again: readonly (typeof approvalStatuses)[number][] = ['rejected', 'expired', 'revoked'];

export function approvalHandlers({ facts, submit, clock }: ApiOptions): Handlers<'listApprovals' | 'getApproval' | 'approve' | 'reject' | 'revokeVote' | 'reviewOverride' | 'askAgain'> {
  const view = (state: State, id: string, caller: Caller) => ({ body: approvalView(state, found(state.requests.get(id), 'request for approval', id), caller, clock.now()) });
  const say = async (id: string, caller: Caller, command: Command) => answered(await submit(caller.actor, command), (state) => view(state, id, caller));
  return {
    listApprovals: async ({ query: { assignee, status, purpose, environment, review, ...query }, caller }) => {
      const state = facts.state();
      const newest = [...state.requests.values()].toReversed();
      const page = pageById(newest, ({ request }) => request, query, (one) =>
        (status === undefined || one.status === status) &&
        (review === undefined || isReviewDue(one)) &&
        (purpose === undefined || one.subject.purpose === purpose) &&
        (environment === undefined || (one.subject.destination ?? one.subject.source) === environment) &&
        (assignee === undefined || (one.status === 'open' && mineOf(state, one, caller, clock.now()).may)));
      return { body: { ...page, items: page.items.map((one) => approvalView(state, one, caller, clock.now())) } };
    },
    getApproval: async ({ params: { approval }, caller }) => view(facts.state(), approval, caller),
    approve: async ({ params: { approval }, body: { comment }, caller }) =>
      await say(approval, caller, { kind: 'vote', request: approval, decision: 'approve', by: caller.person, groups: caller.groups, ...(comment === undefined ? {} : { comment }) }),
    reject: async ({ params: { approval }, body: { comment }, caller }) =>
      await say(approval, caller, { kind: 'vote', request: approval, decision: 'reject', by: caller.person, groups: caller.groups, comment }),
    revokeVote: async ({ params: { approval }, body: { reason }, caller }) => await say(approval, caller, { kind: 'revoke-vote', request: approval, by: caller.person, reason }),
    reviewOverride: async ({ params: { approval }, body: { comment }, caller }) => await say(approval, caller, { kind: 'review-override', request: approval, by: caller.person, comment }),
    askAgain: async ({ params: { approval }, body: { reason }, caller, draw }) => {
      const state = facts.state();
      const request = newId('request', draw);
      if (state.requests.has(request)) return view(state, request, caller);
      const old = found(state.requests.get(approval), 'request for approval', approval);
      if (!again.includes(old.status)) throw new ControlError('CONFLICT', `request '${approval}' is ${old.status}; only what was ${again.join(', ')} can be asked again`);
      const { purpose } = old.subject;
      if (purpose === 'step' || purpose === 'override') throw new ControlError('CONFLICT', purpose === 'step' ? `request '${approval}' is of a step of a workflow; run the workflow again` : `request '${approval}' is an override; ask for a new one with its promotion`);
      const expires = old.expiresAt === undefined ? {} : { expiresAt: clock.now() + (old.expiresAt - old.openedAt) };
      const command = { kind: 'request-approval', request, subject: old.subject, rules: old.rules, excluded: asCounted(state, old).excluded, reason, ...expires } as const;
      return answered(await submit(caller.actor, command), (after) => view(after, request, caller));
    },
  };
}

export function overrideHandlers({ facts, submit, observed, clock }: ApiOptions): Handlers<'createOverride'> {
  return {
    createOverride: async ({ params: { promotion: id }, body: { reason, lifts }, caller, draw }) => {
      const state = facts.state();
      const request = newId('override', draw);
      const view = (after: State) => ({ body: approvalView(after, found(after.requests.get(request), 'request for approval', request), caller, clock.now()), headers: { location: `/v1/approvals/${request}` } });
      if (state.requests.has(request)) return view(state);
      const promotion = found(state.promotions.get(id), 'promotion', id);
      if (promotion.phase !== 'waiting' && promotion.phase !== 'deploying') throw new ControlError('CONFLICT', `promotion '${id}' has ended: it ${promotion.phase}; there is nothing to lift for it`);
      const wanted = lifts ?? liftable(state, promotion, observed());
      const command = { kind: 'request-override', request, environment: promotion.environment, revision: setIdOf(membersOf(promotion)), lifts: wanted, reason } as const;
      return answered(await submit(caller.actor, command), view);
    },
  };
}

/** What holds a promotion and may be lifted by somebody. @throws {ControlError} CONFLICT when there is nothing of that kind. */
function liftable(state: State, promotion: Promotion, observed: Observed): readonly string[] {
  const { blockers } = evaluateGates(state, promotion, observed);
  const all = blockers.flatMap((blocker) => liftOf(state, blocker));
  const lifts = onlyOneAllow(state, promotion.environment, all);
  if (lifts.length > 0) return [...new Set(lifts)];
  const held = blockers.map(({ type }) => type).join(', ');
  throw new ControlError('CONFLICT', `nothing that holds promotion '${promotion.promotion}' can be lifted${held === '' ? ': nothing holds it' : `: it waits for ${held}, and only windows, freezes and policies that name a group can be`}`);
}

/** Of several windows that allow, and none of which is open, one that is lifted is enough: nobody is asked for the others. */
function onlyOneAllow(state: State, environment: string, lifts: readonly string[]): readonly string[] {
  const windows = placeOf(state, environment)?.pipeline.spec.windows ?? [];
  const allows = lifts.filter((lift) => windows.some(({ kind, window }) => kind === 'allow' && lift === `window:${window}`));
  return lifts.filter((lift) => !allows.includes(lift) || lift === allows[0]);
}

function liftOf(state: State, { type, ref = '', actors = [] }: Blocker): readonly string[] {
  const byGroup = actors.some((actor) => actor.startsWith('group:'));
  if (type === 'window' && byGroup) return [`window:${ref}`];
  if (type === 'freeze' && state.freezes.get(ref)?.breakGlass !== undefined) return [`freeze:${ref}`];
  const policy = [...state.pipelines.values()].flatMap(({ spec }) => spec.policies).find((one) => one.policy === ref);
  return type === 'compliance' && policy?.breakGlass !== undefined ? [`policy:${ref}`] : [];
}
