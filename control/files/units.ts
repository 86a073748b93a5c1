// Quantities as files write them, and back: durations, shares, days of the week, labels. Reading answers undefined for what is
// none; writing gives what reads as the same.

import type { Labels } from '../../proto/events.ts';
import type { Weekday } from '../../proto/window.ts';

const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const weekdays: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** A duration; so many digits that it is a whole number of milliseconds that a number can hold. */
export const durationPattern = '([0-9]{1,15}ms|[0-9]{1,9}(s|m|h)|[0-9]{1,6}d)';
const durationExpression = new RegExp(`^${durationPattern}$`);

/** Milliseconds of `30s`, `10m`, `2h`, `7d`, `250ms`; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  if (!durationExpression.test(text)) return undefined;
  const [, unitMs] = Object.entries(unitsMs).find(([name]) => name === text.replace(/^[0-9]+/, '')) ?? ['', 0];
  return Number.parseInt(text, 10) * unitMs;
}

/** The shortest text with one unit: `90s`, `2h`. */
export function durationText(ms: number): string {
  const [unit, factor] = Object.entries(unitsMs).find(([name, each]) => ms % each === 0 && (ms > 0 || name === 's')) ?? ['ms', 1];
  return `${ms / factor}${unit}`;
}

/** The number of `"5%"` or `5`. */
export function percentOf(value: number | string): number {
  return typeof value === 'number' ? value : Number(value.replace('%', ''));
}

/** The share that `"25%"` or `3` says. */
export function shareOf(value: number | string): number | `${number}%` {
  return typeof value === 'number' ? value : `${percentOf(value)}%`;
}

/** The days of `mon-fri`, `sat`, `mon,wed`, `fri-mon`; the words that are none are in `wrong`. In the order of the week. */
export function daysOf(written: string | readonly string[]): { readonly days: readonly Weekday[]; readonly wrong: readonly string[] } {
  const words = (typeof written === 'string' ? written.split(',') : written).map((word) => word.trim().toLowerCase());
  const days = new Set<Weekday>();
  const wrong: string[] = [];
  for (const word of words) {
    const [from = '', to = from, ...more] = word.split('-');
    const [first, last] = [weekdays.findIndex((day) => day === from), weekdays.findIndex((day) => day === to)];
    if (first < 0 || last < 0 || more.length > 0) wrong.push(word);
    else for (let step = 0; step <= (last - first + 7) % 7; step += 1) days.add(weekdays[(first + step) % 7] ?? 'mon');
  }
  return { days: weekdays.filter((day) => days.has(day)), wrong };
}

/** `mon-thu`, `sat`, `mon,wed,fri`: runs of three and more as ranges. */
export function daysText(days: readonly Weekday[]): string {
  const runs: Weekday[][] = [];
  for (const day of weekdays.filter((one) => days.includes(one))) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run !== undefined && before !== undefined && weekdays.indexOf(before) === weekdays.indexOf(day) - 1) run.push(day);
    else runs.push([day]);
  }
  return runs.map((run) => (run.length > 2 ? `${run[0]}-${run.at(-1)}` : run.join(','))).join(',');
}

/** The pairs of `env=prod,region=na`; the parts that are none are in `wrong`. */
export function labelsOf(written: string | Readonly<Record<string, string>>): { readonly labels: Labels; readonly wrong: readonly string[] } {
  if (typeof written !== 'string') return { labels: { ...written }, wrong: [] };
  const pairs = written.split(',').map((pair) => /^\s*([a-z0-9./-]{1,64})\s*=\s*([^=\s]{0,64})\s*$/.exec(pair) ?? pair);
  const good = pairs.flatMap((pair) => (typeof pair === 'string' ? [] : [[pair[1] ?? '', pair[2] ?? ''] as const]));
  const twice = good.map(([key]) => key).filter((key, index, all) => all.indexOf(key) !== index);
  return { labels: Object.fromEntries(good), wrong: [...pairs.filter((pair) => typeof pair === 'string'), ...twice] };
}

/** `env=prod,region=na` where that reads as the same, else the mapping itself. */
export function labelsText(labels: Labels): string | Labels {
  const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',');
  const same = labelsOf(text);
  const keys = Object.keys(labels);
  return keys.length > 0 && same.wrong.length === 0 && keys.every((key) => same.labels[key] === labels[key]) ? text : labels;
}
