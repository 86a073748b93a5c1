// The state in memory: from its snapshot where there is one, followed, and written down again. Part of the composition root.

import { join } from 'node:path';
import type { Journal } from './journal/journal.ts';
import { programDigest } from './journal/program.ts';
import { loadSnapshot, saveSnapshot } from './journal/snapshot.ts';
import type { Logger } from './log.ts';
import { openProjection, type Projection } from './run/projection.ts';
import { keepSnapshots } from './run/snapshot.ts';

/** What it is made of. `now` is milliseconds since 1970; `runtime` names Node's version. */
export interface StateParts {
  readonly journal: Journal;
  readonly dataDir: string;
  readonly now: () => number;
  readonly runtime: string;
  readonly log: Logger;
}

/** Opens the projection and puts on `stack` how to close it, with a last snapshot behind its last fact. */
export async function openState({ journal, dataDir, now, runtime, log }: StateParts, stack: AsyncDisposableStack): Promise<Projection> {
  const file = join(dataDir, 'state.snapshot');
  const program = await programDigest(runtime);
  const loaded = await loadSnapshot(file, program, journal);
  if (loaded.kind === 'none' && loaded.why !== undefined) log.info({ file, why: loaded.why, entries: journal.head() }, 'the snapshot of the state is left aside, and the whole journal is read');
  const saved = loaded.kind === 'state' ? loaded.state.head : 0;
  const projection = await openProjection(journal, now, loaded.kind === 'state' ? loaded.state : undefined);
  if (saved > 0) log.info({ from: saved, entries: journal.head() }, 'the state goes on from its snapshot');
  const snapshots = keepSnapshots({
    projection,
    entryAt: async (seq) => (await journal.read(seq - 1, 1))[0],
    save: async (entry, state) => await saveSnapshot(file, { program, entry }, state),
    saved,
    log,
  });
  stack.defer(async () => {
    await projection.close();
    await snapshots.close();
  });
  return projection;
}
