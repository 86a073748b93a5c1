// When the state is written down: after so many facts, and at an orderly stop. A start then folds what came since, however long the journal is.

import type { JournalEntry } from '../../proto/events.ts';
import type { State } from '../core/model/model.ts';
import type { Logger } from '../log.ts';
import type { Projection } from './projection.ts';

/** Facts between two snapshots while it runs: what a start folds in about a second. */
const everyEntries = 250_000;
/** Facts that are worth one at a stop: fewer are folded before anybody notices. */
const worthEntries = 20_000;

export interface SnapshotOptions {
  readonly projection: Pick<Projection, 'state' | 'onChange'>;
  /** The entry with a number, which the journal has. */
  readonly entryAt: (seq: number) => Promise<JournalEntry | undefined>;
  readonly save: (entry: JournalEntry, state: State) => Promise<void>;
  /** Up to where the newest one goes. */
  readonly saved: number;
  readonly log: Logger;
}

/** Keeps the snapshot up until it is closed, and then makes one more where that pays. One that cannot be written is logged, and tried again after as many facts. */
export function keepSnapshots({ projection, entryAt, save, saved, log }: SnapshotOptions): { close(): Promise<void> } {
  let last = saved;
  let working: Promise<void> | undefined;
  const make = async (): Promise<void> => {
    const state = projection.state();
    last = state.head;
    try {
      const entry = await entryAt(state.head);
      if (entry !== undefined) await save(entry, state);
    } catch (error) {
      log.warn({ err: error, entries: state.head }, 'the snapshot of the state could not be written; the next start takes longer, nothing else');
    }
    working = undefined;
  };
  const stop = projection.onChange(() => {
    if (working === undefined && projection.state().head - last >= everyEntries) working = make();
  });
  return {
    close: async () => {
      stop();
      await working;
      if (projection.state().head - last >= worthEntries) await make();
    },
  };
}
