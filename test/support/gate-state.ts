// The state of a control plane in which a question of gate-case.ts can be put to control/core: written down as it is, not led
// to by commands, so that combinations that no story reaches are asked too.

import { approvalFor, definitionOf, subjectOf } from '../../control/core/gates/approval.ts';
import type { Candidate } from '../../control/core/gates/blocker.ts';
import { complianceSubject } from '../../control/core/gates/compliance.ts';
import { demandsOf, liftPolicy } from '../../control/core/gates/lift-rules.ts';
import { edgesInto } from '../../control/core/gates/place.ts';
import { initialState } from '../../control/core/evolve/evolve.ts';
import type { ApprovalRequest, Vote, WorkflowRun } from '../../control/core/model/approval.ts';
import type { EnvironmentSets, Pipeline } from '../../control/core/model/pipeline.ts';
import type { Environment, Member, Promotion, RevisionRecord, State } from '../../control/core/model/model.ts';
import { isTarget } from '../../control/core/model/select.ts';
import type { Observed } from '../../control/core/model/select.ts';
import { setIdOf } from '../../control/core/model/sets.ts';
import type { ApprovalSubject } from '../../proto/events-pipeline.ts';
import type { DeploymentConfig } from '../../proto/events.ts';
import type { EdgeSpec, PipelineSpec, SetMembers, WorkflowSpec } from '../../proto/pipeline.ts';
import type { CaseEdge, CaseRequest, CaseTarget, CaseVote, GateCase, Numbers } from './gate-case.ts';
import { wholeSet } from './gate-oracle.ts';

const minuteMs = 60_000;
const smoke: WorkflowSpec = { workflow: 'smoke', lock: 'none', timeoutMs: minuteMs, steps: [{ step: 's', kind: 'test', needs: [], timeoutMs: minuteMs, retries: 0, allowFailure: false }] };
const smokeBefore: WorkflowSpec = { ...smoke, timeoutMs: 2 * minuteMs };

/** The question as control/core is asked it. */
export interface Asked {
  readonly state: State;
  readonly candidate: Candidate;
  readonly observed: Observed;
}

/** The digest of a numbered revision. */
function digestOf(app: string, number: number): string {
  return `${app === 'web' ? 'a' : 'b'}${String(number).padStart(63, '0')}`;
}

function setOf(numbers: Numbers): SetMembers {
  return Object.fromEntries(Object.entries(numbers).map(([app, number]) => [app, digestOf(app, number)]));
}

/** Everything of the question in its place. */
export function stateOf(one: GateCase): Asked {
  const candidate = candidateOf(one);
  const environment = environmentOf(one);
  const members = one.targets.map(memberOf);
  const base: State = {
    ...initialState(),
    apps: new Map(one.apps.map((app) => [app, { app, project: 'acme', createdAt: 0, revisions: one.revisions.filter((revision) => revision.app === app).map(recordOf) }])),
    environments: new Map([['prod', environment]]),
    members: new Map(members.map((member) => [member.member, member])),
    agents: new Map([['prod', members.map(({ member }) => member)]]),
    targets: new Map([['prod', members.filter((member) => isTarget(member, environment))]]),
    promotions: new Map(waitingOf(one).map((promotion) => [promotion.promotion, promotion])),
    pipelines: new Map(one.placed ? [['shop', pipelineOf(one)]] : []),
    ...setsOf(one),
    ...restraintsOf(one),
    deployments: new Map(one.active === undefined ? [] : [['prod-1', activeOf(one, one.active)]]),
  };
  const withRuns: State = { ...base, runs: new Map(runsOf(one).map((run) => [run.run, run])) };
  const requests = [...edgeRequests(one, withRuns), ...policyRequests(one, withRuns), ...overrideRequests(one, withRuns)].map((request, index): ApprovalRequest => ({ ...request, request: `request-${index + 1}` }));
  const lastSeen = new Map(one.targets.map((target, index) => [`m${index}`, one.nowMs - target.silentMs]));
  const coverage = new Map([[`prod ${setIdOf(setOf(wholeSet(one)))}`, one.seenCoverage]]);
  return { state: { ...withRuns, requests: new Map(requests.map((request) => [request.request, request])) }, candidate, observed: { now: one.nowMs, lastSeen, since: 0, coverage } };
}

