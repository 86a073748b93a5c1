// The state as it was: the journal folded up to the entry that somebody asks about. Dear for a long journal, so that one such question
// is answered at a time, and others have their turn in between.

import type { JournalEntry } from '../../proto/events.ts';
import { evolveAll, initialState } from '../core/evolve.ts';
import type { State } from '../core/model.ts';
import type { Journal } from '../journal/journal.ts';

/** An entry and the state in which it was decided. */
export interface Then {
  readonly state: State;
  readonly entry: JournalEntry;
}

/** Finds the first entry of which `wanted` is true, with the state before it; undefined when there is none. */
export type Past = (wanted: (entry: JournalEntry) => boolean) => Promise<Then | undefined>;

/** The past of a journal. Questions wait for each other, so that memory is bounded. */
export function createPast(journal: Pick<Journal, 'scan'>): Past {
  let turn: Promise<unknown> = Promise.resolve();
  return async (wanted) => {
    const mine = turn.then(async () => await search(journal, wanted));
    turn = mine.catch(() => undefined);
    return await mine;
  };
}

async function search(journal: Pick<Journal, 'scan'>, wanted: (entry: JournalEntry) => boolean): Promise<Then | undefined> {
  let state = initialState();
  // Portions are small enough that others have their turn between them.
  for await (const entries of journal.scan(0)) {
    const entry = entries.find(wanted);
    if (entry !== undefined) return { state: evolveAll(state, entries.slice(0, entries.indexOf(entry))), entry };
    state = evolveAll(state, entries);
  }
  return undefined;
}
