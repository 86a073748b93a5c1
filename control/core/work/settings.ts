// What a step is to do, read from the strings of its `with`: durations, counts, conditions. Read once when a pipeline is saved,
// for what is wrong with it, and again each time that the step is looked at. Who carries it out is next-steps.ts.

import type { StepSpec } from '../../../proto/pipeline.ts';
import { readCondition, type Condition } from './condition.ts';

export interface Query {
  /** Of the server, such as `http://prom:9090`. */
  readonly prometheus: string;
  readonly query: string;
}

/** A step's `with`, understood. */
export type StepSettings =
  /** Absent `run`: something outside carries it out and reports it. */
  | { readonly kind: 'test' | 'command'; readonly run?: string; readonly role: string }
  | {
      readonly kind: 'analysis';
      readonly measure: Query;
      readonly intervalMs: number;
      readonly count: number;
      readonly success?: Condition;
      readonly failure?: Condition;
      /** Failures that are borne. */
      readonly failureLimit: number;
    }
  | { readonly kind: 'bake'; readonly durationMs: number; readonly samples?: { readonly prometheus: string; readonly metric: string; readonly count: number; readonly intervalMs: number } }
  | { readonly kind: 'approval' }
  /** The policies to be met; absent: all of the environment. */
  | { readonly kind: 'compliance'; readonly policy?: string }
  | { readonly kind: 'notify'; readonly to: string; readonly message: string };

export interface ReadStep {
  /** Absent when something is wrong. */
  readonly settings?: StepSettings;
  /** Sentences without the step's name; empty when nothing is wrong. */
  readonly problems: readonly string[];
}

/** How often Prometheus is asked when nobody says: as often as it commonly scrapes. */
const intervalDefaultMs = 60_000;
/** Measurements are kept in the journal: this many of one step at most, and never closer than this. */
const countMax = 1_000;
const intervalMinMs = 100;
const commandLengthMax = 8_192;
/** Attempts after the first that a step may have. */
export const retriesMax = 10;

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s`, `10m`, `2h`, `7d`, `250ms` in milliseconds. */
export function durationOf(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const known = (['ms', 's', 'm', 'h', 'd'] as const).find((one) => one === unit);
  return digits === undefined || known === undefined ? undefined : Number(digits) * unitsMs[known];
}

/** What a step is to do, or what is wrong with it. */
export function readStep(step: StepSpec): ReadStep {
  const reader = new Reader(step.with ?? {});
  const settings = read(step, reader);
  if (!Number.isSafeInteger(step.retries) || step.retries < 0 || step.retries > retriesMax) reader.problems.push(`retries ${step.retries} is not a number from 0 to ${retriesMax}`);
  if (!Number.isSafeInteger(step.timeoutMs) || step.timeoutMs <= 0) reader.problems.push(`timeout ${step.timeoutMs} ms is not a duration`);
  const { problems } = reader;
  return problems.length > 0 || settings === undefined ? { problems } : { settings, problems };
}

function read(step: StepSpec, reader: Reader): StepSettings | undefined {
  switch (step.kind) {
    case 'test':
    case 'command': {
      const run = reader.optional('run', commandLengthMax);
      const role = reader.optional('role', 64) ?? 'tester';
      if (!/^[a-z0-9-]+$/.test(role)) reader.problems.push(`role '${role}' is not a name of lower-case letters, digits and hyphens`);
      return { kind: step.kind, role, ...(run === undefined ? {} : { run }) };
    }
    case 'analysis':
      return readAnalysis(reader);
    case 'bake':
      return readBake(reader);
    case 'approval':
      if (step.approval === undefined) reader.problems.push('an approval says who must approve: name rules');
      return { kind: 'approval' };
    case 'compliance': {
      const policy = reader.optional('policy', 64);
      return { kind: 'compliance', ...(policy === undefined ? {} : { policy }) };
    }
    case 'notify': {
      const message = reader.optional('message', 1_024) ?? `step '${step.step}' was reached`;
      return { kind: 'notify', to: reader.demanded('to', 'the channel to be told'), message };
    }
    default:
      return step.kind satisfies never;
  }
}

function readAnalysis(reader: Reader): StepSettings {
  const measure = { prometheus: reader.url(), query: reader.demanded('query', 'what Prometheus is asked') };
  const [success, failure] = [reader.condition('success'), reader.condition('failure')];
  if (success === undefined && failure === undefined && reader.problems.length === 0) reader.problems.push("an analysis needs a condition: success or failure, such as 'result < 0.01'");
  const intervalMs = reader.interval();
  const [count, failureLimit] = [reader.number('count', 1, 1, countMax), reader.number('failureLimit', 0, 0, countMax)];
  return { kind: 'analysis', measure, intervalMs, count, failureLimit, ...(success === undefined ? {} : { success }), ...(failure === undefined ? {} : { failure }) };
}

function readBake(reader: Reader): StepSettings {
  const durationMs = reader.duration('duration', 0);
  const metric = reader.optional('minSamplesMetric', commandLengthMax);
  const count = reader.number('minSamplesCount', 0, 0, Number.MAX_SAFE_INTEGER);
  if (metric === undefined) {
    if (count > 0) reader.problems.push('minSamplesCount needs minSamplesMetric: the name of the counter, or a whole query');
    if (durationMs === 0) reader.problems.push("a bake needs a duration, such as '2h'");
    return { kind: 'bake', durationMs };
  }
  return { kind: 'bake', durationMs, samples: { prometheus: reader.url(), metric, count: Math.max(1, count), intervalMs: reader.interval() } };
}

class Reader {
  readonly problems: string[] = [];
  readonly #with: Readonly<Record<string, string>>;

  constructor(settings: Readonly<Record<string, string>>) {
    this.#with = settings;
  }

  optional(key: string, lengthMax: number): string | undefined {
    const text = this.#with[key];
    if (text === undefined || text.trim() === '') return undefined;
    if (text.length > lengthMax) this.problems.push(`${key} has ${text.length} characters, at most ${lengthMax} may be`);
    return text;
  }

  demanded(key: string, what: string): string {
    const text = this.optional(key, commandLengthMax);
    if (text === undefined) this.problems.push(`${key} is missing: ${what}`);
    return text ?? '';
  }

  url(): string {
    const text = this.demanded('prometheus', 'the URL of the server, such as http://prom:9090');
    if (text !== '' && !/^https?:\/\/[^\s?#]+$/.test(text)) this.problems.push(`prometheus '${text}' is not a URL such as http://prom:9090`);
    return text.replace(/\/$/, '');
  }

  duration(key: string, otherwise: number): number {
    const text = this.#with[key];
    if (text === undefined) return otherwise;
    const ms = durationOf(text);
    if (ms === undefined) this.problems.push(`${key} '${text}' is not a duration such as 30s, 10m or 2h`);
    return ms ?? otherwise;
  }

  interval(): number {
    const ms = this.duration('interval', intervalDefaultMs);
    if (ms < intervalMinMs) this.problems.push(`interval ${ms} ms is too short; at least ${intervalMinMs} ms`);
    return ms;
  }

  number(key: string, otherwise: number, least: number, most: number): number {
    const text = this.#with[key];
    if (text === undefined) return otherwise;
    const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.problems.push(`${key} '${text}' is not a number from ${least} to ${most}`);
    return otherwise;
  }

  condition(key: string): Condition | undefined {
    const text = this.#with[key];
    if (text === undefined) return undefined;
    const condition = readCondition(text);
    if (condition === undefined) this.problems.push(`${key} '${text}' is not a condition such as 'result < 0.01' or 'result >= 0.05 && result < 1'`);
    return condition;
  }
}
