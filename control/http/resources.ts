// What a request is about, for the question whether its token allows it: one application or environment, or everything.
// Read from the path, the body, and what is on record. Whether the token allows it is scopes.ts.

import type { FastifyRequest } from 'fastify';
import type { Operation } from '../../proto/api/operation.ts';
import { findEdge } from '../core/answers/pipeline.ts';
import type { State } from '../core/model/model.ts';
import type { Resource } from './scopes.ts';

type Of = Exclude<Operation['scope'], 'none'>['of'];
type Request = Pick<FastifyRequest, 'params' | 'body'>;

/** What the request is about. What is not on record is about everything: who may only see a part must not learn what there is. */
export function resourceOf(of: Of, request: Request, state: State): Resource {
  if (of === 'all') return '*';
  if (of === 'app') return resource('app', textOf(request.params, 'app') ?? state.builds.get(textOf(request.params, 'build') ?? '')?.app);
  if (of === 'subject') return subjectOf(request, state);
  const promotion = state.promotions.get(textOf(request.params, 'promotion') ?? '')?.environment;
  const deployment = state.deployments.get(textOf(request.params, 'deployment') ?? '')?.environment;
  const run = state.runs.get(textOf(request.params, 'run') ?? '')?.environment;
  return resource('env', textOf(request.params, 'environment') ?? promotion ?? deployment ?? run ?? textOf(request.body, 'environment'));
}

/** Where a request for approval lets its set go: who may approve there may vote. */
export function approvalResource(state: State, id: string): Resource {
  const subject = state.requests.get(id)?.subject;
  return resource('env', subject?.destination ?? (subject !== undefined && state.environments.has(subject.source) ? subject.source : undefined));
}

function subjectOf({ params, body }: Request, state: State): Resource {
  const named = (key: string): string | undefined => textOf(params, key);
  const approval = named('approval');
  if (approval !== undefined) return approvalResource(state, approval);
  const edge = named('edge') === undefined ? undefined : findEdge(state, `${named('pipeline')}/${named('edge')}`);
  if (edge !== undefined) return resource('env', edge.spec.to);
  const scope = state.locks.get(named('lock') ?? '')?.scope ?? state.freezes.get(named('freeze') ?? '')?.scope ?? valueOf(body, 'scope');
  if (textOf(scope, 'kind') === 'environment') return resource('env', textOf(scope, 'id'));
  const [kind, id] = [named('kind'), named('id')];
  if (kind === 'environment') return resource('env', id);
  if (kind === 'app') return resource('app', id);
  return kind === 'edge' ? resource('env', findEdge(state, id ?? '')?.spec.to) : '*';
}

function resource(kind: 'app' | 'env', name: string | undefined): Resource {
  return name === undefined || !/^[a-z0-9-]{1,64}$/.test(name) ? '*' : `${kind}/${name}`;
}

function valueOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Object.entries(value).find(([name]) => name === key)?.[1];
}

/** The text under a key of some data; undefined when there is none. */
export function textOf(value: unknown, key: string): string | undefined {
  const found = valueOf(value, key);
  return typeof found === 'string' ? found : undefined;
}