function candidateOf(one: GateCase): Candidate {
  const [app = ''] = Object.keys(one.brings);
  const number = one.brings[app] ?? 0;
  const cause = one.kind === 'auto' || one.kind === 'hotfix' ? { cause: one.kind } : {};
  return {
    promotion: 'asked', environment: 'prod', app, revision: digestOf(app, number), number, members: setOf(one.brings), by: one.by, phase: 'waiting', createdAt: one.nowMs,
    trigger: one.kind === 'rollback' ? 'rollback' : 'manual',
    ...cause,
    ...(one.reason === undefined ? {} : { reason: one.reason }),
    ...(one.kind === 'catch-up' ? { catchUp: true } : {}),
  };
}

/** Nobody waits for a catch-up. */
function waitingOf(one: GateCase): readonly Promotion[] {
  const { catchUp: _catchUp, ...asked } = candidateOf(one);
  const own: Promotion = { ...asked, promotion: 'asked', by: one.by, phase: 'waiting' };
  const { cause: _cause, ...plain } = own;
  const other: readonly Promotion[] = one.alsoAskedBy === undefined ? [] : [{ ...plain, promotion: 'other', trigger: 'manual', by: one.alsoAskedBy }];
  return [...(one.kind === 'catch-up' ? [] : [own]), ...other];
}

function recordOf({ app, number, createdAt }: GateCase['revisions'][number]): RevisionRecord {
  const revision = digestOf(app, number);
  return { app, number, revision, cid: `cid-${app}-${number}`, manifest: '', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, createdAt: createdAt * minuteMs, createdBy: 'ci' };
}

function configOf({ config }: GateCase): DeploymentConfig {
  const { rollbackIgnoresWindows: ignoreWindows, ...rest } = config;
  return { batches: ['100%'], maxParallel: '100%', progressDeadlineMs: 1, bakeMs: 0, autoRollback: true, ...rest, ...(ignoreWindows === undefined ? {} : { rollback: { ignoreWindows } }) };
}

function environmentOf(one: GateCase): Environment {
  return {
    environment: 'prod', apps: one.apps, selector: { env: 'prod' }, config: configOf(one), createdAt: 0, seq: 1, orderSeq: 0, slots: {}, waiting: waitingOf(one).map(({ promotion }) => promotion),
    ...(one.active === undefined ? {} : { activeDeployment: 'prod-1' }),
  };
}

function memberOf({ runs, changing, platform, belongs }: CaseTarget, index: number): Member {
  const id = `m${index}`;
  const running = Object.entries(runs).map(([app, number]) => [app, { revision: digestOf(app, number), number, since: 0 }] as const);
  const work = Object.entries(runs).map(([app, number]) => [app, { environment: 'prod', deployment: 'prod-0', seq: 1, revision: digestOf(app, number), phase: changing ? ('activating' as const) : ('committed' as const), settled: !changing }] as const);
  return {
    member: id, name: id, publicKey: id, roles: ['agent'], environments: ['prod'], labels: { env: belongs ? 'prod' : 'dev' }, attributes: platform === undefined ? {} : { 'platform.node-runtime': platform },
    serial: 1, token: 't', enrolledAt: 0, renewedAt: 0, addresses: [], revoked: false, rosterEpoch: 1, running: Object.fromEntries(running), answered: {}, work: Object.fromEntries(work),
  };
}

function specOf(edge: CaseEdge): EdgeSpec {
  const [app = ''] = edge.apps;
  return {
    edge: edge.edge, to: 'prod', apps: edge.apps, auto: edge.auto, select: [{ by: 'number' }], after: edge.after, windows: edge.windows,
    from: edge.from === 'app' ? { kind: 'app', app } : { kind: 'environment', environment: 'beta' },
    ...(edge.soakMinutes === undefined ? {} : { soakMs: edge.soakMinutes * minuteMs }),
    ...(edge.approval === undefined ? {} : { approval: edge.approval }),
  };
}

