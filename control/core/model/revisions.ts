// Questions about revisions and what is known of them: the changes that lie between two of them, and where one runs.

import type { ChangeRecord } from '../../../proto/events-pipeline.ts';
import { revisionKey } from './pipeline.ts';
import type { RevisionRecord, State } from './model.ts';

/** A change with the number of the revision that brought it. */
export interface NumberedChange extends ChangeRecord {
  readonly number: number;
}

/** Changes that are told of one pair of revisions; further ones are in the revisions themselves. */
export const changesMax = 500;

/** What the revisions above `after` up to `upTo` brought, newest first; each commit once. */
export function changesBetween(state: State, app: string, after: number, upTo: number): readonly NumberedChange[] {
  const found = new Map<string, NumberedChange>();
  for (let number = upTo; number > after && found.size < changesMax; number -= 1) {
    const record = state.apps.get(app)?.revisions[number - 1];
    for (const change of descriptionOf(state, record)?.changes ?? []) if (!found.has(change.commit)) found.set(change.commit, { ...change, number });
  }
  return [...found.values()].slice(0, changesMax);
}

/** What is known of a revision beside its content. */
export function descriptionOf(state: State, record: Pick<RevisionRecord, 'app' | 'revision'> | undefined) {
  return record === undefined ? undefined : state.descriptions.get(revisionKey(record.app, record.revision));
}

/** Names of the environments that run a revision now. */
export function runsIn(state: State, { app, revision }: Pick<RevisionRecord, 'app' | 'revision'>): readonly string[] {
  return [...state.environments.values()].filter(({ slots }) => slots[app]?.current === revision).map(({ environment }) => environment).toSorted();
}
