// The role of an agent: installed releases that are shared with the swarm, orders carried out, reports sent.

import { join } from 'node:path';
import type { Digest } from '../proto/cid.ts';
import { drift as onDisk } from './content/installed/drift.ts';
import { createInstalledTrees } from './content/installed/installed.ts';
import { materialize } from './content/release/materialize.ts';
import { createRecentMemory } from './content/release/recent-chunks.ts';
import type { ChunkSource } from './content/store.ts';
import type { RoleDeps } from './daemon-seed.ts';
import { createDeltaDecoder } from './delta/decode.ts';
import type { InstalledApp, Installer } from './install/installer.ts';
import { systemProcesses, type ProcessAccess } from './install/machine/processes.ts';
import { createInstaller } from './install/releases.ts';
import { createBuilder } from './run/build.ts';
import type { DeltaShelf } from './run/delta/shelf.ts';
import { createDeltaUse } from './run/delta/use.ts';
import { createDriftWatch, type DriftWatch } from './run/drift.ts';
import { createOrders, type Orders } from './run/orders.ts';
import { createReporter, type Ride } from './run/reports.ts';
import type { DeltaSource } from './swarm/swarm.ts';
import { openDeltaStatement } from './trust/statements/delta-statement.ts';
import { openFinishedOrders } from './trust/finished-orders.ts';

/** The agent of one daemon. */
export interface AgentRole extends AsyncDisposable {
  readonly installer: Installer;
  readonly orders: Orders;
  readonly drift: DriftWatch;
  readonly ride: Ride;
}

/** What an agent needs besides. */
export interface AgentDeps extends RoleDeps {
  readonly execPath: string;
  /** `PATH` of applications and hooks. */
  readonly searchPath: string;
  /** `process.kill`. */
  readonly kill: ProcessAccess['kill'];
  /** What a seed in the same daemon holds. */
  readonly seed: ChunkSource | undefined;
}

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE, STORAGE_FAILED. */
export async function openAgent(deps: AgentDeps): Promise<AgentRole> {
  await using stack = new AsyncDisposableStack();
  const { config, trust, manifests, library, link, metrics, clock, random, stop } = deps;
  const log = deps.log.child({ component: 'agent' });
  const apps = Object.fromEntries(Object.entries(config.apps).map(([app, { root, host, port }]) => [app, { root, host, ...(port === undefined ? {} : { port }) }]));
  const installer = stack.use(
    createInstaller({
      apps,
      stateDirectory: join(config.dataDir, 'installer'),
      clock,
      log: deps.log.child({ component: 'installer' }),
      processes: systemProcesses({ kill: deps.kill, clock }),
      node: deps.execPath,
      searchPath: deps.searchPath,
      onStop: config.supervisor.onStop,
    }),
  );
  await installer.recover({ signal: stop });
  let drift: DriftWatch | undefined;
  const installed = createInstalledTrees((path) => {
    log.warn({ path }, 'an installed file is not what was installed; it is no longer shared');
    drift?.suspect();
  });
  const deltas = createDeltaUse({
    shelf: deps.deltas.shelf, swarm: deps.swarm, manifests, base: installed, clock, metrics, log,
    bases: async (app) => basesOf(await installer.status(), app),
    decoder: stack.use(createDeltaDecoder()),
    verify: async (compact, descriptor) => await openDeltaStatement(compact, descriptor, trust.roster()),
  });
  // An origin that is an agent too answers with all that it could make.
  if (config.roles.every((role) => role === 'agent')) deps.deltas.desk.answerWith(answerFrom(deps.deltas.shelf));
  const recent = createRecentMemory();
  const builder = createBuilder({ installer, installed, materialize: async (options) => await materialize({ ...options, recent }), manifests, library, deltas, seed: deps.seed, log });
  await builder.refresh();

  const reporter = createReporter({ installer, link, clock, random: () => random.unit(), metrics, log });
  const reporting = reporter.run(stop);
  stack.defer(async () => await reporting);
  drift = createDriftWatch({ drift: onDisk, installer, installed, manifests, library, config: config.drift, clock, metrics, log: deps.log.child({ component: 'drift' }) });
  const watching = config.drift.use === 'off' ? Promise.resolve() : drift.run(stop);
  stack.defer(async () => await watching);
  const orders = createOrders({ installer, trust, builder, finished: await openFinishedOrders(join(config.dataDir, 'orders-finished.json')), metrics, log, onReport: () => reporter.wake() });
  stack.defer(async () => await orders.close());
  const owned = stack.move();
  return { installer, orders, drift, ride: reporter.ride, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

/** With what came from neighbours. */
function answerFrom(shelf: DeltaShelf): DeltaSource {
  return async (question) => {
    const best = await Promise.resolve(shelf.best(question));
    return best === undefined ? undefined : { etaMs: 0, statement: best.statement, descriptor: best.descriptor, environments: shelf.environments(best.digest) };
  };
}

/** Revisions of an application on this machine, the one that runs first. */
function basesOf(apps: readonly InstalledApp[], app: string): readonly Digest[] {
  const found = apps.find((candidate) => candidate.app === app);
  return [...(found?.current === undefined ? [] : [found.current.revision]), ...(found?.releases.map(({ revision }) => revision).toReversed() ?? [])];
}
