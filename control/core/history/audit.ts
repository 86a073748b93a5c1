// What an entry of the journal is to an audit: what it is about, which configuration it sets, and the command that undoes it.
// The chain of hashes is proto/audit-chain.ts; before and after are compared in difference.ts.

import type { Event } from '../../../proto/events.ts';
import { vetoKey } from '../model/pipeline.ts';

/** What an event is about, as `kind:id`; the narrowest thing that it names. */
export function objectOf(event: Event): string {
  if ('lock' in event && event.kind.startsWith('lock.')) return `lock:${event.lock}`;
  if ('freeze' in event) return `freeze:${event.freeze}`;
  if ('request' in event) return `approval:${event.request}`;
  if ('run' in event && event.run !== undefined) return `run:${event.run}`;
  if ('edge' in event && event.kind !== 'promotion.created') return `edge:${event.edge}`;
  if ('deployment' in event) return `deployment:${event.deployment}`;
  if ('report' in event) return `deployment:${event.report.deployment}`;
  if ('promotion' in event) return `promotion:${event.promotion}`;
  if ('pipeline' in event) return `pipeline:${event.pipeline}`;
  if (event.kind === 'automation.changed') return `${event.scope.kind}:${event.scope.id}`;
  if ('revision' in event && 'app' in event) return `revision:${event.app}@${'number' in event ? event.number : event.revision.slice(0, 12)}`;
  if ('environment' in event) return `environment:${event.environment}`;
  if ('member' in event) return `target:${event.member}`;
  if ('token' in event) return `token:${event.token}`;
  if ('app' in event) return `app:${event.app}`;
  return 'control';
}

/** Everything that an event touches, for a filter by object: the narrowest thing, and what that is part of. */
export function touches(event: Event, wanted: string): boolean {
  if (objectOf(event) === wanted) return true;
  const at = wanted.indexOf(':');
  const kind = at < 0 ? undefined : wanted.slice(0, at);
  const id = wanted.slice(at + 1);
  return Object.entries('report' in event ? { ...event, ...event.report } : event).some(([key, value]) => value === id && (kind === undefined || key === kind || (kind === 'target' && key === 'member')));
}

/** Why somebody did it, where the event has it. */
export function reasonOf(event: Event): string | undefined {
  if ('reason' in event) return event.reason;
  return 'comment' in event ? event.comment : undefined;
}

/** A piece of configuration that an event sets; absent `value`: it takes it away. */
export interface Configured {
  /** Events about the same piece have the same key. */
  readonly key: string;
  readonly value: unknown;
}

/** The configuration that an event sets; undefined for events that configure nothing. */
export function configuredBy(event: Event): Configured | undefined {
  if (event.kind === 'app.created') return { key: `app:${event.app}`, value: { project: event.project } };
  if (event.kind === 'environment.created') return { key: `environment:${event.environment}`, value: { selector: event.selector, config: event.config } };
  if (event.kind === 'environment.changed') return { key: `environment:${event.environment}`, value: { selector: event.selector, config: event.config } };
  if (event.kind === 'pipeline.applied') return { key: `pipeline:${event.pipeline}`, value: { project: event.project, spec: event.spec } };
  if (event.kind === 'pipeline.deleted') return { key: `pipeline:${event.pipeline}`, value: undefined };
  if (event.kind === 'pipeline.enabled' || event.kind === 'pipeline.disabled') return { key: `pipeline-enabled:${event.pipeline}`, value: { enabled: event.kind === 'pipeline.enabled' } };
  if (event.kind === 'edge.enabled' || event.kind === 'edge.disabled') return { key: `edge-enabled:${event.edge}`, value: { enabled: event.kind === 'edge.enabled' } };
  if (event.kind === 'automation.changed') return { key: `automation:${event.scope.kind}:${event.scope.id}`, value: { on: event.on } };
  if (event.kind === 'revision.described') return { key: `description:${event.app}@${event.revision}`, value: event.description };
  if (event.kind === 'token.created') return { key: `token:${event.token}`, value: { use: event.use, name: event.name, scopes: event.scopes, roles: event.roles, environments: event.environments, labels: event.labels, usesMax: event.usesMax, expiresAt: event.expiresAt } };
  if (event.kind === 'token.revoked') return { key: `token:${event.token}`, value: undefined };
  if (event.kind === 'member.labelled') return { key: `labels:${event.member}`, value: { labels: event.labels } };
  if (event.kind === 'member.cordoned' || event.kind === 'member.uncordoned') return { key: `cordon:${event.member}`, value: event.kind === 'member.cordoned' ? { reason: event.reason } : undefined };
  return restraintBy(event);
}

function restraintBy(event: Event): Configured | undefined {
  if (event.kind === 'hold.placed' || event.kind === 'hold.released') return { key: `hold:${event.edge}`, value: event.kind === 'hold.placed' ? withoutKind(event) : undefined };
  if (event.kind === 'pin.placed' || event.kind === 'pin.removed') return { key: `pin:${event.environment}`, value: event.kind === 'pin.placed' ? withoutKind(event) : undefined };
  if (event.kind === 'veto.placed' || event.kind === 'veto.removed') return { key: `veto:${vetoKey(event.app, event.revision, event.environment)}`, value: event.kind === 'veto.placed' ? withoutKind(event) : undefined };
  if (event.kind === 'lock.acquired' || event.kind === 'lock.released') return { key: `lock:${event.lock}`, value: event.kind === 'lock.acquired' ? withoutKind(event) : undefined };
  if (event.kind === 'freeze.started' || event.kind === 'freeze.ended') return { key: `freeze:${event.freeze}`, value: event.kind === 'freeze.started' ? withoutKind(event) : undefined };
  return undefined;
}

function withoutKind(event: Event): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(event).filter(([key]) => key !== 'kind'));
}

/** The command that brings back how it was before, where one command does. */
export function undoOf(event: Event): string | undefined {
  if (event.kind === 'pipeline.enabled') return `starling pipeline disable ${event.pipeline} --reason …`;
  if (event.kind === 'pipeline.disabled') return `starling pipeline enable ${event.pipeline}`;
  if (event.kind === 'edge.enabled') return `starling edge disable ${event.edge} --reason …`;
  if (event.kind === 'edge.disabled') return `starling edge enable ${event.edge}`;
  if (event.kind === 'automation.changed') return `starling automation set ${event.on ? 'off' : 'on'} --${event.scope.kind} ${event.scope.id}${event.on ? ' --reason …' : ''}`;
  if (event.kind === 'member.cordoned') return `starling target uncordon ${event.member}`;
  if (event.kind === 'hold.placed') return `starling hold release ${event.edge}`;
  if (event.kind === 'pin.placed') return `starling unpin ${event.environment}`;
  if (event.kind === 'veto.placed') return `starling revision unveto ${event.app}@${event.revision}${event.environment === undefined ? '' : ` --environment ${event.environment}`}`;
  if (event.kind === 'lock.acquired') return `starling lock release ${event.lock}`;
  if (event.kind === 'freeze.started') return `starling freeze end ${event.freeze}`;
  return undefined;
}

