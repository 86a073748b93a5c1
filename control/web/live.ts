// What keeps the screens up to date: one stream of events, of which only that something happened is used; what there is to see is asked
// for anew. Silence is shown, never hidden: a picture that may be old says since when.

import { signal as value, type ReadonlySignal } from '@preact/signals';
import { createParser } from 'eventsource-parser';
import { after, now, pause } from './browser.ts';

/** How fresh what is shown is. */
export type Freshness = { readonly kind: 'live' } | { readonly kind: 'connecting' } | { readonly kind: 'reconnecting' } | { readonly kind: 'stale'; readonly since: number };

/**
 * Events that come closer than this are one change: a fleet that reports must not make every screen ask a hundred times a second. `slow` is for what
 * asks many things at once, such as the list of all pipelines.
 */
const quietMs = { quick: 800, slow: 5_000 } as const;
/** `asked` is for what is dear to answer, such as a walk through the journal: only what somebody does here has it asked again. */
export type Pace = keyof typeof quietMs | 'asked';
/** The server sends a comment every 15 s; a stream that was silent for longer than two is dead. */
const silentMs = 40_000;
/** What time alone changes, such as a window that opens, is looked at this often. */
const lookMs = 30_000;
const retryMs = { first: 500, last: 10_000 } as const;

export interface Live {
  readonly freshness: ReadonlySignal<Freshness>;
  /** Grows whenever what is shown may have changed. */
  readonly changed: Readonly<Record<Pace, ReadonlySignal<number>>>;
  /** Says that something may have changed: it is looked at in a moment. */
  readonly poke: () => void;
  /** Has everything looked at now, since somebody has just done something and waits to see it. */
  readonly refresh: () => void;
  /** Follows until it is aborted. A page that nobody sees holds no connection: a browser has six for all of its tabs. */
  run(signal: AbortSignal): Promise<void>;
}

export function createLive(token: () => string | undefined): Live {
  const freshness = value<Freshness>({ kind: 'connecting' });
  const changed = { quick: value(0), slow: value(0), asked: value(0) };
  const due = new Set<Pace>();
  let heardAt = now();
  const rouse = (pace: keyof typeof quietMs): void => {
    if (due.has(pace)) return;
    due.add(pace);
    after(quietMs[pace], () => {
      due.delete(pace);
      changed[pace].value += 1;
    });
  };
  const poke = (): void => {
    rouse('quick');
    rouse('slow');
  };
  const refresh = (): void => {
    for (const count of Object.values(changed)) count.value += 1;
  };
  const lost = (): void => {
    // Whoever opened the page a moment ago has seen nothing yet that could be old.
    freshness.value = now() - heardAt > 5_000 ? { kind: 'stale', since: heardAt } : { kind: 'reconnecting' };
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    const silent = new AbortController();
    let watch = after(silentMs, () => silent.abort());
    try {
      const response = await fetch('/v1/events', { headers: { authorization: `Bearer ${token() ?? ''}`, accept: 'text/event-stream' }, signal: AbortSignal.any([signal, silent.signal]), cache: 'no-store', credentials: 'omit' });
      if (!response.ok || response.body === null) return;
      const parser = createParser({ onEvent: poke });
      // Whatever happened before the stream began was not told.
      poke();
      const text = new TextDecoder();
      for await (const bytes of response.body) {
        heardAt = now();
        freshness.value = { kind: 'live' };
        watch();
        watch = after(silentMs, () => silent.abort());
        parser.feed(text.decode(bytes, { stream: true }));
      }
    } catch {
      // Said by the badge, and tried again.
    } finally {
      watch();
    }
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    const look = setLook(signal, poke);
    for (let waitMs: number = retryMs.first; !signal.aborted; waitMs = Math.min(waitMs * 2, retryMs.last)) {
      await seen(signal);
      if (signal.aborted) break;
      const hidden = hiddenSignal();
      await follow(AbortSignal.any([signal, hidden.signal]));
      hidden.dispose();
      if (freshness.value.kind === 'live') waitMs = retryMs.first;
      if (signal.aborted) break;
      lost();
      await pause(waitMs, signal);
    }
    look();
  };
  return { freshness, changed, poke, refresh, run };
}

/** Pokes now and then while somebody looks. */
function setLook(signal: AbortSignal, poke: () => void): () => void {
  let stop = (): void => undefined;
  const again = (): void => {
    if (signal.aborted) return;
    stop = after(lookMs, () => {
      if (document.visibilityState === 'visible') poke();
      again();
    });
  };
  again();
  return () => stop();
}

/** Waits until the page is seen. */
async function seen(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === 'visible') return;
  const done = new AbortController();
  await new Promise<void>((resolve) => {
    const listener = (): void => (document.visibilityState === 'visible' ? resolve() : undefined);
    document.addEventListener('visibilitychange', listener, { signal: AbortSignal.any([signal, done.signal]) });
    signal.addEventListener('abort', () => resolve(), { once: true, signal: done.signal });
  });
  done.abort();
}

/** Aborted when the page is hidden. */
function hiddenSignal(): { readonly signal: AbortSignal; dispose(): void } {
  const hidden = new AbortController();
  const done = new AbortController();
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? hidden.abort() : undefined), { signal: done.signal });
  return { signal: hidden.signal, dispose: () => done.abort() };
}
