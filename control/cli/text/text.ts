// How quantities are written for people, and read from them: bytes, durations, ages, shares. Numbers only; colours are terminal.ts.

import { ControlError } from '../../errors.ts';

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1.2 MB`; decimal units, three digits at most. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(value >= 9.995 ? 1 : 2)} ${byteUnits[unit] ?? ''}`;
}

/** `0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** A clock that is ahead, or behind where that is below zero: `5 min 0 s ahead`. */
export function aheadText(aheadMs: number): string {
  return `${durationText(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead'}`;
}

/** `99.4 %` of `whole`; `-` when there is nothing to share. */
export function shareText(part: number, whole: number): string {
  return whole <= 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** `1 target`, `5 targets`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of `90s`, `30m`, `24h`, `7d`.
 * @throws {ControlError} CONFIG_INVALID; `what` is how the message calls it.
 */
export function parseDuration(text: string, what: string): number {
  const [, number = '', unit = ''] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = unitMs[unit];
  if (factor === undefined) throw new ControlError('CONFIG_INVALID', `${what}: '${text}' is not a duration; expected a number with ms, s, m, h or d, such as 30m`);
  return Math.round(Number(number) * factor);
}

/**
 * The pairs of `site=berlin,tier=web`.
 * @throws {ControlError} CONFIG_INVALID
 */
export function parseLabels(text: string, what: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').map((pair) => {
      const [, key = '', value = ''] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
      if (key === '') throw new ControlError('CONFIG_INVALID', `${what}: '${pair}' is not of the form key=value; several are separated by commas`);
      return [key, value];
    }),
  );
}

/** `site=berlin,tier=web`; `-` for none. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',') || '-';
}
