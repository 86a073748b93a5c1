// The caps of the configuration at work: a gate for each direction that has one, by local time, and what they amount to for the control plane.

import type { Rates } from '../proto/fleet.ts';
import type { Clock } from './clock.ts';
import type { RatesConfig } from './config-rates.ts';
import { createRateGate, type Direction, type RateGate, type RateProfile } from './core/rate.ts';
import type { DaemonMetrics } from './metrics.ts';
import type { SwarmRates } from './swarm/swarm.ts';

export function openRates(config: RatesConfig, { clock, metrics }: { readonly clock: Clock; readonly metrics: Pick<DaemonMetrics, 'bandwidthLimit' | 'throttledSeconds'> }): SwarmRates {
  const gate = (profile: RateProfile): RateGate | undefined =>
    profile.limit === undefined && profile.background === undefined && profile.hours.length === 0 ? undefined : createRateGate(profile, () => minuteOfDay(clock.now()));
  const gates = { send: gate(config.send), receive: gate(config.receive) };
  const declared = (direction: Direction): { readonly [K in Direction]?: number } => {
    const limit = gates[direction]?.caps(clock.monotonic()).limit;
    if (limit === undefined) metrics.bandwidthLimit.remove({ direction });
    else metrics.bandwidthLimit.set({ direction }, limit);
    const rate = Math.min(limit ?? Infinity, config.link[direction] ?? Infinity);
    return rate === Infinity ? {} : { [direction]: Math.round(rate) };
  };
  return {
    ...(gates.send === undefined ? {} : { send: gates.send }),
    ...(gates.receive === undefined ? {} : { receive: gates.receive }),
    declared: (): Rates => ({ ...declared('send'), ...declared('receive') }),
    throttled: (direction, ms) => metrics.throttledSeconds.inc({ direction }, ms / 1000),
  };
}

/** By the machine's time zone, which is where its hours are meant. */
function minuteOfDay(now: number): number {
  const local = new Date(now);
  return local.getHours() * 60 + local.getMinutes();
}
