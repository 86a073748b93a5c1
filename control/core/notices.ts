// What a fact of the journal means to people who asked to be told: at most one notice for each channel of a pipeline (O-3). Named by
// the fact's number, so that whoever repeats the question gets the same answer; sending is control/notify's.

import type { AutomationScope, Scope } from '../../proto/events-pipeline.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';
import type { NoticeName } from '../../proto/notification.ts';
import { setText } from './gates/blocker.ts';
import { placeOf } from './gates/place.ts';
import type { Pipeline } from './model/pipeline.ts';
import type { State } from './model/model.ts';

/** One thing to be told to one channel. */
export interface Notice {
  /** `seq.pipeline.channel`: the same however often it is asked for. */
  readonly id: string;
  readonly name: NoticeName;
  readonly channel: string;
  readonly pipeline: string;
  /** What it is about: an environment, a deployment, a request. */
  readonly subject: string;
  /** A line for a small screen. */
  readonly title: string;
  /** What happened, who did it, and what to do. */
  readonly text: string;
  /** Of the fact; milliseconds since 1970. */
  readonly at: number;
}

interface Told {
  readonly name: NoticeName;
  readonly pipelines: readonly Pipeline[];
  readonly subject: string;
  readonly title: string;
  readonly text: string;
}

/** Whom the fact is told to. `state` has the fact folded in. */
export function noticesOf(state: State, entry: JournalEntry): readonly Notice[] {
  const told = tell(state, entry);
  if (told === undefined) return [];
  return told.pipelines.flatMap(({ pipeline, spec }) => {
    const rules = (spec.notifications ?? []).filter(({ events }) => events.includes(told.name));
    const { name, subject, title, text } = told;
    return [...new Set(rules.map(({ channel }) => channel))].map((channel) => ({ id: `${entry.seq}.${pipeline}.${channel}`, name, channel, pipeline, subject, title, text, at: entry.at }));
  });
}

const toldKinds = [
  'approval.requested', 'approval.settled', 'workflow.finished', 'deployment.started', 'deployment.finished', 'deployment.paused', 'pipeline.enabled', 'pipeline.disabled', 'pipeline.deleted',
  'automation.changed', 'freeze.started', 'freeze.ended', 'veto.placed', 'hold.placed',
] as const;
type ToldEvent = Extract<Event, { readonly kind: (typeof toldKinds)[number] }>;

/** Most facts are steps of what is told as a whole. */
function isTold(event: Event): event is ToldEvent {
  return toldKinds.some((kind) => kind === event.kind);
}

function tell(state: State, { event, actor }: JournalEntry): Told | undefined {
  if (!isTold(event)) return undefined;
  switch (event.kind) {
    case 'approval.requested':
    case 'approval.settled':
      return ofRequest(state, event.request, event.kind === 'approval.requested' ? 'open' : event.status, actor);
    case 'workflow.finished': {
      const run = state.runs.get(event.run);
      if (run === undefined || event.phase === 'aborted' || event.phase === 'invalidated') return undefined;
      const name = event.phase === 'successful' ? 'workflow.succeeded' : 'workflow.failed';
      const title = `${run.environment}: workflow ${run.workflow} ${event.phase} for ${setText(state, run.members)}`;
      return { name, pipelines: ofEnvironment(state, run.environment), subject: event.run, title, text: sentence(title, event.reason, `see \`starling workflow get ${event.run}\``) };
    }
    case 'deployment.started':
    case 'deployment.finished':
      return ofDeployment(state, event.deployment, event.kind === 'deployment.started' ? 'started' : event.phase);
    case 'deployment.paused':
      return ofPause(state, event, actor);
    case 'pipeline.enabled':
    case 'pipeline.disabled':
    case 'pipeline.deleted': {
      const pipeline = state.pipelines.get(event.pipeline) ?? state.retired.get(event.pipeline);
      const title = `pipeline ${event.pipeline} was ${event.kind.slice('pipeline.'.length)} by ${actor}`;
      return { name: event.kind, pipelines: pipeline === undefined ? [] : [pipeline], subject: event.pipeline, title, text: sentence(title, event.reason) };
    }
    case 'automation.changed': {
      const title = `automation of ${event.scope.kind} ${event.scope.id} was turned ${event.on ? 'on' : 'off'} by ${actor}`;
      return { name: event.kind, pipelines: ofAutomation(state, event.scope), subject: event.scope.id, title, text: sentence(title, event.reason) };
    }
    case 'freeze.started': {
      const title = `${scopeName(event.scope)} is frozen by ${actor}`;
      return { name: event.kind, pipelines: ofScope(state, event.scope), subject: event.freeze, title, text: sentence(title, event.reason, `nothing starts until \`starling freeze end ${event.freeze}\`${event.until === undefined ? '' : ' or the time that was set'}`) };
    }
    case 'freeze.ended': {
      const title = `freeze ${event.freeze} was ended by ${actor}`;
      return { name: event.kind, pipelines: [...state.pipelines.values()], subject: event.freeze, title, text: sentence(title, event.reason) };
    }
    case 'veto.placed': {
      const title = `${setText(state, { [event.app]: event.revision })} was vetoed by ${actor}${event.environment === undefined ? '' : ` in ${event.environment}`}`;
      return { name: event.kind, pipelines: ofApp(state, event.app), subject: `${event.app}@${event.revision}`, title, text: sentence(title, event.reason) };
    }
    case 'hold.placed': {
      const title = `automatic promotion by ${event.edge} is on hold`;
      return { name: event.kind, pipelines: ofAutomation(state, { kind: 'edge', id: event.edge }), subject: event.edge, title, text: sentence(title, event.reason, `promote the candidate, or \`starling hold release ${event.edge}\``) };
    }
    default:
      return event satisfies never;
  }
}

