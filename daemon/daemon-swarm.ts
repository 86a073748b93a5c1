// The swarm of one daemon: libp2p with this member's key, the exchange on it, and the counters that it moves.

import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Manifests } from './content/manifests.ts';
import type { Logger } from './log.ts';
import type { DaemonMetrics } from './metrics.ts';
import type { Random } from './random.ts';
import { createSwarm } from './swarm/exchange/exchange.ts';
import { openLibp2pNetwork } from './swarm/libp2p/libp2p.ts';
import type { DeltaSource, ManifestSource, Swarm, SwarmMetrics, SwarmRates } from './swarm/swarm.ts';
import type { Identity } from './trust/identity/identity.ts';
import type { Trust } from './trust/trust.ts';

/** What the swarm needs of the rest. */
export interface SwarmDeps {
  readonly identity: Identity;
  readonly trust: Trust;
  readonly manifests: Manifests;
  readonly deltas?: DeltaSource;
  readonly metrics: DaemonMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** No caps when they are left out. */
  readonly rates?: SwarmRates;
  /** Our certificate as it is now, in compact form. */
  readonly certificate: () => string;
}

/** @throws {DaemonError} PORT_IN_USE. */
export async function openSwarm(config: Config, deps: SwarmDeps): Promise<Swarm> {
  const { trust, manifests, clock, random, log } = deps;
  const metrics = bindMetrics(deps.metrics);
  const network = await openLibp2pNetwork({
    seed: deps.identity.seed,
    listen: [config.listen],
    origin: config.roles.includes('seed') || config.roles.includes('proxy'),
    certificate: deps.certificate,
    verifyCertificate: async (compact, peerId) => await trust.verifyCertificate(compact, peerId),
    clock,
    metrics,
    log,
    ...(config.bulk.use === 'off' ? {} : { bulk: { port: config.bulk.port, randomBytes: (length) => random.bytes(length) } }),
  });
  const swarm = createSwarm({ network, roles: config.roles, manifests: manifestSource(trust, manifests), soon: (look) => void setImmediate(look), ...(deps.deltas === undefined ? {} : { deltas: deps.deltas }), clock, random: () => random.unit(), metrics, log, ...(deps.rates === undefined ? {} : { rates: deps.rates }) });
  const roster = trust.roster();
  if (roster !== undefined) swarm.setRoster(roster);
  return swarm;
}

/** Manifests that are kept here, for members of the environments that run them. */
function manifestSource(trust: Trust, manifests: Pick<Manifests, 'bytes'>): ManifestSource {
  return async (revision) => {
    const environments = Object.keys(trust.versions())
      .filter((role) => role.startsWith('env-'))
      .map((role) => role.slice('env-'.length))
      .filter((environment) => [...(trust.authorised(environment)?.revisions.values() ?? [])].some((authorised) => authorised.revision === revision));
    if (environments.length === 0) return undefined;
    const bytes = await manifests.bytes(revision);
    return bytes === undefined ? undefined : { bytes, environments };
  };
}

function bindMetrics(metrics: DaemonMetrics): SwarmMetrics {
  return {
    receivedBytes: (source, bytes) => metrics.receivedBytes.inc({ source }, bytes),
    sentBytes: (bytes) => metrics.sentBytes.inc(bytes),
    packedBytes: (saved) => metrics.packedBytes.inc(saved),
    wastedBytes: (reason, bytes) => metrics.wastedBytes.inc({ reason }, bytes),
    chunkVerifyFailed: () => metrics.verifyFailures.inc(),
    strike: (reason) => metrics.strikes.inc({ reason }),
    ban: () => metrics.bans.inc(),
    peers: (count) => metrics.peers.set(count),
    carried: (path, direction, bytes) => metrics.carriedBytes.inc({ path, direction }, bytes),
    bulkChannels: (change) => metrics.bulkChannels.inc(change),
    dial: (result) => metrics.dials.inc({ result }),
    requestsInFlight: (count) => metrics.requestsInFlight.set(count),
  };
}