/** Who may lift anything: how many of them said so is a matter of each override. */
const lifters = { group: 'qa', count: 1 };

function pipelineOf(one: GateCase): Pipeline {
  const place = (environment: string) => ({ environment, windows: [], windowsHoldRollback: false });
  const spec: PipelineSpec = {
    executionMode: 'superseded',
    stages: [
      { stage: 'first', environments: [{ ...place('beta'), ...(one.workflow ? { workflow: 'smoke' } : {}) }, place('canary')] },
      { stage: 'last', environments: [{ ...place('prod'), windows: one.environmentWindows, windowsHoldRollback: one.windowsHoldRollback, ...(one.wantedCoverage === undefined ? {} : { coverage: one.wantedCoverage }) }] },
    ],
    edges: one.edges.map(specOf),
    windows: one.windows.map(({ window }) => ({ ...window, override: lifters })),
    workflows: [smoke],
    policies: one.policies.map(({ policy }) => policy),
  };
  return { pipeline: 'shop', project: 'acme', spec, generation: 1, enabled: one.pipelineEnabled, switchedAt: 0, switchedBy: 'ada' };
}

function setsOf(one: GateCase): Pick<State, 'sets' | 'descriptions'> {
  const arrivals = (environment: string) =>
    one.arrivals.filter((arrival) => arrival.environment === environment).map(({ set, at, undone }) => ({ members: setOf(set), at: at * minuteMs, promotion: 'p', undone }));
  const plain = (environment: string): EnvironmentSets => ({ environment, arrivals: arrivals(environment), promotions: 0, starts: [] });
  const prod = {
    ...plain('prod'),
    starts: one.starts.map((minute) => minute * minuteMs),
    ...(one.current === undefined ? {} : { current: setOf(one.current) }),
    ...(one.desired === undefined ? {} : { desired: setOf(one.desired) }),
  };
  const descriptions = one.revisions.map(({ app, number, authors, signedBy, needs }) => {
    const revision = digestOf(app, number);
    const changes = authors.map((author) => ({ commit: `${app}${number}`, author, message: '', checkedInAt: 0 }));
    return [`${app}@${revision}`, { app, revision, changes, signedBy, ...(needs === undefined ? {} : { requires: [{ node: 'node-runtime', version: needs }] }) }] as const;
  });
  return { sets: new Map([['beta', plain('beta')], ['canary', plain('canary')], ['prod', prod]]), descriptions: new Map(descriptions) };
}

function restraintsOf(one: GateCase): Pick<State, 'switches' | 'holds' | 'pins' | 'vetoes' | 'locks' | 'freezes'> {
  const deed = { by: 'ada', at: 0, reason: 'x' };
  const off = one.automationOff.map((what) => (what === 'pipeline' ? 'pipeline:shop' : what === 'environment' ? 'environment:prod' : `app:${what}`));
  const edges = one.edges.flatMap(({ edge, disabled, automationOff }) => [...(disabled ? [`edge-off:shop/${edge}`] : []), ...(automationOff ? [`edge:shop/${edge}`] : [])]);
  const until = (minute: number | undefined) => (minute === undefined ? {} : { until: minute * minuteMs });
  return {
    switches: new Map([...off, ...edges].map((key) => [key, { ...deed, key }])),
    holds: new Map(one.edges.filter(({ held }) => held).map(({ edge }) => [`shop/${edge}`, { ...deed, edge: `shop/${edge}` }])),
    pins: new Map(one.pin === undefined ? [] : [['prod', { ...deed, environment: 'prod', members: setOf(one.pin.set), ...until(one.pin.until) }]]),
    vetoes: new Map(one.vetoes.map(({ app, number, environment }) => {
      const revision = digestOf(app, number);
      return [environment === undefined ? `${app}@${revision}` : `${app}@${revision} in ${environment}`, { ...deed, app, revision, ...(environment === undefined ? {} : { environment }) }];
    })),
    locks: new Map(one.locks.map(({ lock, scope, includeRollback, expiresAt }) => [lock, { ...deed, lock, scope, mode: 'manual', holder: 'ada', includeRollback, ...(expiresAt === undefined ? {} : { expiresAt: expiresAt * minuteMs }) }])),
    freezes: new Map(one.freezes.map(({ freeze, scope, until: end }) => [freeze, { ...deed, freeze, scope, breakGlass: lifters, ...until(end) }])),
  };
}

