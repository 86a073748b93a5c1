// The state as it was: the journal folded up to the entry that somebody asks about. Dear for a long journal, so that one such question
// is answered at a time, and others have their turn in between.

import type { JournalEntry } from '../../proto/events.ts';
import { evolveAll, initialState } from '../core/evolve.ts';
import type { State } from '../core/model.ts';
import type { Journal } from '../journal/journal.ts';

/** Entries folded before others have their turn: some milliseconds. */
const pageEntries = 2_000;

/** An entry and the state in which it was decided. */
export interface Then {
  readonly state: State;
  readonly entry: JournalEntry;
}

/** Finds the first entry of which `wanted` is true, with the state before it; undefined when there is none. */
export type Past = (wanted: (entry: JournalEntry) => boolean) => Promise<Then | undefined>;

/** The past of a journal. Questions wait for each other, so that memory is bounded. */
export function createPast(journal: Pick<Journal, 'read' | 'head'>): Past {
  let turn: Promise<unknown> = Promise.resolve();
  return async (wanted) => {
    const mine = turn.then(async () => await search(journal, wanted));
    turn = mine.catch(() => undefined);
    return await mine;
  };
}

async function search(journal: Pick<Journal, 'read' | 'head'>, wanted: (entry: JournalEntry) => boolean): Promise<Then | undefined> {
  const end = journal.head();
  let state = initialState();
  while (state.head < end) {
    const entries = await journal.read(state.head, Math.min(pageEntries, end - state.head));
    const entry = entries.find(wanted);
    if (entry !== undefined) return { state: evolveAll(state, entries.slice(0, entries.indexOf(entry))), entry };
    state = evolveAll(state, entries);
  }
  return undefined;
}
