// The stateful gates: what the source's workflow found about the set, and whether people approved it for this destination.
// Both are about the identical set (A-1): what was approved yesterday says nothing of what changed today.

import type { ApprovalSubject } from '../../../proto/events-pipeline.ts';
import type { ApprovalSpec, SetMembers, WorkflowSpec } from '../../../proto/pipeline.ts';
import type { ApprovalRequest, WorkflowRun } from '../model/approval.ts';
import type { Promotion, State } from '../model/model.ts';
import { authorsOf, personOf } from '../model/people.ts';
import { membersOf } from '../model/select.ts';
import { canonicalText, isSameSet } from '../model/sets.ts';
import type { Blocker, GateAnswer, GateContext } from './blocker.ts';
import { holds, passes, setText } from './blocker.ts';
import { arrivalsOf, carriedBy, wholeWith } from './carried.ts';
import type { EdgePlace } from './place.ts';
import { edgesInto, placeOf, sourceOf } from './place.ts';
import { isSatisfied, unfilled } from './votes.ts';

/** With no workflow on the source and nothing said: one person, and not the author (A-9). */
const byHand: ApprovalSpec = { rules: [{ group: '*', count: 1 }], preventSelfApproval: true };

/** The workflow that a set passes in an environment; undefined when there is none. */
export function workflowIn(state: State, environment: string): WorkflowSpec | undefined {
  const place = placeOf(state, environment);
  return place?.pipeline.spec.workflows.find((workflow) => workflow.workflow === place.spec.workflow);
}

/** The canonical text by which a run is of this workflow as it is now (A-2). */
export function definitionOf(workflow: WorkflowSpec): string {
  return canonicalText(workflow);
}

/** The newest run of the workflow, as it is now, over a set in an environment: a later failure revokes an earlier success (A-6). */
export function newestRun(state: State, environment: string, members: SetMembers, definition: string): WorkflowRun | undefined {
  return [...state.runs.values()].findLast((run) => run.batch === undefined && run.environment === environment && run.definition === definition && isSameSet(run.members, members));
}

/** Whether what is carried has succeeded in an environment: it arrived there, and the workflow, where there is one, was successful. */
export function hasSucceeded(state: State, environment: string, carried: SetMembers): boolean {
  const workflow = workflowIn(state, environment);
  return arrivalsOf(state, environment, carried).some((arrival) => workflow === undefined || newestRun(state, environment, arrival.members, definitionOf(workflow))?.phase === 'successful');
}

/** What the source's workflow found. */
export function verified({ state, edge, members, candidate }: GateContext): GateAnswer {
  if (edge === undefined || edge.spec.from.kind === 'app') return passes;
  const source = edge.spec.from.environment;
  const workflow = workflowIn(state, source);
  if (workflow === undefined) return passes;
  const carried = carriedBy(edge, members);
  const arrivals = arrivalsOf(state, source, carried);
  const definition = definitionOf(workflow);
  const runs = arrivals.flatMap((arrival) => newestRun(state, source, arrival.members, definition) ?? []);
  if (runs.some((run) => run.phase === 'successful')) return passes;
  const what = setText(state, carried);
  const block = (reason: string, run?: WorkflowRun): GateAnswer =>
    holds({ type: 'workflow', reason, since: run?.finishedAt ?? run?.startedAt ?? candidate.createdAt, actors: [`promote:env/${source}`], ref: run?.run ?? source });
  if (arrivals.length === 0) return block(`${what} has not succeeded in '${source}'; promote it there first`);
  const run = runs.at(-1);
  if (run === undefined) return block(`workflow '${workflow.workflow}' has not run for ${what} in '${source}' as it is configured now; run it`);
  if (run.phase === 'running') return block(`workflow '${workflow.workflow}' is running for ${what} in '${source}'`, run);
  if (run.phase === 'inconclusive') return block(`workflow '${workflow.workflow}' was inconclusive for ${what} in '${source}'; somebody must decide`, run);
  return block(`workflow '${workflow.workflow}' ended ${run.phase} for ${what} in '${source}'${run.outcome === undefined ? '' : `: ${run.outcome}`}; mend it and run it again`, run);
}

/** What people must say before the edge may be passed; undefined when nothing. */
export function approvalFor(state: State, edge: EdgePlace): ApprovalSpec | undefined {
  if (edge.spec.approval !== undefined) return edge.spec.approval;
  // The first stage needs none (CDS-5); later ones do, unless a workflow speaks for the source (A-9).
  if (edge.spec.from.kind === 'app') return undefined;
  return workflowIn(state, edge.spec.from.environment) === undefined ? byHand : undefined;
}

