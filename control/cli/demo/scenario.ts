// What the demo does with its fleet: push version 1, 2 and 3, promote each, measure each, and ask the service while version 3 fails.

import type { Deployment, DeploymentTarget } from '../../../proto/api/deployments.ts';
import { ControlError } from '../../errors.ts';
import { createBoard } from '../text/board.ts';
import { follow, type Seen } from '../follow.ts';
import { createProgress } from '../live.ts';
import { push, type PushResult } from '../push/push.ts';
import type { Terminal } from '../text/terminal.ts';
import { bytesText, countText, shareText } from '../text/text.ts';
import type { World } from '../world.ts';
import { demoNames, type DemoTarget, type Fleet } from './fleet.ts';
import { between, scrape, type Counted } from './measure.ts';
import { startMeter } from './meter.ts';
import { ask, startProber, type Probed } from './prober.ts';
import { problemsOf, type DemoReport, type VersionReport } from './report.ts';
import { demoVersions, type DemoApp, type DemoVersion } from './versions.ts';

/** A deployment that takes longer than this in a demo has stopped moving. */
const deploymentMsMax = 180_000;

interface Scenario {
  readonly world: World;
  readonly terminal: Terminal;
  readonly fleet: Fleet;
  readonly app: DemoApp;
  readonly say: (text: string) => void;
}

/** What the versions brought. @throws {ControlError} by what failed on the way. */
export async function deployVersions(scenario: Scenario): Promise<Omit<DemoReport, 'targets' | 'seconds'>> {
  const { app, fleet, world } = scenario;
  const versions: VersionReport[] = [];
  const problems: string[] = [];
  let probed: readonly Probed[] | undefined;
  for (const version of demoVersions) {
    // Only a version that is expected to fail is a danger to the one before it.
    const prober = version === '3' && app.probe !== undefined ? startProber(services(fleet.targets), app.probe, '2', world.clock) : undefined;
    try {
      versions.push(await deployVersion(scenario, version));
    } finally {
      probed = await prober?.stop();
    }
    if (app.probe !== undefined && version !== '3') problems.push(...(await unanswered(fleet.targets, app.probe, version)));
  }
  const service = probed === undefined ? undefined : { probes: sum(probed, ({ probes }) => probes), failures: sum(probed, ({ failures }) => failures), targets: probed };
  return {
    versions,
    rolledBack: versions.filter(({ result }) => result === 'rolled-back').map(({ version }) => version),
    ...(service === undefined ? {} : { service }),
    problems: [...problems, ...problemsOf({ versions, ...(service === undefined ? {} : { service }) })],
  };
}

async function deployVersion({ world, terminal, fleet, app, say }: Scenario, version: DemoVersion): Promise<VersionReport> {
  const { clock } = world;
  const directory = await app.prepare(version);
  const before = await scrapeAll(fleet, world.signal);
  const startedAt = clock.monotonic();
  const pushed = await pushVersion(world, terminal, fleet, directory, version);
  say(`version ${version} pushed: ${bytesText(pushed.uploadedBytes)} uploaded of ${countText(pushed.entries, 'path')} and ${bytesText(pushed.treeBytes)} (${shareText(pushed.uploadedBytes, pushed.treeBytes)})`);
  const promotion = await fleet.api.call('createPromotion', { params: {}, body: { environment: demoNames.environment, revision: pushed.revision, reason: `version ${version} of the demo` } });
  const seen = await watch(world, terminal, fleet, promotion.promotion, { before, totalBytes: pushed.missingBytes + pushed.reusedBytes });
  const seconds = Math.round(clock.monotonic() - startedAt) / 1000;
  const after = await scrapeAll(fleet, world.signal);
  const costs = fleet.targets.map((_, at) => between(reading(before, at), reading(after, at)));
  const rolledBackOn = fleet.targets.filter(({ name }, at) => reading(costs, at).rollbacks > 0 || phaseOf(seen.deployment, name) === 'rolled-back').map(({ name }) => name);
  const report: VersionReport = {
    version,
    result: resultOf(seen),
    uploadedBytes: pushed.receivedBytes ?? pushed.uploadedBytes,
    originBytes: sum(costs, ({ originBytes }) => originBytes),
    peerBytes: sum(costs, ({ peerBytes }) => peerBytes),
    reusedBytes: sum(costs, ({ reusedBytes }) => reusedBytes),
    seconds,
    treeBytes: pushed.treeBytes,
    entries: pushed.entries,
    fetchedBytesMax: Math.max(...costs.map(({ originBytes, peerBytes }) => originBytes + peerBytes)),
    wastedBytes: sum(costs, ({ wastedBytes }) => wastedBytes),
    pushSeconds: pushed.seconds,
    triedOn: (seen.deployment?.targets ?? []).filter(wasTried).map(({ name }) => name),
    rolledBackOn,
  };
  say(`version ${version} ${report.result}: ${bytesText(report.originBytes)} from the origin, ${bytesText(report.peerBytes)} from peers, ${bytesText(report.reusedBytes)} reused`);
  return report;
}

