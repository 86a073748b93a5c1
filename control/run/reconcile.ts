// The one loop that moves environments: decide, append, perform, and again until nothing comes. It runs when the journal grows,
// when somebody is heard, and when a decision said that time alone will change it. What is decided is control/core/decide.ts.

import type { Event } from '../../proto/events.ts';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decide.ts';
import type { Effect } from '../core/effects.ts';
import type { State } from '../core/model/model.ts';
import type { Observed } from '../core/model/select.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { createLoop, retryAfterMs } from '../loop.ts';
import type { Metrics, words } from '../metrics.ts';
import type { TrustRepository } from '../trust/repository.ts';
import { ordersWanted, publish, rolesToSay, signed } from './perform.ts';
import type { Projection } from './projection.ts';

export interface ReconcileOptions {
  readonly projection: Projection;
  readonly repository: TrustRepository;
  /** What the shell knows beside the journal, now. */
  readonly observed: () => Observed;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Ends the loop. */
  readonly signal: AbortSignal;
  /** Called after each decision that was completed: the sign of life. */
  readonly decided?: () => void;
}

export interface Reconciler {
  /** Asks for a round soon; cheap, and many at once are one. */
  wake(): void;
  /** Decides and performs until nothing comes; says when to come again, in milliseconds since 1970. For the loop, and for tests. */
  settle(): Promise<number>;
  /** The loop: resolves when the signal is aborted. */
  run(): Promise<void>;
}

/** At the latest after this long the loop looks again, whatever was said. */
const checkEveryMs = 60_000;
/** Rounds without rest: each takes one step of each environment, so that more than this is a decision that never comes to rest. */
const roundsMax = 10_000;

/**
 * A decision over ten thousand targets takes milliseconds, and each of their reports asks for one: before the next there is a pause of so many times the last
 * one's, so that deciding leaves most of the thread to those who report. With hundreds of targets there is none.
 */
const pauseTimes = 20;
const pauseMsMin = 32;
const pauseMsMax = 500;

/** The loop, not yet running. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { projection, clock, log, metrics, signal } = options;
  let lastMs = 0;
  const settle = async (): Promise<number> => {
    for (let round = 0; round < roundsMax && !signal.aborted; round += 1) {
      const startedAt = clock.monotonic();
      const { result, state } = await projection.transact('system', (before) => {
        const decidingAt = clock.monotonic();
        const roles = rolesToSay(before, options.repository);
        const decision: Decision = roles.length > 0 ? { events: roles, effects: [] } : decide(before, options.observed());
        lastMs = clock.monotonic() - decidingAt;
        const { events, left } = inBreath(decision, options);
        return { events: [...decision.events, ...events], result: { ...decision, ordered: events.length, left } };
      });
      count(metrics, result);
      metrics.manifestsSigned.inc({ result: 'success' }, result.ordered);
      const failures = await performAll(result.left, state, options);
      metrics.decisionDuration.observe((clock.monotonic() - startedAt) / 1000);
      metrics.decisionLastSuccess.set(clock.now() / 1000);
      options.decided?.();
      if (failures > 0) return clock.now() + retryAfterMs;
      if (result.events.length === 0 && result.effects.length === 0) return result.nextCheckAt ?? Infinity;
    }
    if (!signal.aborted) log.error({ rounds: roundsMax }, 'decisions do not come to rest');
    return clock.now() + retryAfterMs;
  };

  const pause = async (): Promise<void> => {
    const ms = Math.min(lastMs * pauseTimes, pauseMsMax);
    // When the control plane stops, the round that follows ends at once.
    if (ms >= pauseMsMin) await clock.wait(ms, { signal }).catch(() => undefined);
  };
  const once = async (): Promise<number> => {
    await pause();
    return (await settle()) - clock.now();
  };
  const loop = createLoop({ once, failed: 'deciding failed', restMsMax: checkEveryMs, clock, log, signal });
  return {
    wake: loop.wake,
    settle,
    async run() {
      const stop = projection.onChange(loop.wake);
      await loop.run().finally(stop);
    },
  };
}

/**
 * The facts of the first orders of a decision that has nothing to record before them, signed in the breath in which they were decided, since to decide once more
 * before signing would be half of what a roll-out to ten thousand costs; and the effects that are left. Those of other environments are decided over these. When
 * signing fails they are all left, to be tried again by who counts failures.
 */
function inBreath({ events, effects }: Decision, { repository, clock }: ReconcileOptions): { readonly events: readonly Event[]; readonly left: readonly Effect[] } {
  const first = effects.find((effect) => effect.kind === 'sign-orders');
  if (events.length > 0 || first === undefined) return { events: [], left: effects };
  try {
    return { events: signed(first, repository, clock.now()), left: effects.filter((effect) => effect !== first) };
  } catch {
    return { events: [], left: effects };
  }
}

/** Performs each effect and appends its fact; one that fails holds up no other. Says how many failed. */
async function performAll(effects: readonly Effect[], state: State, options: ReconcileOptions): Promise<number> {
  const { projection, repository, log, metrics } = options;
  let failures = 0;
  for (const effect of effects) {
    try {
      if (effect.kind === 'sign-orders') await issue(effect.environment, options);
      else {
        await publish(effect, state, repository);
        await projection.transact('system', (now) => ({ events: rolesToSay(now, repository), result: undefined }));
      }
      metrics.manifestsSigned.inc({ result: 'success' });
    } catch (error) {
      failures += 1;
      metrics.manifestsSigned.inc({ result: 'failure' });
      log.error({ err: error, effect: effect.kind, environment: effect.environment }, 'an effect failed; it is tried again');
    }
  }
  return failures;
}

/** Signs the orders that the environment is to have in the breath in which they are appended, if it is still to have any. */
async function issue(environment: string, { projection, repository, clock, observed }: ReconcileOptions): Promise<void> {
  await projection.transact('system', (now) => {
    const wanted = ordersWanted(now, observed(), environment);
    return { events: wanted === undefined ? [] : signed(wanted, repository, clock.now()), result: undefined };
  });
}

function count(metrics: Metrics, decision: Decision): void {
  for (const event of decision.events) {
    const name = decisionNames[event.kind];
    if (name !== undefined) metrics.decisions.inc({ decision: name });
  }
  if (decision.events.length === 0 && decision.effects.length === 0) metrics.decisions.inc({ decision: 'none' });
}

/** What decided facts are called in `decisions_total`; the others are details of these. */
const decisionNames: Partial<Record<Event['kind'], (typeof words.decision)[number]>> = {
  'deployment.started': 'start',
  'batch.started': 'batch',
  'deployment.rolling-back': 'rollback',
  'deployment.finished': 'finish',
  'target.lost': 'lost',
};
