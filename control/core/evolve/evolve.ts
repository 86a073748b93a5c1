// The fold: what each fact of the journal adds to the state. Total: no fact that was ever appended can fail to fold,
// so whatever a fact does not apply to is left as it is. Deployments' own facts are in deployment.ts.

import { isBuildEvent } from '../../../proto/events-build.ts';
import { isPipelineEvent } from '../../../proto/events-pipeline.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import { foldAdrift } from './adrift.ts';
import { foldBuild } from './build.ts';
import { Draft } from './draft.ts';
import { foldDeployment, foldMemberRevoked } from './deployment.ts';
import { foldPipeline } from './pipeline.ts';
import { foldReport } from './report.ts';
import { foldSets } from './sets.ts';
import { foldVerdict, foldVerifying } from './slot.ts';
import type { State } from '../model/model.ts';
import { isOutdated, isPresent } from '../model/roster.ts';
import { foldTargets } from './targets.ts';
import { mayBecome, promotionTransitions } from '../model/transitions.ts';

/** Before the first entry. */
export function initialState(): State {
  return {
    head: 0,
    apps: new Map(),
    environments: new Map(),
    tokens: new Map(),
    members: new Map(),
    names: new Map(),
    agents: new Map(),
    targets: new Map(),
    adrift: new Map(),
    promotions: new Map(),
    deployments: new Map(),
    orders: new Map(),
    rosterEpoch: 0,
    rosterAt: 0,
    rosterDays: [],
    pipelines: new Map(),
    retired: new Map(),
    sets: new Map(),
    descriptions: new Map(),
    switches: new Map(),
    holds: new Map(),
    pins: new Map(),
    vetoes: new Map(),
    locks: new Map(),
    freezes: new Map(),
    requests: new Map(),
    runs: new Map(),
    autoBuilds: new Map(),
    builds: new Map(),
  };
}

/** The state after one more entry. Copies the maps that the entry touches: for many entries use {@link evolveAll}. */
export function evolve(state: State, entry: JournalEntry): State {
  return evolveAll(state, [entry]);
}

/** The state after `entries`, in order; copies each map and each value at most once. Entries at or below `state.head` are skipped. */
export function evolveAll(state: State, entries: readonly JournalEntry[]): State {
  const draft = new Draft(state);
  for (const entry of entries) {
    if (entry.seq <= draft.head) continue;
    foldSets(draft, entry.event, entry.at);
    fold(draft, entry);
    draft.head = entry.seq;
  }
  foldTargets(draft);
  foldAdrift(draft);
  return draft.result();
}

function fold(draft: Draft, entry: JournalEntry): void {
  const { event } = entry;
  // Nearly all facts are of this kind: they need not be looked for among the others.
  if (event.kind === 'target.reported') return foldReport(draft, event, entry.at);
  if (isBuildEvent(event)) return foldBuild(draft, event, entry.at, entry.actor);
  if (isPipelineEvent(event)) return foldPipeline(draft, event, entry.at, entry.actor);
  switch (event.kind) {
    case 'app.created':
      draft.apps.set(event.app, { app: event.app, project: event.project, createdAt: entry.at, revisions: [] });
      return;
    case 'environment.created':
    case 'environment.changed':
      foldEnvironment(draft, event, entry.at);
      return;
    case 'token.created': {
      const { kind: _kind, ...token } = event;
      draft.tokens.set(event.token, { ...token, uses: 0, createdAt: entry.at, revoked: false });
      return;
    }
    case 'token.revoked': {
      const token = draft.tokens.edit(event.token);
      if (token !== undefined) token.revoked = true;
      return;
    }
    case 'revision.created': {
      const { kind: _kind, proxy: _proxy, ...revision } = event;
      if (draft.apps.get(event.app) === undefined) return;
      draft.revisions(event.app).push({ ...revision, createdAt: entry.at, createdBy: entry.actor });
      return;
    }
    case 'member.enrolled':
    case 'member.located':
    case 'member.renewed':
    case 'member.revoked':
    case 'member.labelled':
    case 'member.cordoned':
    case 'member.uncordoned':
      foldMember(draft, entry);
      return;
    case 'promotion.created':
    case 'promotion.finished':
    case 'promotion.verifying':
      foldPromotion(draft, entry);
      return;
    case 'deployment.started':
    case 'batch.started':
    case 'batch.finished':
    case 'deployment.paused':
    case 'deployment.resumed':
    case 'deployment.measured':
    case 'bake.skipped':
    case 'prefetch.started':
    case 'deployment.rolling-back':
    case 'deployment.finished':
    case 'target.lost':
    case 'order.refused':
    case 'role.published':
    case 'order.issued':
      foldDeployment(draft, event, entry.at);
      return;
    default:
      event satisfies never;
  }
}

