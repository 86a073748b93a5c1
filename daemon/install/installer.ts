// The installer's port: puts releases in place on this machine, runs them, and undoes what fails (agent.md).
// Content is built elsewhere (daemon/content); an order has been verified (daemon/trust) before it arrives here.
// Implementation: releases.ts.

import type { DeploySpec } from '../../proto/deploy-spec.ts';
import type { Report, TargetPhase, Transfer } from '../../proto/fleet.ts';
import type { Order } from '../../proto/statement.ts';
import type { DaemonErrorCode } from '../errors.ts';

/** A verified order with the deploy spec of the revision that it names. */
export interface InstallOrder
  extends Pick<Order, 'app' | 'environment' | 'deployment' | 'seq' | 'revision' | 'revisionNumber' | 'checks'> {
  readonly spec: DeploySpec;
  /** For the hooks' `STARLING_STAGE`; the environment's name when the stage is not known. */
  readonly stage?: string;
  /** Last moment at which activation may begin, in ms since 1970: `notAfter` of the order. Not limited when absent. */
  readonly notAfterMs?: number;
}

/** Which deployment a report belongs to. */
export type ReportSubject = Pick<Order, 'app' | 'environment' | 'deployment' | 'seq'>;

/** What a report says beyond its phase. */
export interface ReportDetails {
  readonly code?: DaemonErrorCode;
  readonly detail?: string;
  /** Last `limits.reportOutputBytesMax` of a hook's output. */
  readonly output?: string;
  readonly transfer?: Transfer;
}

/** How an installation ended. Every outcome has been reported and journalled when it is returned. */
export type Outcome =
  | { readonly kind: 'committed' }
  /** The wanted release was running already; nothing was done. */
  | { readonly kind: 'already-current' }
  /** A hook asked to be tried later; the old release runs, and what was staged stays. */
  | { readonly kind: 'deferred'; readonly code: DaemonErrorCode; readonly detail: string }
  /** Nothing was switched, or there was nothing to go back to and it is stopped. */
  | { readonly kind: 'failed'; readonly code: DaemonErrorCode; readonly detail: string }
  /** It was switched, failed, and the old release runs again and is healthy. */
  | { readonly kind: 'rolled-back'; readonly code: DaemonErrorCode; readonly detail: string }
  /** Neither could be made to run: a person is needed. */
  | { readonly kind: 'inconsistent'; readonly code: DaemonErrorCode; readonly detail: string };

/** A release on disk. */
export interface InstalledRelease {
  /** `<number>-<first 12 hex digits of the revision>`: the name of its directory. */
  readonly id: string;
  readonly revision: string;
  readonly revisionNumber: number;
  readonly environment: string;
  /** Absolute path of its directory. */
  readonly directory: string;
  /** Whether it failed here before. */
  readonly bad: boolean;
}

/** What is on disk and running for one application. */
export interface InstalledApp {
  readonly app: string;
  readonly root: string;
  /** Ascending by revision number. */
  readonly releases: readonly InstalledRelease[];
  readonly current?: InstalledRelease & { readonly healthy: boolean };
  /** Ids of releases: what ran before `current`, and the last that the control plane called stable. */
  readonly previous?: string;
  readonly stable?: string;
  /** Port on which the application is reached, when this machine's configuration names one. */
  readonly port?: number;
}

/** Installs, activates and rolls back releases. Applications are independent; one application does one thing at a time. */
export interface Installer extends AsyncDisposable {
  /**
   * Reads the journals and finishes or undoes what a crash interrupted, and starts or re-adopts what should run.
   * Nothing else may be called before it resolves. May be called again after a STORAGE_FAILED.
   * @throws {DaemonError} DATA_DIRECTORY_IN_USE when another daemon works on the same root; STORAGE_FAILED.
   */
  recover(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Every configured application, by name. Asks the service manager, so it may take milliseconds. */
  status(): Promise<readonly InstalledApp[]>;
  /**
   * Where to build the staging directory of a revision (`releases/<id>.tmp`, does not have to exist), and the name that it
   * will get. A crash leaves at most one staging directory per application: that which changed last.
   * @throws {DaemonError} ORDER_REFUSED when this machine's configuration does not name the application.
   */
  staging(order: Pick<InstallOrder, 'app' | 'revision' | 'revisionNumber'>): { readonly directory: string; readonly release: string };
  /** Whether the finished release is on disk already, so that `install` may be called without a staged directory. */
  installed(order: Pick<InstallOrder, 'app' | 'revision' | 'revisionNumber'>): Promise<boolean>;
  /**
   * Activates a staged directory, complete and synced, or a release that is on disk already (`staged` absent; see `installed`).
   * Reports `staged`, `activating`, `health-checking` and the end. Resolves when it is over; a failure is an outcome.
   * An abort before the switch changes nothing; after it, what is under way stays for `recover` to finish.
   * @throws {DaemonError} ABORTED; ORDER_REFUSED when the application is unknown or busy; STORAGE_FAILED when the
   * journal cannot be written, after which `recover` must be called.
   */
  install(order: InstallOrder, staged: { readonly directory: string } | undefined, options: { readonly signal: AbortSignal }): Promise<Outcome>;
  /**
   * Goes back to a release that is still on disk; hooks see `STARLING_ROLLBACK=1`. `spec` of the order is not used.
   * @throws {DaemonError} as `install`.
   */
  rollback(order: Omit<InstallOrder, 'spec'>, options: { readonly signal: AbortSignal }): Promise<Outcome>;
  /** The control plane's final word on a deployment: what to fall back to when nothing else is known to be good. */
  markStable(app: string, revision: string): Promise<void>;
  /** Removes releases that no rule keeps; installing does this by itself. Returns the ids removed. */
  cleanup(app: string): Promise<readonly string[]>;
  /** Journals a report of a phase that happens elsewhere (`downloading`, `verified`, `rejected` …) under the next number. */
  report(subject: ReportSubject, phase: TargetPhase, details?: ReportDetails): Promise<Report>;
  /** Reports that were not acknowledged, in order of number within a deployment; bounded by `installLimits.reportsHeldMax`. */
  pendingReports(): readonly Report[];
  /** The control plane has every report of `deployment` up to `reportNo`. */
  acknowledged(deployment: string, reportNo: number): Promise<void>;
  /** Ends as the configuration says (`onStop`): leaves the applications running, or stops them. */
  close(): Promise<void>;
}
