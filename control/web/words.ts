// What things are called on the screen: times, sets, states. Pure; whoever knows the time passes it in.

import type { Graph } from '../../proto/api/pipelines.ts';
import type { Blocker } from '../../proto/api/schema.ts';

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** A duration in its two largest units: `3 h 12 min`. */
export function spanText(ms: number): string {
  if (ms < 1_000) return 'a moment';
  const largest = units.findIndex(([, size]) => ms >= size);
  const [[unit, size], smaller] = [units[largest] ?? units[3], units[largest + 1]];
  const whole = Math.floor(ms / size);
  const rest = smaller === undefined ? 0 : Math.floor((ms % size) / smaller[1]);
  return smaller === undefined || rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller[0]}`;
}

/** How long something took that was measured: `930 ms`, `4.0 s`, `3 min 12 s`. */
export function tookText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : spanText(ms);
}

/** How long ago, roughly: `3 h ago`. */
export function agoText(at: number, now: number): string {
  const ms = now - at;
  if (ms < 10_000) return 'just now';
  const [unit, size] = units.find(([, each]) => ms >= each) ?? units[3];
  return `${Math.floor(ms / size)} ${unit} ago`;
}

/** A time of day here, with the day where it is not today: `16:00`, `Sat 16:00`, `24 Dec 16:00`. */
export function timeText(at: number, now: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const part = (options: Intl.DateTimeFormatOptions): string => new Intl.DateTimeFormat('en-GB', { ...options, ...zone }).format(at);
  const clock = part({ hour: '2-digit', minute: '2-digit' });
  const day = (time: number): string => new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', ...zone }).format(time);
  if (day(at) === day(now)) return clock;
  const near = Math.abs(at - now) < 6 * 86_400_000;
  return `${part(near ? { weekday: 'short' } : { day: 'numeric', month: 'short', ...(Math.abs(at - now) > 300 * 86_400_000 ? { year: 'numeric' } : {}) })} ${clock}`;
}

/** When something ends, and how long that is: `at 16:00, in 2 h 3 min`. */
export function untilText(at: number, now: number): string {
  return at <= now ? 'any moment' : `${timeText(at, now)}, in ${spanText(at - now)}`;
}

type Reference = Graph['apps'][number]['latest'] & {};

/** `web@41 + api@7`; a revision that is gone from the record by the beginning of its digest. */
export function setText(members: readonly { readonly app: string; readonly number?: number; readonly revision: string }[]): string {
  return members.length === 0 ? 'nothing' : members.map(memberText).join(' + ');
}

function memberText({ app, number, revision }: Pick<Reference, 'app' | 'revision'> & { readonly number?: number }): string {
  return `${app}@${number ?? revision.slice(0, 12)}`;
}

/** Types of blockers in words that fit on a mark. What they mean in full is the blocker's reason. */
const blockerNames: Readonly<Record<string, string>> = {
  'pipeline-disabled': 'pipeline off',
  'edge-disabled': 'promotion off',
  'automation-off': 'automation off',
  veto: 'vetoed',
  pin: 'pinned',
  hold: 'on hold',
  'same-set': 'runs already',
  downgrade: 'would go back',
  after: 'after others',
  soak: 'soaking',
  window: 'window closed',
  freeze: 'frozen',
  lock: 'locked',
  'active-deployment': 'deploying',
  'no-targets': 'no targets',
  'targets-offline': 'targets offline',
  'min-healthy': 'too few healthy',
  'node-requirement': 'platform',
  coverage: 'copying',
  workflow: 'tests run',
  approval: 'needs approval',
  compliance: 'compliance',
  'no-compatible-revision': 'nothing fits',
  'needs-decision': 'needs a decision',
};

/** A blocker's type for people; a type that this page does not know yet by its own name. */
export function blockerName({ type }: Pick<Blocker, 'type'>): string {
  return blockerNames[type] ?? type.replaceAll('-', ' ');
}

/** Who can end something, by a name, a group, or what a token must allow: `group qa`, `whoever may promote to prod`. */
export function actorText(actor: string): string {
  const [, group] = /^group:(.+)$/.exec(actor) ?? [];
  if (group !== undefined) return group === '*' ? 'anybody who may approve' : `group ${group}`;
  const [, verb, of, name] = /^(\w+):(?:(env|app)\/)?(.+)$/.exec(actor) ?? [];
  if (verb === undefined || name === undefined) return actor;
  if (verb === 'admin') return 'an administrator';
  return name === '*' ? `whoever may ${verb}` : `whoever may ${verb} ${of === 'app' ? name : `to ${name}`}`;
}

/** Bytes in powers of a thousand, with three digits at most: `12.3 MB`. */
export function bytesText(bytes: number): string {
  const steps = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
  const step = bytes < 1 ? 0 : Math.min(steps.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${steps[step]}`;
}

/** How many, with the word that fits: `1 seed`, `12 agents`. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** One word of a command for a shell: as it is where that is safe, else in quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command of `starling` to copy. Parts that are undefined are left out with the flag before them. */
export function commandText(words: readonly (string | readonly [flag: string, value: string | undefined])[]): string {
  const parts = words.flatMap((word) => (typeof word === 'string' ? [shellWord(word)] : word[1] === undefined || word[1] === '' ? [] : [word[0], shellWord(word[1])]));
  return ['starling', ...parts].join(' ');
}