function foldEnvironment(draft: Draft, event: Extract<Event, { readonly kind: 'environment.created' | 'environment.changed' }>, at: number): void {
  const { environment: id, selector, config } = event;
  if (event.kind === 'environment.created') {
    draft.environments.set(id, { environment: id, apps: event.apps ?? [event.app], selector, config, createdAt: at, seq: 0, orderSeq: 0, slots: {}, waiting: [] });
    return;
  }
  const environment = draft.environments.edit(id);
  if (environment === undefined) return;
  environment.selector = selector;
  environment.config = config;
  if (event.apps !== undefined) environment.apps = event.apps;
}

function foldMember(draft: Draft, { at, event }: JournalEntry): void {
  if (event.kind === 'member.enrolled') {
    const { kind: _kind, ...member } = event;
    removeMember(draft, event.member);
    draft.members.set(event.member, { ...member, enrolledAt: at, renewedAt: at, addresses: [], revoked: false, rosterEpoch: draft.changeRoster(at), running: {}, answered: {}, work: {} });
    addMember(draft, event.member);
    const used = draft.tokens.edit(event.token);
    if (used !== undefined) used.uses += 1;
  } else if (event.kind === 'member.located') {
    const member = draft.members.edit(event.member);
    if (member === undefined) return;
    member.addresses = event.addresses;
    if (event.uploadUrl === undefined) delete member.uploadUrl;
    else member.uploadUrl = event.uploadUrl;
    member.rosterEpoch = draft.changeRoster(at);
  } else if (event.kind === 'member.renewed') {
    const member = draft.members.edit(event.member);
    if (member === undefined) return;
    const returned = !isPresent(member, draft.rosterAt);
    member.serial = event.serial;
    member.renewedAt = at;
    if (returned) member.rosterEpoch = draft.changeRoster(at);
    else if (isOutdated(draft.rosterAt, at)) draft.changeRoster(at);
  } else if (event.kind === 'member.revoked') {
    const member = draft.members.edit(event.member);
    if (member === undefined) return;
    member.revoked = true;
    removeMember(draft, event.member);
    member.rosterEpoch = draft.changeRoster(at);
    foldMemberRevoked(draft, event.member, at);
  } else if (event.kind === 'member.labelled') {
    const member = draft.members.edit(event.member);
    if (member === undefined) return;
    member.labels = event.labels;
    // Its zone may be a label.
    member.rosterEpoch = draft.changeRoster(at);
  } else if (event.kind === 'member.cordoned' || event.kind === 'member.uncordoned') {
    const member = draft.members.edit(event.member);
    if (member === undefined) return;
    if (event.kind === 'member.cordoned') member.cordoned = { reason: event.reason, at };
    else delete member.cordoned;
  }
}

/** Puts a member under its name, and an agent into the lists of its environments, by name. */
function addMember(draft: Draft, id: string): void {
  const member = draft.members.get(id);
  if (member === undefined) return;
  draft.names.set(member.name, id);
  draft.moved.delete(id);
  draft.moved.add(id);
  if (!member.roles.includes('agent')) return;
  for (const environment of member.environments) {
    const list = draft.agents.edit(environment) ?? draft.agents.set(environment, []);
    let [from, to] = [0, list.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((draft.members.get(list[middle] ?? '')?.name ?? '') < member.name) from = middle + 1;
      else to = middle;
    }
    list.splice(from, 0, id);
  }
}

function removeMember(draft: Draft, id: string): void {
  const member = draft.members.get(id);
  if (member === undefined) return;
  if (draft.names.get(member.name) === id) draft.names.delete(member.name);
  draft.moved.add(id);
  for (const environment of member.environments) {
    const at = draft.agents.get(environment)?.indexOf(id) ?? -1;
    if (at >= 0) draft.agents.edit(environment)?.splice(at, 1);
  }
}

function foldPromotion(draft: Draft, { at, actor, event }: JournalEntry): void {
  if (event.kind === 'promotion.created') {
    const { kind: _kind, ...promotion } = event;
    draft.promotions.set(event.promotion, { ...promotion, phase: 'waiting', by: actor, createdAt: at });
    const environment = draft.environments.edit(event.environment);
    if (environment !== undefined) environment.waiting = [...environment.waiting, event.promotion];
  } else if (event.kind === 'promotion.finished') {
    const promotion = draft.promotions.edit(event.promotion);
    if (promotion === undefined || !mayBecome(promotionTransitions, promotion.phase, event.phase)) return;
    promotion.phase = event.phase;
    promotion.finishedAt = at;
    if (event.reason !== undefined) promotion.outcome = event.reason;
    const environment = draft.environments.edit(promotion.environment);
    if (environment === undefined) return;
    environment.waiting = environment.waiting.filter((id) => id !== event.promotion);
    if (environment.continuing === event.promotion) delete environment.continuing;
    foldVerdict(environment, promotion, event.phase === 'succeeded');
  } else if (event.kind === 'promotion.verifying') foldVerifying(draft, event);
}
