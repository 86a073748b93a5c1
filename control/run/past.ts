// The state as it was: the journal folded up to the entry that somebody asks about. Dear for a long journal, so that one such question
// is answered at a time, and others have their turn in between.

import type { JournalEntry } from '../../proto/events.ts';
import { evolveAll, initialState } from '../core/evolve/evolve.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';

/** An entry and the state in which it was decided. */
export interface Then {
  readonly state: State;
  readonly entry: JournalEntry;
}

/**
 * Finds the first entry of which `wanted` is true, with the state before it; undefined when there is none.
 * @throws {ControlError} TOO_MANY_REQUESTS; ABORTED when the signal fires; STORAGE_FAILED.
 */
export type Past = (wanted: (entry: JournalEntry) => boolean, options: { readonly signal: AbortSignal }) => Promise<Then | undefined>;

/** Questions under way or waiting: as many as are answered in the time that a request has, where each takes seconds. */
export const askedMax = 16;

/** The past of a journal. Questions wait for each other, so that memory is bounded; one that nobody waits for any more ends. */
export function createPast(journal: Pick<Journal, 'scan'>): Past {
  let turn: Promise<unknown> = Promise.resolve();
  let asked = 0;
  return async (wanted, { signal }) => {
    if (asked >= askedMax) throw new ControlError('TOO_MANY_REQUESTS', `${askedMax} questions about the past wait already, and each reads the journal; ask again in a minute`);
    asked += 1;
    const mine = turn.then(async () => await search(journal, wanted, signal)).finally(() => (asked -= 1));
    turn = mine.catch(() => undefined);
    return await mine;
  };
}

async function search(journal: Pick<Journal, 'scan'>, wanted: (entry: JournalEntry) => boolean, signal: AbortSignal): Promise<Then | undefined> {
  let state = initialState();
  const heard = (): void => {
    if (signal.aborted) throw new ControlError('ABORTED', 'nobody waits for the answer any more');
  };
  heard();
  // Portions are small enough that others have their turn between them.
  for await (const entries of journal.scan(0)) {
    heard();
    const entry = entries.find(wanted);
    if (entry !== undefined) return { state: evolveAll(state, entries.slice(0, entries.indexOf(entry))), entry };
    state = evolveAll(state, entries);
  }
  return undefined;
}
