// What is said and counted about neighbours that misbehave. That they do is found out in core/schedule/books/peers.ts.

import type { Clock } from '../../clock.ts';
import type { Effect } from '../../core/schedule/state/swarm-events.ts';
import type { Logger } from '../../log.ts';
import type { SwarmMetrics } from '../swarm.ts';

/** Names the member in the log, where its number is not bounded as in a metric's labels. */
export function blame(
  { metrics, clock, log }: { readonly metrics: SwarmMetrics; readonly clock: Clock; readonly log: Logger },
  name: string | undefined,
  effect: Extract<Effect, { kind: 'strike' | 'banned' }>,
): void {
  const { member } = effect;
  if (effect.kind === 'banned') {
    metrics.ban(member);
    log.warn({ member, neighbour: name, minutes: Math.round((effect.until - clock.monotonic()) / 60_000) }, 'a neighbour is banned');
    return;
  }
  metrics.strike(effect.reason);
  if (effect.reason === 'corrupt-chunk') metrics.chunkVerifyFailed(member);
  log.warn({ member, neighbour: name, reason: effect.reason, detail: effect.detail }, 'a neighbour misbehaves');
}
