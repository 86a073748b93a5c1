// Sends what the installer has journalled to the control plane, in order, until it is acknowledged. A report is never lost to a
// crash or an absence: it stays in the installer's journal until the control plane has recorded it.

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

/** The sender: `wake` after each journalled report. */
export interface Reporter {
  wake(): void;
  run(signal: AbortSignal): Promise<void>;
}

/** A sender that rests until it is woken. */
export function createReporter(deps: ReporterDeps): Reporter {
  let wakeUp: () => void = () => undefined;
  let awake = true;
  const sleep = async (signal: AbortSignal): Promise<void> => {
    if (awake) return;
    await new Promise<void>((resolve) => {
      wakeUp = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  };
  return {
    wake() {
      awake = true;
      wakeUp();
    },
    async run(signal) {
      let failures = 0;
      while (!signal.aborted) {
        await sleep(signal);
        awake = false;
        try {
          await sendAll(deps, signal);
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
    const highest = new Map<string, number>();
    for (const { deployment, reportNo } of reports) highest.set(deployment, Math.max(reportNo, highest.get(deployment) ?? 0));
    for (const [deployment, reportNo] of highest) await deps.installer.acknowledged(deployment, reportNo);
  }
}
