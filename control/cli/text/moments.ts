// Instants as people say and read them: local time with how far away it is. The zone is the process's own (TZ).

import { ControlError } from '../../errors.ts';
import { durationText, parseDuration } from './text.ts';

/** What reads a clock: the command line's world. */
export interface Moments {
  /** `Mon 23 Nov 09:00 CET (in 3 h 12 min)`, or `(5 min 3 s ago)`. */
  text(at: number): string;
  /** `in 3 h 12 min`, `5 min 3 s ago`, `just now`. */
  relative(at: number): string;
  /** Milliseconds since 1970 of `4h` (from now on), `2026-12-24T18:00` (local) or `2026-12-24T17:00Z`. @throws {ControlError} CONFIG_INVALID. */
  parse(text: string, what: string): number;
}

const yearMs = 366 * 86_400_000;

/** `timeZone`: a name such as `Europe/Berlin`; the process's own when it is left out. */
export function momentsAt(now: number, timeZone?: string): Moments {
  const zone = timeZone === undefined || timeZone === '' ? {} : { timeZone };
  const format = formatOf({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short', hour12: false }, zone);
  // What is more than a year away is of another year.
  const far = formatOf({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short', hour12: false }, zone);
  const relative = (at: number): string => {
    // The control plane's clock and this one are never quite the same.
    if (Math.abs(at - now) < 1000) return 'just now';
    return at > now ? `in ${durationText(at - now)}` : `${durationText(now - at)} ago`;
  };
  return {
    relative,
    text: (at) => `${(Math.abs(at - now) > yearMs ? far : format).format(at).replaceAll(',', '')} (${relative(at)})`,
    parse: (text, what) => {
      if (/^[0-9.]+(ms|s|m|h|d)$/.test(text)) return now + parseDuration(text, what);
      const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text) : Number.NaN;
      if (Number.isNaN(at)) throw new ControlError('CONFIG_INVALID', `${what}: '${text}' is neither a duration such as 4h nor a time such as 2026-12-24T18:00`);
      return at;
    },
  };
}

function formatOf(options: Intl.DateTimeFormatOptions, zone: { readonly timeZone?: string }): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, ...zone });
  } catch {
    // A zone that is not known here is the system's matter: its own default stands.
    return new Intl.DateTimeFormat('en-GB', options);
  }
}
