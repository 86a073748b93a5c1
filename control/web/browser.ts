// The browser as values: its clock, its timers, its chance, what it keeps, and files that it writes. The only home of these here, as control/clock.ts and
// control/random.ts are for the program.

/** Milliseconds since 1970, as this machine believes. */
export function now(): number {
  return Date.now();
}

/** Runs `task` once after `ms`; returns how to call it off. */
export function after(ms: number, task: () => void): () => void {
  // Longer waits than a timer can hold would fire at once.
  const timer = setTimeout(task, Math.min(ms, 2 ** 31 - 1));
  return () => clearTimeout(timer);
}

/** Ends early when it is aborted; never throws. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const stop = after(ms, resolve);
    signal.addEventListener('abort', () => (stop(), resolve()), { once: true });
  });
}

/** Calls `act` for each stroke that is `wanted`, instead of what the browser makes of it, wherever the focus is; returns how to call it off. */
export function onKey(wanted: (event: KeyboardEvent) => boolean, act: () => void): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (!wanted(event)) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', listener);
  return () => document.removeEventListener('keydown', listener);
}

const keyBytes = 16;

/** A new Idempotency-Key. `crypto.randomUUID` is missing where a page came without TLS; this is not. */
export function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(keyBytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Something kept under a name: `session` until the tab closes, `device` until it is taken away. A browser that keeps nothing is borne. */
export function kept(where: 'session' | 'device', name: string): { get(): string | undefined; set(value: string | undefined): void } {
  const storage = (): Storage => (where === 'session' ? sessionStorage : localStorage);
  return {
    get: () => {
      try {
        return storage().getItem(name) ?? undefined;
      } catch {
        return undefined;
      }
    },
    set: (value) => {
      try {
        if (value === undefined) storage().removeItem(name);
        else storage().setItem(name, value);
      } catch {
        // It is remembered by the page itself for as long as it is open.
      }
    },
  };
}

/** Gives the reader a file with these texts in it, one after another. */
export function save(name: string, texts: readonly string[]): void {
  const address = URL.createObjectURL(new Blob([...texts], { type: 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // A browser may ask the reader where to put it before it begins to read.
  after(60_000, () => URL.revokeObjectURL(address));
}
