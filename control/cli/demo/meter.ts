// How far each target is while it fetches, for the bars of the demo: its own counters, read again and again. The control plane hears of it
// only at a target's next sync, which is too seldom to look at.

import type { Deployment } from '../../../proto/api/deployments.ts';
import type { Seen } from '../follow.ts';
import type { World } from '../world.ts';
import type { DemoTarget } from './fleet.ts';
import { between, scrape, type Counted } from './measure.ts';

const everyMs = 300;

export interface Meter extends AsyncDisposable {
  /** The same with what the targets have fetched so far. */
  applied(seen: Seen): Seen;
}

interface MeterOptions {
  readonly targets: readonly DemoTarget[];
  /** Readings of the same targets before it began. */
  readonly before: readonly Counted[];
  /** Bytes of the distinct chunks of the version. */
  readonly totalBytes: number;
}

/** Reads until it is disposed of. */
export function startMeter({ targets, before, totalBytes }: MeterOptions, { clock, signal }: Pick<World, 'clock' | 'signal'>): Meter {
  const stopping = new AbortController();
  const ended = AbortSignal.any([signal, stopping.signal]);
  const have = new Map<string, number>();
  const readings = targets.map(async ({ name, httpUrl }, at) => {
    const start = before[at];
    while (start !== undefined && !ended.aborted) {
      const now = await scrape(httpUrl, ended).catch(() => undefined);
      if (now !== undefined) {
        const { originBytes, peerBytes, reusedBytes } = between(start, now);
        have.set(name, Math.min(totalBytes, originBytes + peerBytes + reusedBytes));
      }
      await clock.wait(everyMs, { signal: ended }).catch(() => undefined);
    }
  });
  const measured = (deployment: Deployment): Deployment => ({
    ...deployment,
    targets: deployment.targets.map((target) => ({ ...target, fetching: { haveBytes: have.get(target.name) ?? 0, totalBytes } })),
  });
  return {
    applied: (seen) => ({ ...seen, deployment: seen.deployment === undefined ? undefined : measured(seen.deployment) }),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all(readings);
    },
  };
}
