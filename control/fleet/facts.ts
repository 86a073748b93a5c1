// What the fleet's and the API's side ask of the control plane's memory: the durable state, and a decision appended to the journal.
// Implemented by control/run/projection.ts.

import type { Event, JournalEntry } from '../../proto/events.ts';
import { handle } from '../core/answers/handle.ts';
import type { Accepted, Answer, Command, RefusalCode, Refused } from '../core/commands/command.ts';
import type { State } from '../core/model/model.ts';
import type { Clock } from '../clock.ts';
import { ControlError, type ControlErrorCode } from '../errors.ts';

export interface Facts {
  /** What is durable. */
  state(): State;
  /** Decides over the newest state and appends; resolves when synced. `apart`: see control/run/projection.ts. @throws {ControlError} STORAGE_FAILED, TOO_MANY_REQUESTS. */
  transact<Result>(
    actor: string,
    decide: (state: State) => { readonly events: readonly Event[]; readonly result: Result },
    apart?: string,
  ): Promise<{ readonly result: Result; readonly state: State }>;
  /** Calls `listener` with each durable group of entries; returns how to stop. */
  onChange(listener: (entries: readonly JournalEntry[]) => void): () => void;
}

/** A command's answer, with the state in which it is so. */
export type Done = (Accepted | Refused) & { readonly state: State };

/** One command, decided and appended. */
export async function submit(facts: Facts, actor: string, command: Command, clock: Pick<Clock, 'now'>): Promise<Done> {
  const { result, state } = await facts.transact<Answer>(actor, (before) => {
    const answer = handle(before, command, clock.now());
    return { events: answer.kind === 'accepted' ? answer.events : [], result: answer };
  });
  return { ...result, state };
}

/** What refusals of core are called outside. */
export const refusalCodes: Readonly<Record<RefusalCode, ControlErrorCode>> = {
  'not-found': 'NOT_FOUND',
  conflict: 'CONFLICT',
  invalid: 'INVALID_REQUEST',
  blocked: 'BLOCKED',
  forbidden: 'FORBIDDEN',
};

/** The acceptance. @throws {ControlError} with the refusal's code and message. */
export function demand(done: Done): Accepted & { readonly state: State } {
  if (done.kind === 'refused') throw new ControlError(refusalCodes[done.code], done.message);
  return done;
}
