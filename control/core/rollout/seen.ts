// What a decision to start saw that no journal holds: the time, and which machines were silent. It is recorded with the
// fact, so that the same decision can be made again from the journal alone, byte for byte (core/history/replay.ts).

import type { Seen } from '../../../proto/events.ts';
import { lostAfterOf } from '../batches/batches.ts';
import type { Environment, State } from '../model/model.ts';
import { isSilent, targetsOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';

/** What is to be recorded of a decision about an environment. `silentMs`: how long a silence it went by. */
export function seenBy(state: State, environment: Environment, observed: Observed, silentMs = lostAfterOf(environment.config)): Seen {
  const silent = targetsOf(state, environment).filter(({ member }) => isSilent(observed, member, silentMs)).map(({ member }) => member);
  return { head: state.head, at: observed.now, ...(silent.length === 0 ? {} : { silent }) };
}

/** What the decision saw, as far as it went by it: whoever is not among the silent was heard. */
export function observedThen(state: State, { at, silent = [] }: Pick<Seen, 'at' | 'silent'>): Observed {
  const quiet = new Set(silent);
  return { now: at, since: 0, lastSeen: new Map([...state.members.keys()].filter((member) => !quiet.has(member)).map((member) => [member, at])) };
}
