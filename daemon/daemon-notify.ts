// What systemd is told of this daemon: that it is ready, that it stops, and now and then that it lives. Node has no sockets of the kind on which systemd
// listens; its own program for this is on every machine that has it. Whether and where systemd listens comes in as its variables.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

const run = promisify(execFile);
/** As long as systemd-notify itself waits until systemd has read what it said. */
const tellMs = 5_000;
/** Of the time that systemd gives; two may be lost. */
const pulsesOfSpan = 3;

/** Who started the daemon. */
export interface ServiceManager extends Disposable {
  /** Once it takes part; from then on systemd wants to hear that it lives. Never rejects, as with `stopping`: a failure is logged. */
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

export interface ServiceManagerDeps {
  /** Of the process: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Resolves when the daemon does what it is there for; while it rejects or waits, systemd is told nothing, and starts the daemon anew at last. */
  readonly lives: () => Promise<void>;
}

/** Does nothing where systemd does not listen. */
export function createServiceManager({ environment, pid, clock, log, lives }: ServiceManagerDeps): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: span, WATCHDOG_PID: watched, PATH: path } = environment;
  const over = new AbortController();
  const tell = async (...what: readonly string[]): Promise<void> => {
    if (socket === undefined) return;
    try {
      await run('systemd-notify', what, { env: { NOTIFY_SOCKET: socket, PATH: path ?? '/usr/bin:/bin' }, timeout: tellMs });
    } catch (cause) {
      log.error({ err: cause, what }, 'systemd could not be told: it ends a daemon from which it does not hear; is systemd-notify installed, and NotifyAccess=all in the unit?');
    }
  };
  const pulse = async (everyMs: number): Promise<void> => {
    while (!over.signal.aborted) {
      try {
        await clock.wait(everyMs, { signal: over.signal });
        await lives();
        await tell('WATCHDOG=1');
      } catch (cause) {
        if (!over.signal.aborted) log.error({ err: cause }, 'the daemon does not do its work; systemd starts it anew when that stays so');
      }
    }
  };
  const spanMs = socket === undefined || (watched !== undefined && Number(watched) !== pid) ? 0 : Number(span ?? 0) / 1000;
  return {
    async ready() {
      await tell('--ready');
      if (spanMs > 0) void pulse(spanMs / pulsesOfSpan);
    },
    async stopping() {
      over.abort();
      await tell('STOPPING=1');
    },
    [Symbol.dispose]: () => over.abort(),
  };
}
