// The `rates` of agent.yaml: how they are written, and what they mean in bytes a second. How they are kept is core/rate.ts.

import Type, { type Static } from 'typebox';
import type { Rates } from '../proto/fleet.ts';
import type { HourCaps, RateProfile } from './core/rate.ts';

const strict = { additionalProperties: false } as const;
const hoursMax = 24;
/** 128 kbit/s: with less, every request overstays. Bytes a second. */
const limitMin = 16_000;
const unitBytes: Readonly<Record<string, number>> = {
  bit: 1 / 8, kbit: 1e3 / 8, Mbit: 1e6 / 8, Gbit: 1e9 / 8, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30,
};
const rateForm = "a rate with its unit, such as '40 Mbit/s' or '5 MB/s'";

const isLimit = (text: string): boolean => (bytesPerSecond(text) ?? 0) >= limitMin;
const Limit = Type.Refine(Type.String(), isLimit, () => `must be ${rateForm}, of 128 kbit/s at least: below, every request would overstay`);
const HourLimit = Type.Refine(Type.String(), (text) => text === 'unlimited' || isLimit(text), () => `must be ${rateForm}, of 128 kbit/s at least, or 'unlimited'`);
const isBackground = (text: string): boolean => text === 'none' || isLimit(text);
const Background = Type.Refine(Type.String(), isBackground, () => `must be ${rateForm}, of 128 kbit/s at least, or 'none'`);
const HourBackground = Type.Refine(Type.String(), (text) => text === 'unlimited' || isBackground(text), () => `must be ${rateForm}, of 128 kbit/s at least, 'none' or 'unlimited'`);
const TimeOfDay = Type.Refine(Type.String(), (text) => minuteOf(text) !== undefined, () => "must be a local time of day such as '08:30', in quotes");

/** Up to 24 spans of the day; the first that holds counts. */
const hours = <Shape extends Record<string, ReturnType<typeof Type.Optional>>>(shape: Shape) =>
  Type.Optional(Type.Array(Type.Object({ from: TimeOfDay, to: TimeOfDay, ...shape }, strict), { maxItems: hoursMax }));

/** The schema of `rates`. The sender of a chunk cannot know how urgent it is to the one who asks: only receiving has a background class. */
export const RatesConfigSchema = Type.Object(
  {
    send: Type.Optional(Type.Object({ limit: Type.Optional(Limit), hours: hours({ limit: Type.Optional(HourLimit) }) }, strict)),
    receive: Type.Optional(
      Type.Object(
        { limit: Type.Optional(Limit), background: Type.Optional(Background), hours: hours({ limit: Type.Optional(HourLimit), background: Type.Optional(HourBackground) }) },
        strict,
      ),
    ),
    /** What the line carries: changes nothing here, but lets the control plane say how close to the possible a deployment was. */
    link: Type.Optional(Type.Object({ send: Type.Optional(Limit), receive: Type.Optional(Limit) }, strict)),
  },
  strict,
);

/** Caps of both directions, and the link's speed as the operator says. */
export interface RatesConfig {
  readonly send: RateProfile;
  readonly receive: RateProfile;
  readonly link: Rates;
}

/** @returns what was written, in bytes a second; unlimited where nothing was. */
export function ratesOf(written: Static<typeof RatesConfigSchema> | undefined): RatesConfig {
  return {
    send: profileOf(written?.send ?? {}),
    receive: profileOf(written?.receive ?? {}),
    link: {
      ...(written?.link?.send === undefined ? {} : { send: Math.round(bytesPerSecond(written.link.send) ?? 0) }),
      ...(written?.link?.receive === undefined ? {} : { receive: Math.round(bytesPerSecond(written.link.receive) ?? 0) }),
    },
  };
}

interface WrittenCaps {
  readonly limit?: string | undefined;
  readonly background?: string | undefined;
}

function profileOf({ hours: spans = [], ...day }: WrittenCaps & { readonly hours?: readonly (WrittenCaps & { readonly from: string; readonly to: string })[] | undefined }): RateProfile {
  const limit = capOf(day.limit);
  const background = capOf(day.background);
  return {
    ...(typeof limit === 'number' ? { limit } : {}),
    ...(typeof background === 'number' ? { background } : {}),
    hours: spans.map(({ from, to, ...caps }): HourCaps => {
      const hourLimit = capOf(caps.limit);
      const hourBackground = capOf(caps.background);
      return {
        fromMinute: minuteOf(from) ?? 0,
        toMinute: minuteOf(to) ?? 0,
        ...(hourLimit === undefined ? {} : { limit: hourLimit }),
        ...(hourBackground === undefined ? {} : { background: hourBackground }),
      };
    }),
  };
}

function capOf(text: string | undefined): number | 'unlimited' | undefined {
  if (text === undefined || text === 'unlimited') return text;
  return text === 'none' ? 0 : bytesPerSecond(text);
}

function bytesPerSecond(text: string): number | undefined {
  const [, number = '', unit = ''] = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)\/s$/.exec(text) ?? [];
  const factor = unitBytes[unit];
  return factor === undefined ? undefined : Number(number) * factor;
}

function minuteOf(text: string): number | undefined {
  const [, hour = '', minute = ''] = /^([01][0-9]|2[0-4]):([0-5][0-9])$/.exec(text) ?? [];
  if (hour === '' || (hour === '24' && minute !== '00')) return undefined;
  return (Number(hour) * 60 + Number(minute)) % (24 * 60);
}
