// The loop that watches deployments: it asks for what core wants watched, each as often as it says, and tells what is new. What that
// means is control/core/rollout/watch.ts. It remembers nothing that counts: after a restart everything is asked again.

import type { Command } from '../core/commands/command.ts';
import type { State } from '../core/model/model.ts';
import { readingOf, watchesOf, type Question, type Watch } from '../core/rollout/watch.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { createLoop } from '../loop.ts';
import type { AskAlerts } from './alerts.ts';
import type { Submit } from './conductor.ts';
import type { Ask } from './prometheus.ts';

export interface GuardOptions {
  readonly state: () => State;
  readonly onChange: (listener: () => void) => () => void;
  readonly submit: Submit;
  readonly ask: Ask;
  readonly alerts: AskAlerts;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the loop. */
  readonly signal: AbortSignal;
}

/** At the latest after this long it looks again, whatever was said. */
const checkEveryMs = 60_000;
/** Questions under way at once; others wait for the next round. */
const askingMax = 16;
/** Questions without an answer, one after another, after which it is told that there is none (as of analysis steps). */
const consecutiveErrorsMax = 4;

interface Asked {
  /** Monotonic. */
  readonly at: number;
  readonly errors: number;
}

/** Resolves when the signal is aborted, and every question has ended. */
export async function guard(options: GuardOptions): Promise<void> {
  const { clock, log, signal, state } = options;
  // By deployment and measure: those that are wanted now, no others.
  let asked = new Map<string, Asked>();
  const asking = new Map<string, Promise<void>>();

  const askDue = (): number => {
    const now = clock.now();
    const { watches, nextCheckAt = Infinity } = watchesOf(state(), now);
    asked = new Map(watches.flatMap((watch) => entryOf(asked, watch)));
    let waitMs = nextCheckAt - now;
    for (const watch of watches) {
      const key = keyOf(watch);
      const before = asked.get(key);
      const dueMs = before === undefined ? 0 : before.at + watch.intervalMs - clock.monotonic();
      if (dueMs > 0) waitMs = Math.min(waitMs, dueMs);
      if (dueMs > 0 || asking.has(key) || asking.size >= askingMax) continue;
      asking.set(key, look(watch, before, options).then((after) => {
        asking.delete(key);
        asked.set(key, after);
        loop.wake();
      }));
    }
    return waitMs;
  };

  const loop = createLoop({ once: async () => await Promise.resolve().then(askDue), failed: 'watching deployments failed', restMsMax: checkEveryMs, clock, log, signal });
  const stop = options.onChange(loop.wake);
  try {
    await loop.run();
  } finally {
    stop();
    await Promise.all(asking.values());
  }
}

function keyOf({ deployment, measure }: Watch): string {
  return `${deployment} ${measure}`;
}

function entryOf(asked: ReadonlyMap<string, Asked>, watch: Watch): readonly (readonly [string, Asked])[] {
  const known = asked.get(keyOf(watch));
  return known === undefined ? [] : [[keyOf(watch), known]];
}

/** Asks once, and tells what came of it. Never throws. */
async function look(watch: Watch, before: Asked | undefined, options: GuardOptions): Promise<Asked> {
  const { state, submit, clock, log, signal } = options;
  const at = clock.monotonic();
  const { deployment, measure } = watch;
  const about = { kind: 'measure-deployment', deployment, measure } as const;
  const errors = (before?.errors ?? 0) + 1;
  try {
    const answer = await answerTo(watch.question, options);
    let command: Command | undefined;
    if (answer.kind === 'none') command = errors < consecutiveErrorsMax ? undefined : { ...about, verdict: 'error', detail: answer.detail };
    else {
      const known = state().deployments.get(deployment);
      const verdict = known === undefined ? undefined : readingOf(known, measure, answer.result);
      command = verdict === undefined ? undefined : { ...about, verdict, value: String(answer.result) };
    }
    if (command !== undefined) await submit('system', command);
    return { at, errors: answer.kind === 'none' ? errors : 0 };
  } catch (error) {
    // Nobody waits for it, so nobody else would hear of this. It is asked again when its time has come.
    if (!signal.aborted) log.error({ err: error }, 'what a deployment is watched by could not be recorded');
    return { at, errors: before?.errors ?? 0 };
  }
}

async function answerTo(question: Question, { ask, alerts, signal }: GuardOptions): Promise<{ readonly kind: 'number'; readonly result: number } | { readonly kind: 'none'; readonly detail: string }> {
  try {
    return { kind: 'number', result: question.kind === 'query' ? await ask(question, { signal }) : await alerts(question.url, { signal }) };
  } catch (error) {
    return { kind: 'none', detail: error instanceof Error ? error.message : String(error) };
  }
}
