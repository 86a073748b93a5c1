// How commands are answered: two short ways to write an answer.

import type { Event } from '../../../proto/events.ts';
import type { Accepted, RefusalCode, Refused } from './command.ts';

/** Yes: these facts. */
export function accepted(...events: readonly Event[]): Accepted {
  return { kind: 'accepted', events };
}

/** No, and why. */
export function refused(code: RefusalCode, message: string): Refused {
  return { kind: 'refused', code, message };
}