/** What a request for this edge and set is about. */
export function subjectOf(edge: EdgePlace, approval: ApprovalSpec, carried: SetMembers): ApprovalSubject {
  return { purpose: 'promotion', source: sourceOf(edge), members: carried, destination: edge.spec.to, policy: canonicalText(approval) };
}

/** Whether two requests ask the identical thing (A-1): source, set, destination, policy. */
export function isSameSubject(a: ApprovalSubject, b: ApprovalSubject): boolean {
  return canonicalText(a) === canonicalText(b);
}

/** The newest request about a subject. */
export function requestAbout(state: State, subject: ApprovalSubject): ApprovalRequest | undefined {
  return [...state.requests.values()].findLast((request) => isSameSubject(request.subject, subject));
}

/**
 * A request as its votes are counted now: who asks for the very promotion by hand, and who turns out to have written a change in the
 * set, is not counted either, though that came after the request was opened (A-3).
 */
export function asCounted(state: State, request: ApprovalRequest): ApprovalRequest {
  const { destination = '', members, purpose } = request.subject;
  if (purpose !== 'promotion') return request;
  const edge = edgesInto(state, destination).find((one) => {
    // Two edges of one source may ask alike, each for its own applications.
    if (!Object.keys(members).every((app) => one.spec.apps.includes(app))) return false;
    const approval = approvalFor(state, one);
    return approval?.preventSelfApproval === true && isSameSubject(subjectOf(one, approval, members), request.subject);
  });
  if (edge === undefined) return request;
  const involved = [...authorsOf({ state, members }), ...askedByHand(state, edge, members).map((promotion) => personOf(state, promotion.by))];
  return involved.length === 0 ? request : { ...request, excluded: [...new Set([...request.excluded, ...involved])] };
}

/** Promotions by hand that wait to bring exactly this over an edge. */
export function askedByHand(state: State, edge: EdgePlace, members: SetMembers): readonly Promotion[] {
  const waiting = (state.environments.get(edge.spec.to)?.waiting ?? []).flatMap((id) => state.promotions.get(id) ?? []);
  return waiting.filter((promotion) => promotion.cause === undefined && promotion.trigger === 'manual' && isSameSet(carriedBy(edge, wholeWith(state, edge.spec.to, membersOf(promotion))), members));
}

/** Whether people approved what is carried for this destination. */
export function approved({ state, edge, members, candidate, observed }: GateContext): GateAnswer {
  const approval = edge === undefined ? undefined : approvalFor(state, edge);
  if (edge === undefined || approval === undefined) return passes;
  const carried = carriedBy(edge, members);
  const about = requestAbout(state, subjectOf(edge, approval, carried));
  const request = about === undefined ? undefined : asCounted(state, about);
  // A vote that was revoked, or was never to count, does not count though the request says that it is approved (A-4).
  if (request !== undefined && request.status === 'approved' && isSatisfied(request)) return passes;
  const what = `${setText(state, carried)} for '${edge.spec.to}'`;
  const groups = (request === undefined ? approval.rules : unfilled(request)).map(({ group, count }) => ({ text: `${count} of ${group === '*' ? 'anybody' : `group '${group}'`}`, group }));
  const actors = groups.map(({ group }) => (group === '*' ? `approve:env/${edge.spec.to}` : `group:${group}`));
  const unasked = edge.spec.approval === undefined && edge.spec.from.kind === 'environment' ? `, as '${edge.spec.from.environment}' has no workflow that could say that it is good` : '';
  const unseen = edge.spec.from.kind === 'environment' && arrivalsOf(state, edge.spec.from.environment, carried).length === 0 ? `; it was never in '${edge.spec.from.environment}'` : '';
  const wanted = `${groups.map(({ text }) => text).join(' and ')}${unasked}${unseen}`;
  if (request === undefined) return holds({ type: 'approval', reason: `${what} needs the approval of ${wanted}, and nobody was asked yet`, since: candidate.createdAt, ref: edge.id, actors });
  const over = request.status !== 'open' && request.status !== 'approved';
  const expired = request.status === 'open' && request.expiresAt !== undefined && request.expiresAt <= observed.now;
  const said = over || expired ? `the request for ${what} was ${expired ? 'expired' : request.status}${request.outcome === undefined ? '' : `: ${request.outcome}`}; ask again` : `${what} waits for the approval of ${wanted}`;
  return holds({
    type: 'approval',
    reason: said,
    since: request.settledAt ?? request.openedAt,
    ref: request.request,
    actors,
    ...(request.status === 'open' && request.expiresAt !== undefined && !expired ? { until: request.expiresAt } : {}),
  } satisfies Blocker);
}
