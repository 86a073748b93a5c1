// Carries out verified orders: brings the content, activates it, goes back. One application does one thing at a time, in the order in
// which orders came; a newer order for another revision ends the fetch that is under way for an older one.

import type { Progress, TargetPhase, Transfer } from '../../proto/fleet.ts';
import type { Order } from '../../proto/statement.ts';
import type { Manifest } from '../content/manifests.ts';
import { DaemonError } from '../errors.ts';
import type { InstallOrder, Installer, Outcome, ReportDetails } from '../install/installer.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import type { Trust } from '../trust/trust.ts';

/** Orders that may wait for one application. The control plane sends one batch at a time; more than this is a fault of ours or an attack. */
const waitingMax = 32;

/** Brings a revision's content to where the installer wants it. Implementation: build.ts. */
export interface Builder {
  manifest(order: Order, options: { readonly signal: AbortSignal }): Promise<Manifest>;
  build(
    order: Order,
    manifest: Manifest,
    directory: string,
    /** `urgent` given: nobody waits for it until that fires. */
    options: { readonly signal: AbortSignal; readonly urgent?: AbortSignal; readonly onProgress: (progress: { readonly haveBytes: number; readonly totalBytes: number }) => void },
  ): Promise<Transfer>;
  /** Releases came or went: what is shared and where chunks are found follows. */
  refresh(): Promise<void>;
}

/** Which orders were carried out, or given up, by environment and application: those must not begin again with the daemon. */
export interface Finished {
  seqOf(order: Order): number;
  /** Resolves when it is synced. */
  add(order: Order): Promise<void>;
}

/** What carrying out needs. */
export interface OrdersDeps {
  readonly installer: Installer;
  readonly trust: Pick<Trust, 'acceptOrder' | 'acceptedOrders'>;
  readonly builder: Builder;
  readonly finished: Finished;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  /** There are new reports to send. */
  onReport(): void;
}

/** The orders of one daemon. */
export interface Orders {
  /** Accepts durably, then queues. @throws {DaemonError} ROLLBACK_REFUSED when it is not newer than what was accepted. */
  accept(order: Order): Promise<void>;
  /** Takes up what was accepted and not finished when the daemon stopped. */
  resume(): Promise<void>;
  /** Fetches under way. */
  progress(): readonly Progress[];
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>;
}

interface Lane {
  tail: Promise<void>;
  waiting: number;
  /** Revisions that an order in line will switch to: what is fetched of them is waited for. */
  readonly awaited: Map<string, number>;
  running?: { readonly order: Order; readonly fetch: AbortController; readonly urgent: AbortController };
  /** Staging directories that are complete, by revision. */
  readonly staged: Map<string, string>;
}

/** Orders carried out by one installer. */
export function createOrders(deps: OrdersDeps): Orders {
  const lanes = new Map<string, Lane>();
  const progress = new Map<string, Progress>();
  const stop = new AbortController();

  const lane = (app: string): Lane => {
    const found = lanes.get(app) ?? { tail: Promise.resolve(), waiting: 0, awaited: new Map<string, number>(), staged: new Map<string, string>() };
    lanes.set(app, found);
    return found;
  };

  const enqueue = (order: Order): void => {
    const own = lane(order.app);
    if (own.running !== undefined && supersedes(order, own.running.order)) own.running.fetch.abort(new DaemonError('ABORTED', `a newer order (${order.seq}) came`));
    if (own.waiting >= waitingMax) {
      deps.log.error({ app: order.app, seq: order.seq, waiting: own.waiting }, 'an order is dropped: too many are waiting');
      return;
    }
    own.waiting += 1;
    const awaits = order.action === 'activate' || order.action === 'rollback' ? 1 : 0;
    own.awaited.set(order.revision, (own.awaited.get(order.revision) ?? 0) + awaits);
    if (awaits > 0 && own.running?.order.revision === order.revision) own.running.urgent.abort();
    own.tail = own.tail.then(async () => {
      own.waiting -= 1;
      if (stop.signal.aborted) return;
      const fetch = new AbortController();
      const urgent = new AbortController();
      if ((own.awaited.get(order.revision) ?? 0) > 0) urgent.abort();
      own.running = { order, fetch, urgent };
      try {
        await carryOut(deps, own, order, { fetching: AbortSignal.any([fetch.signal, stop.signal]), urgent: urgent.signal, stopping: stop.signal, progress });
        if (!stop.signal.aborted) await deps.finished.add(order);
      } catch (cause) {
        deps.metrics.failures.inc({ component: 'orders' });
        deps.log.error({ err: cause, app: order.app, deployment: order.deployment }, 'an order could not be carried out');
      } finally {
        delete own.running;
        forget(own.awaited, order.revision, awaits);
        progress.delete(order.deployment);
      }
    });
  };

  return {
    async accept(order) {
      await deps.trust.acceptOrder(order);
      deps.log.info({ app: order.app, environment: order.environment, action: order.action, seq: order.seq, deployment: order.deployment, revision: order.revisionNumber }, 'order accepted');
      enqueue(order);
    },
    async resume() {
      const installed = await deps.installer.status();
      for (const order of deps.trust.acceptedOrders()) {
        const here = installed.find(({ app }) => app === order.app);
        const { current } = here ?? {};
        if (order.action === 'activate' && here?.releases.some(({ revision, bad }) => bad && revision === order.revision) === true) continue;
        if (order.seq <= deps.finished.seqOf(order)) continue;
        if (order.action === 'cancel' || (order.action !== 'prefetch' && current?.revision === order.revision)) continue;
        deps.log.info({ app: order.app, action: order.action, seq: order.seq }, 'order taken up again');
        enqueue(order);
      }
    },
    progress: () => [...progress.values()],
    async close() {
      stop.abort(new DaemonError('ABORTED', 'the daemon is stopping'));
      await Promise.all([...lanes.values()].map(async ({ tail }) => await tail));
    },
  };
}

