// What is promoted when nobody says which revision: what runs at the source. What any other text names is model/select.ts.

import type { Digest } from '../../../proto/cid.ts';
import { edgesInto } from './place.ts';
import type { Environment, State } from '../model/model.ts';
import { findSet } from '../model/select.ts';
import { pick } from '../model/sets.ts';

/** The word for it; no alias may be called so. */
export const sourceWord = 'source';

/**
 * The revisions that `text` names for a promotion: `source`, or of one application `web@source`, is what the environments that lead here run now, and of an application that
 * comes straight from its repository the newest; else whatever findSet understands. A sentence when it names none.
 */
export function wantedSet(state: State, environment: Environment, text: string): ReturnType<typeof findSet> {
  const only = text.endsWith(`@${sourceWord}`) ? text.slice(0, -sourceWord.length - 1) : undefined;
  if (text !== sourceWord && only === undefined) return findSet(state, environment, text);
  const edges = edgesInto(state, environment.environment).filter(({ spec }) => only === undefined || spec.apps.includes(only));
  if (edges.length === 0) return findSet(state, environment, only === undefined ? 'latest' : `${only}@latest`);
  const members: Record<string, Digest> = {};
  for (const { spec: { from, apps } } of edges) {
    const latest = from.kind === 'app' ? state.apps.get(from.app)?.revisions.at(-1) : undefined;
    if (from.kind === 'environment') Object.assign(members, pick(state.sets.get(from.environment)?.current ?? {}, only === undefined ? apps : [only]));
    else if (latest !== undefined) members[from.app] = latest.revision;
  }
  if (Object.keys(members).length > 0) return { members };
  const sources = [...new Set(edges.map(({ spec: { from } }) => (from.kind === 'app' ? `the repository of '${from.app}'` : `'${from.environment}'`)))].join(' and ');
  return { problem: `${sources}, from where '${environment.environment}' is promoted, ${sources.includes(' and ') ? 'have' : 'has'} no revision yet; bring one there first, or name one` };
}