function ofRequest(state: State, id: string, status: string, actor: string): Told | undefined {
  const request = state.requests.get(id);
  if (request === undefined) return undefined;
  const { subject } = request;
  const override = subject.purpose === 'override';
  const names: Readonly<Record<string, NoticeName>> = { open: 'approval.requested', approved: override ? 'override.granted' : 'approval.granted', rejected: 'approval.rejected', expired: 'approval.expired' };
  const name = names[status];
  if (name === undefined) return undefined;
  const environment = subject.destination ?? subject.source;
  const what = `${setText(state, subject.members)} for ${environment}`;
  const groups = request.rules.map((rule) => `${rule.count} of ${rule.group === '*' ? 'anybody' : rule.group}`).join(', ');
  const title = {
    'approval.requested': `${what} needs approval: ${groups}`,
    'approval.granted': `${what} was approved`,
    'override.granted': `${(request.lifts ?? []).join(', ')} was lifted for ${what}`,
    'approval.rejected': `${what} was rejected`,
    'approval.expired': `nobody approved ${what} in time`,
  }[String(name)] ?? what;
  const votes = request.votes.filter((vote) => vote.revokedAt === undefined).map((vote) => `${vote.by}: ${vote.decision}${vote.comment === undefined ? '' : ` (${vote.comment})`}`);
  const reason = status === 'open' ? request.reason : votes.join('; ');
  const advice = status === 'open' ? `\`starling approve ${id}\` or \`starling reject ${id}\`; asked by ${actor}` : override && request.review === true && status === 'approved' ? `once it was used somebody else reviews it: \`starling compliance review ${id} --comment TEXT\`` : undefined;
  return { name, pipelines: ofEnvironment(state, environment), subject: id, title, text: sentence(title, reason === '' ? undefined : reason, advice) };
}

function ofDeployment(state: State, id: string, phase: string): Told | undefined {
  const deployment = state.deployments.get(id);
  const names: Readonly<Record<string, NoticeName>> = { started: 'deployment.started', succeeded: 'deployment.succeeded', failed: 'deployment.failed', 'rollback-failed': 'deployment.failed', 'rolled-back': 'deployment.rolledback' };
  const name = names[phase];
  if (deployment === undefined || name === undefined || deployment.type === 'catch-up' || deployment.type === 'prefetch') return undefined;
  const { environment, app, number, reason } = deployment;
  const title = `${environment}: ${deployment.type === 'rollback' ? 'rollback to ' : ''}${app}@${number} ${phase === 'rolled-back' ? 'was rolled back' : phase === 'rollback-failed' ? 'could not be rolled back everywhere' : phase}`;
  return { name, pipelines: ofEnvironment(state, environment), subject: id, title, text: sentence(title, reason, `see \`starling explain ${environment}\``) };
}

/** A pause that only a person ends. One by a window ends by itself. */
function ofPause(state: State, { deployment: id, reason, byHand }: Extract<Event, { readonly kind: 'deployment.paused' }>, actor: string): Told | undefined {
  const deployment = state.deployments.get(id);
  if (deployment === undefined || byHand !== true) return undefined;
  const { environment, app, number } = deployment;
  const title = `${environment}: ${app}@${number} is paused${actor === 'system' ? '' : ` by ${actor}`}`;
  return { name: 'deployment.paused', pipelines: ofEnvironment(state, environment), subject: id, title, text: sentence(title, reason, `\`starling deployment resume ${id}\` lets it go on, \`starling rollback ${environment}\` takes it back`) };
}

function ofEnvironment(state: State, environment: string): readonly Pipeline[] {
  const place = placeOf(state, environment);
  return place === undefined ? [] : [place.pipeline];
}

function ofApp(state: State, app: string): readonly Pipeline[] {
  return [...state.pipelines.values()].filter(({ spec }) => spec.edges.some((edge) => edge.apps.includes(app)));
}

function ofAutomation(state: State, { kind, id }: AutomationScope): readonly Pipeline[] {
  if (kind === 'environment') return ofEnvironment(state, id);
  if (kind === 'app') return ofApp(state, id);
  return [...state.pipelines.values(), ...state.retired.values()].filter(({ pipeline }) => pipeline === id.split('/')[0]);
}

function ofScope(state: State, scope: Scope): readonly Pipeline[] {
  const all = [...state.pipelines.values()];
  if (scope.kind === 'all') return all;
  if (scope.kind === 'environment') return ofEnvironment(state, scope.id);
  if (scope.kind === 'project') return all.filter(({ project }) => project === scope.id);
  return all.filter(({ pipeline }) => pipeline === scope.id.split('/')[0]);
}

function scopeName(scope: Scope): string {
  return scope.kind === 'all' ? 'everything' : `${scope.kind} ${scope.id}`;
}

function sentence(title: string, reason?: string, advice?: string): string {
  return `${title}${reason === undefined || reason.trim() === '' ? '' : `: ${reason}`}${advice === undefined ? '' : `; ${advice}`}`;
}
