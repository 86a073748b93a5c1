// Reports that the control plane has not acknowledged, and the numbers of those to come: folded from the journal.
// Sending them is daemon/link.

import type { Report } from '../../../proto/fleet.ts';
import type { JournalEntry } from './journal.ts';
import { installLimits } from '../limits.ts';

interface Deployment {
  readonly lastReportNo: number;
  /** Ascending by number. */
  readonly held: readonly Report[];
}

/** What is held for one application. In memory only: whoever changes it has journalled the change first. */
export class Outbox {
  readonly #deployments = new Map<string, Deployment>();

  /** Takes over what a journal record says about reports. */
  apply(entry: JournalEntry): void {
    if (entry.report !== undefined) this.#add(entry.report);
    if (entry.acknowledged !== undefined) {
      const { deployment, reportNo, lastReportNo } = entry.acknowledged;
      const known = this.#deployments.get(deployment);
      const held = (known?.held ?? []).filter((report) => report.reportNo > reportNo);
      this.#put(deployment, { lastReportNo: Math.max(lastReportNo, known?.lastReportNo ?? 0), held });
    }
  }

  #add(report: Report): void {
    const known = this.#deployments.get(report.deployment);
    if (known !== undefined && report.reportNo <= known.lastReportNo) return;
    const held = [...(known?.held ?? []), report].slice(-installLimits.reportsHeldMax);
    this.#put(report.deployment, { lastReportNo: report.reportNo, held });
  }

  #put(id: string, deployment: Deployment): void {
    // Last in the map is newest; what goes first is old and has nothing left to send.
    this.#deployments.delete(id);
    this.#deployments.set(id, deployment);
    for (const [other, { held }] of this.#deployments) {
      if (this.#deployments.size <= installLimits.deploymentsRemembered) break;
      if (held.length === 0) this.#deployments.delete(other);
    }
  }

  /** The number of the next report of a deployment. */
  nextReportNo(deployment: string): number {
    return (this.#deployments.get(deployment)?.lastReportNo ?? 0) + 1;
  }

  /** The record that says so, or none when there is nothing to forget. */
  acknowledgement(deployment: string, reportNo: number): JournalEntry | undefined {
    const known = this.#deployments.get(deployment);
    if (known === undefined || !known.held.some((report) => report.reportNo <= reportNo)) return undefined;
    return { acknowledged: { deployment, reportNo, lastReportNo: known.lastReportNo } };
  }

  /** In order of number within a deployment. */
  pending(): readonly Report[] {
    return [...this.#deployments.values()].flatMap(({ held }) => held);
  }

  /** The shortest journal from which the same outbox is folded. */
  compacted(): readonly JournalEntry[] {
    return [...this.#deployments].flatMap(([deployment, { lastReportNo, held }]): JournalEntry[] => {
      const before = (held[0]?.reportNo ?? lastReportNo + 1) - 1;
      return [{ acknowledged: { deployment, reportNo: before, lastReportNo: before } }, ...held.map((report) => ({ report }))];
    });
  }
}
