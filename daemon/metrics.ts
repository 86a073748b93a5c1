// Every metric of the daemon (interfaces.md, "Metrics"): names, helps and labels in one place, on a registry handed in.
// Label values are bounded: never a peer, a digest or a path.

import { collectDefaultMetrics, Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the components of the daemon count. */
export interface DaemonMetrics {
  readonly enrolled: Gauge;
  readonly controlConnected: Gauge;
  readonly lastSync: Gauge;
  readonly peers: Gauge;
  readonly dials: Counter<'result'>;
  readonly bans: Counter;
  readonly strikes: Counter<'reason'>;
  readonly receivedBytes: Counter<'source'>;
  readonly sentBytes: Counter;
  readonly packedBytes: Counter;
  readonly carriedBytes: Counter<'path' | 'direction'>;
  readonly bulkChannels: Gauge;
  readonly reusedBytes: Counter;
  readonly wastedBytes: Counter<'reason'>;
  readonly verifyFailures: Counter;
  readonly requestsInFlight: Gauge;
  readonly bandwidthLimit: Gauge<'direction'>;
  readonly throttledSeconds: Counter<'direction'>;
  readonly fetchSeconds: Histogram<'result'>;
  readonly storeBytes: Gauge;
  readonly storeChunks: Gauge;
  readonly storeDamagedChunks: Counter;
  readonly collectedBytes: Counter;
  readonly driftedFiles: Gauge;
  readonly driftFound: Counter;
  readonly driftRepaired: Counter;
  readonly manifestFailures: Counter<'reason'>;
  readonly activations: Counter<'result'>;
  readonly rollbacks: Counter;
  readonly uploadedBytes: Counter;
  readonly deltasMade: Counter<'extent'>;
  readonly deltaBytes: Counter;
  readonly deltaSavedBytes: Counter;
  readonly deltaFallbacks: Counter<'reason'>;
  readonly failures: Counter<'component'>;
}

/** Bucket bounds in seconds: from a delta on a LAN to an image over a slow line. */
const fetchBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/**
 * The library's watch of the event loop wakes the process 100 times a second, three quarters of what an idle agent costs, and cannot be left out.
 * Its figures mean nothing at this pace and are not shown; `nodejs_eventloop_lag_seconds` is measured when it is asked for.
 */
const loopWatchMs = 3_600_000;
const loopFigures = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;

/** Registers everything, label sets at 0 so that a rate exists before the first event. */
export function createMetrics(registry: Registry, build: { readonly version: string; readonly nodeVersion: string }): DaemonMetrics {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopWatchMs });
  for (const figure of loopFigures) registry.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`);
  const name = (suffix: string): string => `starling_agent_${suffix}`;
  const counter = <Label extends string>(suffix: string, help: string, labelNames: readonly Label[] = []): Counter<Label> =>
    new Counter({ name: name(suffix), help, labelNames: [...labelNames], registers: [registry] });
  const gauge = (suffix: string, help: string): Gauge => new Gauge({ name: name(suffix), help, registers: [registry] });

  new Gauge({ name: name('build_info'), help: 'Always 1; the labels say what runs.', labelNames: ['version', 'node_version'], registers: [registry] }).set({ version: build.version, node_version: build.nodeVersion }, 1);
  const metrics: DaemonMetrics = {
    enrolled: gauge('enrolled', '1 when this machine is a member; 0 means that it takes part in nothing until `starlingd join`.'),
    controlConnected: gauge('control_plane_connected', '1 when the last sync succeeded; 0 for minutes means that new orders do not arrive.'),
    lastSync: gauge('last_sync_timestamp_seconds', 'When the control plane last answered; an old value with control_plane_connected 0 says since when.'),
    peers: gauge('peers', 'Admitted neighbours; 0 means that nothing can be fetched.'),
    dials: counter('peer_dials_total', 'Attempts to reach neighbours; many refused ones mean certificates or rosters that do not agree.', ['result']),
    bans: counter('peer_bans_total', 'Neighbours barred for an hour; any is worth a look at the log, which names them.'),
    strikes: counter('peer_strikes_total', 'Misbehaviour of neighbours by kind.', ['reason']),
    receivedBytes: counter('received_bytes_total', 'Chunk bytes that were verified and kept, by who sent them; a low share of peers costs egress.', ['source']),
    sentBytes: counter('sent_bytes_total', 'Chunk bytes sent to neighbours.'),
    packedBytes: counter('packed_saved_bytes_total', 'Of those, bytes that did not travel, since chunks go compressed to neighbours behind slow lines.'),
    carriedBytes: counter('carried_bytes_total', 'Chunk bytes by what they travelled on; many on the stream mean that bulk channels cannot be opened, and cost four times the CPU.', ['path', 'direction']),
    bulkChannels: gauge('bulk_channels', 'Neighbours with a bulk channel; fewer than peers for long means that a firewall is in the way of bulk.port.'),
    reusedBytes: counter('reused_bytes_total', 'Bytes of new releases that were on this machine already.'),
    wastedBytes: counter('wasted_bytes_total', 'Chunk bytes received for nothing; a steady rate of corrupt ones means a bad disk or a bad member.', ['reason']),
    verifyFailures: counter('chunk_verify_failures_total', 'Chunks whose bytes were not what their identifier says; the log names the sender.'),
    requestsInFlight: gauge('chunk_requests_in_flight', 'Chunk requests awaiting an answer.'),
    bandwidthLimit: new Gauge({ name: name('bandwidth_limit_bytes_per_second'), help: 'The cap of the configuration that is in force at this hour; absent without one.', labelNames: ['direction'], registers: [registry] }),
    throttledSeconds: counter('throttled_seconds_total', 'Time in which our own cap held chunk bytes back; close to real time, the cap is what makes roll-outs slow.', ['direction']),
    fetchSeconds: new Histogram({ name: name('artifact_fetch_duration_seconds'), help: 'Time to bring what a revision lacked.', labelNames: ['result'], buckets: fetchBuckets, registers: [registry] }),
    storeBytes: gauge('store_bytes', 'Bytes of chunks in the store of a seed or proxy.'),
    storeChunks: gauge('store_chunks', 'Chunks in the store of a seed or proxy.'),
    storeDamagedChunks: counter('store_damaged_chunks_total', 'Chunks of the store of a seed or proxy that were damaged on its disk: they are not served, and brought again from whoever has them. Any more than one means a bad disk.'),
    collectedBytes: counter('store_collected_bytes_total', 'Bytes of chunks that a seed or proxy forgot because no revision that it keeps names them: of uploads that were given up, and of revisions beyond keepRevisions.'),
    driftedFiles: gauge('drifted_files', 'Things in installed releases that are not what was installed and were not put back: above 0 for long, this machine does not run what it says; the log names them.'),
    driftFound: counter('drift_found_total', 'Things in installed releases that were found changed; any means that somebody works in a release by hand, or a bad disk.'),
    driftRepaired: counter('drift_repaired_total', 'Of those, how many were put back as they were installed.'),
    manifestFailures: counter('manifest_verify_failures_total', 'Metadata and statements that were refused; any may be an attack.', ['reason']),
    activations: counter('activations_total', 'Activations by how they ended.', ['result']),
    rollbacks: counter('rollbacks_total', 'Releases that were put back after a failed activation.'),
    uploadedBytes: counter('uploaded_bytes_total', 'Bytes of upload bodies that this proxy received.'),
    deltasMade: counter('deltas_made_total', 'Delta sets made for the bases that the fleet runs; none while revisions are published means that targets take plain chunks.', ['extent']),
    deltaBytes: counter('delta_bytes_total', 'Bytes of delta sets received, parts of indexes included.'),
    deltaSavedBytes: counter('delta_saved_bytes_total', 'Bytes that plain chunks would have cost beyond what their delta sets did.'),
    deltaFallbacks: counter('delta_fallbacks_total', 'Times that plain chunks were taken although a base was at hand: no set, one not believed, none in time, a stalled one, or segments that came out wrong, as from a file that somebody changed.', ['reason']),
    failures: counter('failures_total', 'Operations that failed and were caught by a loop, by component; the log says why.', ['component']),
  };
  for (const source of ['origin', 'peer']) metrics.receivedBytes.inc({ source }, 0);
  for (const path of ['bulk', 'stream']) for (const direction of ['sent', 'received']) metrics.carriedBytes.inc({ path, direction }, 0);
  for (const reason of ['duplicate', 'corrupt', 'unexpected']) metrics.wastedBytes.inc({ reason }, 0);
  for (const extent of ['index', 'all']) metrics.deltasMade.inc({ extent }, 0);
  for (const reason of ['none', 'refused', 'late', 'stalled', 'damaged']) metrics.deltaFallbacks.inc({ reason }, 0);
  for (const direction of ['send', 'receive']) metrics.throttledSeconds.inc({ direction }, 0);
  for (const result of ['ok', 'refused', 'failed']) metrics.dials.inc({ result }, 0);
  for (const reason of ['corrupt-chunk', 'timeouts', 'protocol', 'stalled', 'not-admitted']) metrics.strikes.inc({ reason }, 0);
  for (const result of ['committed', 'already-current', 'deferred', 'failed', 'rolled-back', 'inconsistent']) metrics.activations.inc({ result }, 0);
  return metrics;
}