function forget(awaited: Map<string, number>, revision: string, count: number): void {
  const left = (awaited.get(revision) ?? 0) - count;
  if (left > 0) awaited.set(revision, left);
  else awaited.delete(revision);
}

/** Whether a fetch for `running` is pointless now. */
function supersedes(order: Order, running: Order): boolean {
  return order.revision !== running.revision || order.action === 'cancel';
}

type Reporting = (phase: TargetPhase, details?: ReportDetails) => Promise<void>;

async function carryOut(deps: OrdersDeps, lane: Lane, order: Order, work: Omit<Context, 'report'>): Promise<void> {
  const { stopping } = work;
  const report: Reporting = async (phase, details) => {
    await deps.installer.report(order, phase, details);
    deps.onReport();
  };
  try {
    switch (order.action) {
      case 'cancel':
        await report('cancelled');
        return;
      case 'prefetch':
        await stage(deps, lane, order, { ...work, report });
        return;
      case 'activate':
      case 'rollback': {
        const outcome = await switchRelease(deps, lane, order, { ...work, report });
        count(deps, order, outcome);
        return;
      }
      default:
        order.action satisfies never;
    }
  } catch (cause) {
    if (stopping.aborted) return;
    if (!(cause instanceof DaemonError)) throw cause;
    lane.staged.delete(order.revision);
    if (cause.code === 'ABORTED') return await report('cancelled', { detail: cause.message });
    deps.log.warn({ err: cause, app: order.app, deployment: order.deployment }, 'an order failed before anything was switched');
    await report(cause.code === 'ORDER_REFUSED' ? 'rejected' : 'failed', { code: cause.code, detail: cause.message });
  } finally {
    deps.onReport();
  }
}

interface Context {
  readonly fetching: AbortSignal;
  /** Fires when an order to switch to the revision is in line. */
  readonly urgent: AbortSignal;
  readonly stopping: AbortSignal;
  readonly report: Reporting;
  readonly progress: Map<string, Progress>;
}

async function switchRelease(deps: OrdersDeps, lane: Lane, order: Order, context: Context): Promise<Outcome> {
  const { fetching, stopping } = context;
  const { app, environment, deployment, seq, revision, revisionNumber } = order;
  const subject = { app, environment, deployment, seq, revision, revisionNumber, notAfterMs: order.notAfter * 1000 };
  if (order.action === 'rollback' && (await deps.installer.installed(order))) {
    return await deps.installer.rollback(subject, { signal: stopping });
  }
  const staged = await stage(deps, lane, order, context);
  const manifest = await deps.builder.manifest(order, { signal: fetching });
  const wanted: InstallOrder = { ...subject, spec: manifest.revision.spec, ...(order.checks === undefined ? {} : { checks: order.checks }) };
  try {
    return await deps.installer.install(wanted, staged === undefined ? undefined : { directory: staged }, { signal: stopping });
  } finally {
    lane.staged.delete(order.revision);
    await deps.builder.refresh();
  }
}

/** The complete staging directory of the order's revision; `undefined` when the release is on disk already. */
async function stage(deps: OrdersDeps, lane: Lane, order: Order, { fetching: signal, urgent, report, progress }: Context): Promise<string | undefined> {
  const { directory } = deps.installer.staging(order);
  const installed = await deps.installer.installed(order);
  if (installed || lane.staged.has(order.revision)) {
    if (order.action === 'prefetch') await report('verified');
    return installed ? undefined : directory;
  }
  const endTimer = deps.metrics.fetchSeconds.startTimer();
  try {
    await report('downloading');
    const manifest = await deps.builder.manifest(order, { signal });
    const transfer = await deps.builder.build(order, manifest, directory, {
      signal,
      ...(order.action === 'prefetch' ? { urgent } : {}),
      onProgress: ({ haveBytes, totalBytes }) => progress.set(order.deployment, { deployment: order.deployment, haveBytes, totalBytes }),
    });
    deps.metrics.reusedBytes.inc(transfer.reusedBytes);
    await report('verified', { transfer });
    lane.staged.set(order.revision, directory);
    endTimer({ result: 'ok' });
    return directory;
  } catch (cause) {
    endTimer({ result: 'failed' });
    throw cause;
  }
}

function count(deps: OrdersDeps, order: Order, outcome: Outcome): void {
  deps.metrics.activations.inc({ result: outcome.kind });
  if (outcome.kind === 'rolled-back') deps.metrics.rollbacks.inc();
  const fields = { app: order.app, environment: order.environment, deployment: order.deployment, revision: order.revisionNumber, outcome: outcome.kind };
  if (outcome.kind === 'committed' || outcome.kind === 'already-current') deps.log.info(fields, 'order carried out');
  else deps.log.warn({ ...fields, code: outcome.code, detail: outcome.detail }, 'order not carried out');
}
