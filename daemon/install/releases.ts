// The installer for releases under a root (`layout: releases`): finds the application, guards it against two installations
// at once, and leaves the work to activation.ts and recovery.ts.

import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Report } from '../../proto/fleet.ts';
import type { Clock } from '../clock.ts';
import { type JournalledOrder, releaseId } from '../core/release/activate.ts';
import { DaemonError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { activate, fail, type Run, stage } from './activation.ts';
import { Application } from './application.ts';
import { type Disk, makeDirectories, systemDisk } from './machine/disk.ts';
import type { Installer, InstallOrder, Outcome } from './installer.ts';
import { layout, pointed, type Layout } from './layout.ts';
import { Ledger } from './journal/ledger.ts';
import type { Processes } from './machine/processes.ts';
import { recoverApplication } from './recovery.ts';
import { byManager, noService } from './service/service.ts';
import { Supervisor } from './service/supervisor.ts';
import { systemdService } from './service/systemd.ts';

/** One application that this machine may run. */
export interface AppConfig {
  /** Absolute path; its parent must be there. */
  readonly root: string;
  /** Port on which the front listens; without one the application has none. */
  readonly port?: number | undefined;
  /** Address on which the front listens. */
  readonly host?: string | undefined;
}

export interface InstallerOptions {
  readonly apps: Readonly<Record<string, AppConfig>>;
  /** The daemon's own directory, for reports about applications that the configuration does not name. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly processes: Processes;
  readonly disk?: Disk;
  /** Path of the Node that runs the fronts: `process.execPath`. */
  readonly node: string;
  /** `PATH` of applications and hooks. */
  readonly searchPath: string;
  /** What becomes of the applications of the built-in supervisor when the daemon is told to stop. */
  readonly onStop: 'stop' | 'leave';
  readonly systemd?: { readonly systemctl: readonly string[]; readonly unitDirectory: string };
}

/** Defaults of `InstallerOptions` and `AppConfig`. */
export const installerDefaults = {
  host: '127.0.0.1',
  systemd: { systemctl: ['systemctl'], unitDirectory: '/etc/systemd/system' },
} as const;

/** Begins the tags of everything that is started for a root, whichever daemon does it. */
export function rootTag(root: string): string {
  return createHash('sha256').update(root).digest('hex').slice(0, 16);
}

function createApplication(name: string, config: AppConfig, options: InstallerOptions): Application {
  const { clock, processes, searchPath, node } = options;
  const disk = options.disk ?? systemDisk;
  const at: Layout = layout(config.root);
  const log = options.log.child({ app: name });
  const tag = rootTag(config.root);
  const shared = { at, disk, processes, clock, log, tag, searchPath };
  const port = config.port === undefined ? {} : { port: config.port };
  const supervisor = new Supervisor({ ...shared, node, host: config.host ?? installerDefaults.host, ...port });
  const systemd = systemdService({ ...shared, ...(options.systemd ?? installerDefaults.systemd) });
  const service = byManager({ process: supervisor, systemd, none: noService });
  return new Application({ ...shared, name, service, port: () => supervisor.port ?? config.port });
}

function journalled(order: Omit<InstallOrder, 'spec'>): JournalledOrder {
  const { app, environment, deployment, seq, revision, revisionNumber, notAfterMs, checks, stage: stageName = environment } = order;
  const limit = notAfterMs === undefined ? {} : { notAfterMs };
  return { app, environment, stage: stageName, deployment, seq, revision, revisionNumber, ...limit, ...(checks === undefined ? {} : { checks }) };
}

/** Installs under the roots that the configuration names. */
export function createInstaller(options: InstallerOptions): Installer {
  const apps = new Map(Object.entries(options.apps).map(([name, config]) => [name, createApplication(name, config, options)]));
  const disk = options.disk ?? systemDisk;
  const others = new Ledger(disk, join(options.stateDirectory, 'reports.jsonl'), options.clock);
  const ledgers = () => [...[...apps.values()].map(({ ledger }) => ledger), others];

  const application = (name: string): Application => {
    const app = apps.get(name);
    if (app !== undefined) return app;
    const known = [...apps.keys()].join(', ');
    throw new DaemonError('ORDER_REFUSED', `application ${JSON.stringify(name)} is not configured on this machine, which has ${known || 'none'}`);
  };

  return {
    recover: async ({ signal }) => {
      await makeDirectories(disk, dirname(options.stateDirectory), options.stateDirectory);
      await others.open();
      await recoverAll([...apps.values()], signal);
    },
    status: async () => await Promise.all([...apps.values()].map(async (app) => await app.status())),
    staging: ({ app: name, revision, revisionNumber }) => {
      const id = releaseId(revisionNumber, revision);
      const { at } = application(name).tools;
      return { directory: join(at.releases, `${id}.tmp`), release: join(at.releases, id) };
    },
    installed: async ({ app: name, revision, revisionNumber }) =>
      (await application(name).release(releaseId(revisionNumber, revision))) !== undefined,
    install: async (order, staged, { signal }) =>
      await perform(application(order.app), signal, async (app) => await install(app, order, staged?.directory, signal)),
    rollback: async (order, { signal }) => await perform(application(order.app), signal, async (app) => await goBack(app, order, signal)),
    markStable: async (name, revision) => {
      await application(name).markStable(revision);
    },
    cleanup: async (name) => await application(name).cleanUp(),
    report: async (subject, phase, details = {}): Promise<Report> =>
      await (apps.get(subject.app)?.ledger ?? others).report({ subject, phase, details }),
    pendingReports: () => ledgers().flatMap((ledger) => ledger.pending()),
    acknowledged: async (deployment, reportNo) => {
      for (const ledger of ledgers()) await ledger.acknowledged(deployment, reportNo);
    },
    close: async () => {
      for (const app of apps.values()) await app.close(options.onStop);
    },
    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}

/** One installation of an application at a time, and none before its journal was read. */
async function perform(app: Application, signal: AbortSignal, work: (app: Application) => Promise<Outcome>): Promise<Outcome> {
  const { name } = app.tools;
  if (!app.recovered) throw new DaemonError('STORAGE_FAILED', `the journal of ${name} must be read first: recover`);
  if (app.busy) throw new DaemonError('ORDER_REFUSED', `an installation of ${name} is under way`);
  app.busy = true;
  try {
    signal.throwIfAborted();
    return await work(app);
  } catch (error) {
    throw await interrupted(app, error, signal);
  } finally {
    app.busy = false;
  }
}

async function recoverAll(apps: readonly Application[], signal: AbortSignal): Promise<void> {
  const failures = await Promise.all(
    apps.map(async (app) => {
      try {
        await recoverApplication(app, { signal });
        return undefined;
      } catch (error) {
        return await interrupted(app, error, signal);
      }
    }),
  );
  // All have ended before one failure is told, so that none goes on behind the caller's back.
  const first = failures.find((failure) => failure !== undefined);
  if (first !== undefined) throw first;
}

/** Leaves the journal so that `recover` knows what it was: told to stop, or failed. */
async function interrupted(app: Application, error: unknown, signal: AbortSignal): Promise<Error> {
  if (signal.aborted) {
    const { inFlight } = app.ledger.state;
    const begun = inFlight?.stage === 'activating' || inFlight?.stage === 'rolling-back';
    if (inFlight !== undefined) await app.ledger.record(begun ? { kind: 'paused' } : { kind: 'end', result: 'abandoned' });
    // What was paused goes on in `recover`, in this process or the next.
    if (begun) app.recovered = false;
    return new DaemonError('ABORTED', 'the installation was told to stop', { cause: error });
  }
  if (app.ledger.state.inFlight !== undefined) app.recovered = false;
  return error instanceof Error ? error : new Error(String(error));
}

async function install(app: Application, order: InstallOrder, staged: string | undefined, signal: AbortSignal): Promise<Outcome> {
  const same = await alreadyCurrent(app, order, signal);
  if (same !== undefined) return same;
  const run = await begin(app, order, false, signal);
  const over = await stage(run, order.spec, staged);
  return over ?? (await goAhead(run));
}

async function goBack(app: Application, order: Omit<InstallOrder, 'spec'>, signal: AbortSignal): Promise<Outcome> {
  const same = await alreadyCurrent(app, order, signal);
  if (same !== undefined) return same;
  const run = await begin(app, order, true, signal);
  if ((await app.release(run.inFlight.to)) !== undefined) return await goAhead(run);
  const detail = `release ${run.inFlight.to} is no longer on disk: deploy it as any other revision`;
  return await fail(run, { code: 'ACTIVATION_FAILED', detail });
}

async function alreadyCurrent(app: Application, order: Omit<InstallOrder, 'spec'>, signal: AbortSignal): Promise<Outcome | undefined> {
  const { disk, at, service } = app.tools;
  const id = releaseId(order.revisionNumber, order.revision);
  const release = (await pointed(disk, at, at.current)) === id ? await app.release(id) : undefined;
  if (release === undefined) return undefined;
  await service.resume(release.runnable, { signal });
  await app.ledger.report({ subject: order, phase: 'already-current' });
  return { kind: 'already-current' };
}

async function begin(app: Application, order: Omit<InstallOrder, 'spec'>, rollback: boolean, signal: AbortSignal): Promise<Run> {
  const { disk, at } = app.tools;
  const at0 = await pointed(disk, at, at.current);
  const from = at0 === 'nothing' || at0 === 'foreign' ? {} : { from: at0 };
  const to = releaseId(order.revisionNumber, order.revision);
  await app.ledger.record({ kind: 'begin', order: journalled(order), to, ...from, rollback });
  return { app, inFlight: inFlightOf(app), attempt: 1, signal };
}

function inFlightOf(app: Application) {
  const { inFlight } = app.ledger.state;
  if (inFlight === undefined) throw new Error('an installation has begun and is not in the journal');
  return inFlight;
}

/** Journals the intention and acts on it, if the order still holds. */
async function goAhead(run: Run): Promise<Outcome> {
  const { app, inFlight, signal } = run;
  signal.throwIfAborted();
  const { notAfterMs } = inFlight.order;
  if (notAfterMs !== undefined && app.tools.clock.now() > notAfterMs) {
    const detail = `the order was good until ${new Date(notAfterMs).toISOString()}: a new one is needed`;
    return await fail(run, { code: 'ORDER_REFUSED', detail });
  }
  await app.ledger.record({ kind: 'activate' }, { subject: inFlight.order, phase: 'activating' });
  return await activate({ ...run, inFlight: inFlightOf(app) });
}
