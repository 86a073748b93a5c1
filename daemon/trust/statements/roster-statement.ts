// The statement of a roster, from the one held and what became of it. Nothing is believed here: the statement is verified like one that came whole.

import { canonicalize } from 'json-canonicalize';
import { changedRoster, type RosterChange } from '../../../proto/roster-change.ts';
import type { Roster } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';

/** The compact form. @throws {DaemonError} STATEMENT_REFUSED when the change does not start from `held`. */
export function compactOf(held: Roster | undefined, change: RosterChange): string {
  if (held?.epoch !== change.from) throw new DaemonError('STATEMENT_REFUSED', `the change of the roster starts from epoch ${change.from}, held is ${held?.epoch ?? 'none'}`);
  const payload = Buffer.from(canonicalize(changedRoster(held, change))).toString('base64url');
  return `${change.header}.${payload}.${change.signature}`;
}
