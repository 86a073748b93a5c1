// A journal together with what is folded from it: the state of the installation and the reports to be sent. Each change
// is on disk before it counts here.

import type { Report, TargetPhase } from '../../../proto/fleet.ts';
import type { Clock } from '../../clock.ts';
import { evolve, type InstallRecord, type InstallState } from '../../core/release/activate.ts';
import type { Disk } from '../machine/disk.ts';
import type { ReportDetails, ReportSubject } from '../installer.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { installLimits } from '../limits.ts';
import { Outbox } from './outbox.ts';

/** Characters of a report's detail (proto/fleet.ts). */
const detailLengthMax = 2048;

/** What to report in the same record as a step. */
export interface PhaseReport {
  readonly subject: ReportSubject;
  readonly phase: TargetPhase;
  readonly details?: ReportDetails;
}

export class Ledger {
  readonly #journal: Journal;
  readonly #clock: Clock;
  #outbox = new Outbox();
  #state: InstallState = {};
  #damaged = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, path: string, clock: Clock) {
    this.#journal = new Journal(disk, path);
    this.#clock = clock;
  }

  get state(): InstallState {
    return this.#state;
  }

  /** The file had a record that cannot be read in its middle: `state` is older than the truth. */
  get damaged(): boolean {
    return this.#damaged;
  }

  async open(): Promise<void> {
    const { entries, damaged } = await this.#journal.open();
    this.#outbox = new Outbox();
    this.#state = {};
    this.#damaged = damaged;
    for (const entry of entries) this.#apply(entry);
  }

  /** Journals a step, and a report in the same record when one is due, so that a crash leaves both or neither. */
  async record(step: InstallRecord, report?: PhaseReport): Promise<void> {
    await this.#inTurn(async () => {
      await this.#append({ step, ...(report === undefined ? {} : { report: this.#numbered(report) }) });
    });
  }

  /** Journals a report alone. */
  async report(report: PhaseReport): Promise<Report> {
    return await this.#inTurn(async () => {
      const numbered = this.#numbered(report);
      await this.#append({ report: numbered });
      return numbered;
    });
  }

  pending(): readonly Report[] {
    return this.#outbox.pending();
  }

  async acknowledged(deployment: string, reportNo: number): Promise<void> {
    await this.#inTurn(async () => {
      const entry = this.#outbox.acknowledgement(deployment, reportNo);
      if (entry !== undefined) await this.#append(entry);
    });
  }

  #numbered({ subject, phase, details = {} }: PhaseReport): Report {
    const { deployment, environment, app, seq } = subject;
    const { detail, ...others } = details;
    const reportNo = this.#outbox.nextReportNo(deployment);
    const shortened = detail === undefined ? {} : { detail: detail.slice(0, detailLengthMax) };
    return { deployment, environment, app, seq, reportNo, phase, ...others, ...shortened, at: Math.trunc(this.#clock.now()) };
  }

  async #append(entry: JournalEntry): Promise<void> {
    await this.#journal.append(entry);
    this.#apply(entry);
    if (this.#journal.bytes > installLimits.journalBytesMax && this.#state.inFlight === undefined) await this.#compact();
  }

  /** Keeps the installation that ended last, and what is still to be sent. */
  async #compact(): Promise<void> {
    const { last } = this.#state;
    const steps: JournalEntry[] = [];
    if (last !== undefined) {
      const { result, ...begun } = last;
      steps.push({ step: { kind: 'begin', ...begun, rollback: false } }, { step: { kind: 'end', result } });
    }
    await this.#journal.compact([...steps, ...this.#outbox.compacted()]);
  }

  #apply(entry: JournalEntry): void {
    if (entry.step !== undefined) this.#state = evolve(this.#state, entry.step);
    this.#outbox.apply(entry);
  }

  /** One at a time: a report's number is that of the one before it and one. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#queue;
    const mine = (async () => {
      await before;
      return await work();
    })();
    this.#queue = mine.catch(() => {});
    return await mine;
  }
}
