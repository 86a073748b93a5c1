// Points in time as people give them to a command: so long ago, or an instant.

import { ControlError } from '../errors.ts';
import { parseDuration } from './text/text.ts';

/**
 * Milliseconds since 1970 of `36h` (ago) or of `2026-06-01T12:00Z`.
 * @throws {ControlError} CONFIG_INVALID; `what` is how the message calls it.
 */
export function parseSince(text: string, what: string, now: number): number {
  if (/^[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d)$/.test(text)) return Math.max(0, now - parseDuration(text, what));
  return parseInstant(text, what);
}

/**
 * Milliseconds since 1970 of `2026-06-01T12:00Z`; the zone must be there, since two people read the same line.
 * @throws {ControlError} CONFIG_INVALID
 */
export function parseInstant(text: string, what: string): number {
  const zoned = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})$/.test(text);
  const at = zoned ? Date.parse(text) : Number.NaN;
  if (!Number.isFinite(at) || at < 0) throw new ControlError('CONFIG_INVALID', `${what}: '${text}' is neither a duration such as 36h nor an instant such as 2026-06-01T12:00Z`);
  return at;
}
