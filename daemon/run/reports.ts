// Sends what the installer has journalled to the control plane, in order, until it is acknowledged. A report is never lost to a
// crash or an absence: it stays in the installer's journal until the control plane has recorded it.

import type { Report } from '../../proto/fleet.ts';
import { limits } from '../../proto/limits.ts';
import type { Clock } from '../clock.ts';
import type { Installer } from '../install/installer.ts';
import type { Link } from '../link/link.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';

const retry = { firstMs: 200, longestMs: 10_000 } as const;

/** What the sender needs. */
export interface ReporterDeps {
  readonly installer: Pick<Installer, 'pendingReports' | 'acknowledged'>;
  readonly link: Pick<Link, 'report'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
}

/**
 * Reports that ride with a request of the conversation instead of one of their own. Between two long polls they wait for the next, which comes at once; while one is
 * open they are sent beside it. What rides is acknowledged with the answer, up to a minute later; until then it is sent again with whatever is sent beside, so that
 * nothing is recorded before what came before it.
 */
export interface Ride {
  /** Takes what is pending aboard the request that is sent now: oldest first, at most {@link limits.syncReportsMax}. */
  board(): readonly Report[];
  /** The request was answered, and another follows at once: what is reported until then waits for it. Never rejects. */
  arrived(): Promise<void>;
  /** The request failed, or none follows soon: nothing waits any more. */
  missed(): void;
  /** Calls back from now on, instead of whom it called before, when the control plane has taken what was sent by itself: it answers. */
  onTaken(callback: () => void): void;
}

/** The sender: `wake` after each journalled report. */
export interface Reporter {
  readonly ride: Ride;
  wake(): void;
  run(signal: AbortSignal): Promise<void>;
}

/** A sender that rests until it is woken. */
export function createReporter(deps: ReporterDeps): Reporter {
  let wakeUp: () => void = () => undefined;
  let awake = true;
  let isRideComing = false;
  let aboard: readonly Report[] = [];
  let taken: () => void = () => undefined;
  const wake = (): void => {
    awake = true;
    wakeUp();
  };
  const sleep = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted || (awake && !isRideComing)) return;
    await new Promise<void>((resolve) => {
      wakeUp = () => {
        if (!isRideComing || signal.aborted) resolve();
      };
    });
  };
  const isAboard = ({ deployment, reportNo }: Report): boolean => aboard.some((one) => one.deployment === deployment && one.reportNo === reportNo);
  return {
    wake,
    ride: {
      board() {
        isRideComing = false;
        aboard = deps.installer.pendingReports().slice(0, limits.syncReportsMax);
        wake();
        return aboard;
      },
      async arrived() {
        const landed = aboard;
        aboard = [];
        isRideComing = true;
        await acknowledgeRide(deps, landed);
      },
      missed() {
        aboard = [];
        isRideComing = false;
        wake();
      },
      onTaken(callback) {
        taken = callback;
      },
    },
    async run(signal) {
      let failures = 0;
      // Once: a listener for each sleep would stay for the life of the daemon.
      signal.addEventListener('abort', () => wakeUp(), { once: true });
      while (!signal.aborted) {
        await sleep(signal);
        // A poll may have been answered since it was woken.
        if (isRideComing && !signal.aborted) continue;
        awake = false;
        try {
          if (!deps.installer.pendingReports().every(isAboard)) {
            await sendAll(deps, signal);
            taken();
          }
          failures = 0;
        } catch (cause) {
          if (signal.aborted) return;
          failures += 1;
          awake = true;
          deps.metrics.failures.inc({ component: 'reports' });
          if (failures === 1) deps.log.warn({ err: cause }, 'reports are kept until the control plane takes them');
          await deps.clock.wait(deps.random() * Math.min(retry.longestMs, retry.firstMs * 2 ** Math.min(failures, 10)), { signal }).catch(() => undefined);
        }
      }
    },
  };
}

async function sendAll(deps: ReporterDeps, signal: AbortSignal): Promise<void> {
  for (;;) {
    const reports = deps.installer.pendingReports().slice(0, limits.reportsMax);
    if (reports.length === 0) return;
    await deps.link.report(reports, { signal });
    await acknowledge(deps, reports);
  }
}

async function acknowledgeRide(deps: ReporterDeps, landed: readonly Report[]): Promise<void> {
  try {
    await acknowledge(deps, landed);
  } catch (cause) {
    deps.metrics.failures.inc({ component: 'reports' });
    deps.log.warn({ err: cause }, 'that reports were taken could not be written down; they are sent again');
  }
}

async function acknowledge({ installer }: Pick<ReporterDeps, 'installer'>, reports: readonly Report[]): Promise<void> {
  const highest = new Map<string, number>();
  for (const { deployment, reportNo } of reports) highest.set(deployment, Math.max(reportNo, highest.get(deployment) ?? 0));
  for (const [deployment, reportNo] of highest) await installer.acknowledged(deployment, reportNo);
}