async function pushVersion(world: World, terminal: Terminal, fleet: Fleet, directory: string, version: DemoVersion): Promise<PushResult> {
  const bar = createProgress(terminal, world.clock, `Uploading version ${version}`);
  try {
    return await push(
      fleet.api,
      {
        directory,
        app: demoNames.app,
        alias: `demo-${version}`,
        onRead: () => {},
        onSend: (sent, missing) => bar.update(sent, missing),
        onRetry: (reason) => terminal.warn(`${reason}; trying again`),
        onWarning: (text) => terminal.warn(text),
      },
      world,
    );
  } finally {
    bar.stop();
  }
}

async function watch(world: World, terminal: Terminal, fleet: Fleet, promotion: string, readings: { readonly before: readonly Counted[]; readonly totalBytes: number }): Promise<Seen> {
  const board = createBoard(terminal, world.clock);
  // Only where there are bars.
  await using meter = terminal.live ? startMeter({ targets: fleet.targets, ...readings }, world) : undefined;
  try {
    return await follow(fleet.api, promotion, { onSeen: (seen) => board.show(meter?.applied(seen) ?? seen), timeoutMs: deploymentMsMax }, world);
  } finally {
    board.close();
  }
}

async function scrapeAll({ targets }: Fleet, signal: AbortSignal): Promise<readonly Counted[]> {
  return await Promise.all(targets.map(async ({ httpUrl }) => await scrape(httpUrl, signal)));
}

async function unanswered(targets: readonly DemoTarget[], probe: NonNullable<DemoApp['probe']>, version: string): Promise<readonly string[]> {
  const answers = await Promise.all(targets.map(async ({ name, serviceUrl }) => ({ name, wrong: await ask(serviceUrl, probe, version) })));
  return answers.flatMap(({ name, wrong }) => (wrong === undefined ? [] : [`after version ${version} was deployed the service on ${name} ${wrong}`]));
}

function resultOf({ promotion, deployment }: Seen): VersionReport['result'] {
  if (promotion.phase === 'succeeded') return 'succeeded';
  return deployment?.phase === 'rolled-back' ? 'rolled-back' : 'failed';
}

/** Phases that only a target has that was told to activate, or to go back. */
const triedPhases: ReadonlySet<string> = new Set(['activating', 'health-checking', 'committed', 'rolling-back', 'rolled-back', 'inconsistent', 'failed']);

function wasTried({ order, phase }: DeploymentTarget): boolean {
  return (order !== undefined && (order.action === 'activate' || order.action === 'rollback')) || triedPhases.has(phase);
}

function phaseOf(deployment: Deployment | undefined, name: string): string | undefined {
  return deployment?.targets.find((target) => target.name === name)?.phase;
}

function services(targets: readonly DemoTarget[]): readonly { readonly name: string; readonly url: string }[] {
  return targets.map(({ name, serviceUrl }) => ({ name, url: serviceUrl }));
}

function reading(counts: readonly Counted[], at: number): Counted {
  const found = counts[at];
  if (found === undefined) throw new ControlError('FAILED', `there is no reading of target ${at + 1}`);
  return found;
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