function activeOf(one: GateCase, phase: 'running' | 'rolling-back') {
  const [app = ''] = one.apps;
  return { deployment: 'prod-1', promotion: 'before', environment: 'prod', app, type: 'promote' as const, seq: 1, to: digestOf(app, 1), number: 1, config: configOf(one), batches: [], targets: new Map(), phase, startedAt: 0, progressedAt: 0, cancels: [] };
}

function runsOf(one: GateCase): readonly WorkflowRun[] {
  return one.runs.map(({ set, asItIsNow, phase }, index) => ({ run: `run-${index}`, workflow: 'smoke', definition: definitionOf(asItIsNow ? smoke : smokeBefore), environment: 'beta', members: setOf(set), phase, steps: [], startedAt: 0, deadline: minuteMs }));
}

type Unnumbered = Omit<ApprovalRequest, 'request'>;

function voteOf({ revoked, ...vote }: CaseVote): Vote {
  return { ...vote, at: 0, ...(revoked ? { revokedAt: 1 } : {}) };
}

/** The subject, or one that differs from it in the one thing that is said. */
function about(what: CaseRequest['about'], subject: ApprovalSubject): ApprovalSubject {
  switch (what) {
    case 'this':
      return subject;
    case 'another-set':
      return { ...subject, members: { ...subject.members, web: digestOf('web', 999) } };
    case 'another-destination':
      return { ...subject, destination: 'staging' };
    case 'another-source':
      return { ...subject, source: 'gamma' };
    case 'another-policy':
      return { ...subject, policy: `${subject.policy} ` };
    default:
      return what satisfies never;
  }
}

function requestOf(request: CaseRequest, subject: ApprovalSubject): Unnumbered {
  const { rules, excluded, status, votes, expiresAt } = request;
  return { subject: about(request.about, subject), rules, excluded, status, votes: votes.map(voteOf), openedAt: 0, openedBy: 'system', ...(expiresAt === undefined ? {} : { expiresAt: expiresAt * minuteMs }) };
}

function edgeRequests(one: GateCase, state: State): readonly Unnumbered[] {
  return edgesInto(state, 'prod').flatMap((edge) => {
    const approval = approvalFor(state, edge);
    const carried = setOf(Object.fromEntries(Object.entries(wholeSet(one)).filter(([app]) => edge.spec.apps.includes(app))));
    const known = one.edges.find(({ edge: name }) => name === edge.spec.edge)?.requests ?? [];
    return approval === undefined ? [] : known.map((request) => requestOf(request, subjectOf(edge, approval, carried)));
  });
}

function policyRequests(one: GateCase, state: State): readonly Unnumbered[] {
  const environment = state.environments.get('prod');
  if (environment === undefined) throw new Error('there is no prod');
  return one.policies.flatMap(({ policy, requests }) => requests.map((request) => requestOf(request, complianceSubject(policy, { environment, members: setOf(wholeSet(one)) }))));
}

/** Asked for under the rules that hold; what the environment does not know, nobody can ask to lift. */
function overrideRequests(one: GateCase, state: State): readonly Unnumbered[] {
  return one.overrides.map(({ lifts: wished, about: what, status, rules, votes, settledAt, countsForMinutes }) => {
    const members = setOf(what === 'another-set' ? { web: 999 } : wholeSet(one));
    const place = what === 'another-destination' ? 'staging' : 'prod';
    const lifts = wished.filter((lift) => demandsOf(state, place, members, [lift])[0] !== undefined);
    const subject: ApprovalSubject = { purpose: 'override', source: place, members, destination: place, policy: liftPolicy(lifts, demandsOf(state, place, members, lifts)) ?? '' };
    return { subject, rules, excluded: [], status, votes: votes.map(voteOf), openedAt: 0, openedBy: 'ada', settledAt: settledAt * minuteMs, lifts, ...(countsForMinutes === undefined ? {} : { countsForMs: countsForMinutes * minuteMs }) };
  });
}

