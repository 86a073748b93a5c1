// Keeps the connections that the roster's graph asks for: one loop that dials who is missing, at growing and jittered intervals.
// Who that is comes from core/roster/neighbours.ts; what a connection is from network.ts.

import type { Clock } from '../../clock.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Network } from '../network.ts';
import type { SwarmMetrics } from '../swarm.ts';

/** A member to be connected to. */
export interface Target {
  readonly member: string;
  /** Whether we dial at once; otherwise the other side does, and we only if it has not after {@link patienceMs}. */
  readonly first: boolean;
}

export interface Dialler {
  /** Replaces the members to be connected to. */
  setTargets(targets: readonly Target[]): void;
  /** A neighbour came, or left. */
  connected(member: string): void;
  lost(member: string): void;
  close(): void;
}

export interface DiallerDeps {
  readonly network: Pick<Network, 'dial'>;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly metrics: Pick<SwarmMetrics, 'dial'>;
  readonly log: Logger;
}

/** Long enough for the other side's first attempts, short enough for one that cannot reach us. */
const patienceMs = 2_000;
/** A lost neighbour may be back in a moment; the jitter keeps a whole fleet from coming back in the same one. */
const backoffMinMs = 250;
/** A healed partition is whole again within two of these. */
const backoffMaxMs = 20_000;
/** At about 5 ms of processor time for each handshake on both sides. */
const dialsMax = 8;

interface Entry {
  readonly target: Target;
  attempts: number;
  dueAt: number;
  state: 'waiting' | 'dialling' | 'connected';
}

export function createDialler(deps: DiallerDeps): Dialler {
  const { network, clock, random, metrics, log } = deps;
  const entries = new Map<string, Entry>();
  const stop = new AbortController();
  let wake = new AbortController();
  const notify = (): void => wake.abort();

  const dial = async (entry: Entry): Promise<void> => {
    entry.state = 'dialling';
    const { member } = entry.target;
    try {
      await network.dial(member, { signal: stop.signal });
      metrics.dial('ok');
    } catch (error) {
      if (stop.signal.aborted) return;
      const refused = error instanceof DaemonError && error.code === 'PEER_REFUSED';
      metrics.dial(refused ? 'refused' : 'failed');
      log.debug({ member, error: error instanceof Error ? error.message : String(error) }, 'a dial failed');
      if (entry.state === 'dialling') postpone(deps, entry);
    }
    notify();
  };
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      wake = new AbortController();
      const now = clock.monotonic();
      let busy = [...entries.values()].filter(({ state }) => state === 'dialling').length;
      let next = Number.POSITIVE_INFINITY;
      for (const entry of entries.values()) {
        if (entry.state !== 'waiting') continue;
        if (entry.dueAt > now) next = Math.min(next, entry.dueAt);
        else if (busy < dialsMax) {
          busy += 1;
          void dial(entry);
        }
      }
      await pause(clock, next - now, AbortSignal.any([stop.signal, wake.signal]));
    }
  };
  void loop();

  return {
    setTargets(targets) {
      const wanted = new Set(targets.map(({ member }) => member));
      for (const member of entries.keys()) if (!wanted.has(member)) entries.delete(member);
      for (const target of targets) {
        if (entries.has(target.member)) continue;
        const dueAt = clock.monotonic() + (target.first ? 0 : patienceMs * (1 + random()));
        entries.set(target.member, { target, attempts: 0, dueAt, state: 'waiting' });
      }
      notify();
    },
    connected(member) {
      const entry = entries.get(member);
      if (entry === undefined) return;
      entry.state = 'connected';
      entry.attempts = 0;
    },
    lost(member) {
      const entry = entries.get(member);
      if (entry === undefined || entry.state === 'waiting') return;
      postpone(deps, entry);
      notify();
    },
    close() {
      stop.abort();
    },
  };
}

/** When to try again: later each time. */
function postpone({ clock, random }: DiallerDeps, entry: Entry): void {
  const most = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(entry.attempts, 10));
  entry.attempts += 1;
  entry.state = 'waiting';
  // Full jitter, but for a floor that keeps a refusal from being repeated at once.
  entry.dueAt = clock.monotonic() + most * (0.2 + 0.8 * random()) + (entry.target.first ? 0 : patienceMs);
}

/** An hour when nothing is due: the next event wakes the loop. */
const idleMs = 60 * 60_000;

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await clock.wait(Math.min(Math.max(0, ms), idleMs), { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
