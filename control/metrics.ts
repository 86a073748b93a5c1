// Every figure that the control plane shows: names, labels, and what a bad value means (interfaces.md, "Metrics").
// The registry is handed in. What is measured where is the callers' business; gauges over the state are read when somebody looks.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const prefix = 'starling_control_';

/** Words that labels may have, each initialised to zero so that a rate is known from the first scrape. */
export const words = {
  decision: ['start', 'batch', 'rollback', 'finish', 'lost', 'none'],
  signed: ['success', 'failure'],
  enrollment: ['success', 'refused'],
  authFailure: ['missing', 'malformed', 'unknown', 'wrong-secret', 'revoked', 'expired', 'scope', 'member', 'throttled'],
  stream: ['ui', 'agent', 'cli'],
  storage: ['append', 'read'],
  connectivity: ['online', 'stale', 'offline'],
  source: ['origin', 'peer', 'disk'],
  trigger: ['manual', 'rollback'],
  promotionResult: ['succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded'],
  rollbackReason: ['automatic', 'manual'],
  report: ['recorded', 'refused'],
} as const;

/** All collectors. Labels are bounded: no member, digest, user or path with parameters filled in is ever one. */
export type Metrics = ReturnType<typeof createMetrics>;

/** What gauges over the state read at each scrape. */
export interface Readings {
  /** Agents by environment and connectivity. */
  agents(): Iterable<{ readonly environment: string; readonly state: string; readonly value: number }>;
  /** Members whose clock is wrong. */
  misset(): Iterable<{ readonly value: number }>;
  /** Open promotions by environment and phase. */
  promotionsActive(): Iterable<{ readonly environment: string; readonly state: string; readonly value: number }>;
  /** Environments whose oldest waiting promotion is held, by gate. */
  promotionBlocked(): Iterable<{ readonly environment: string; readonly gate: string; readonly value: number }>;
  /** Notices that wait to be delivered, by channel. */
  outboxPending(): Iterable<{ readonly sink: string; readonly value: number }>;
  /** Targets that do not run what their environment wants. */
  driftTargets(): Iterable<{ readonly environment: string; readonly value: number }>;
}

/** Registers every collector of this floor. `readings` is asked at each scrape. */
export function createMetrics(registry: Registry, build: { readonly version: string; readonly nodeVersion: string }, readings: () => Readings | undefined) {
  const registers = [registry];
  const info = new Gauge({ name: `${prefix}build_info`, help: 'Always 1; the labels say which build answers. Two values at once: an upgrade is under way.', labelNames: ['version', 'node_version'], registers });
  info.set({ version: build.version, node_version: build.nodeVersion }, 1);
  registerReadings(registry, readings);
  return { ...httpMetrics(registry), ...decisionMetrics(registry), ...fleetMetrics(registry), ...storageMetrics(registry) };
}

function httpMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requestDuration: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from a request to the end of its answer; long polls and streams are not counted. A high quantile means that people and agents wait.',
      labelNames: ['method', 'route', 'code'],
      // Four buckets: routes times codes times buckets must stay within the budget of series.
      buckets: [0.01, 0.1, 1, 10],
      registers,
    }),
    requestsInFlight: new Gauge({ name: 'http_requests_in_flight', help: 'Requests that are being answered, long polls and streams included. Near the connection limit: clients will be refused.', registers }),
    eventStreams: zeroed(new Gauge({ name: `${prefix}event_streams`, help: 'Open event streams and long polls. Far below the number of agents: they cannot reach the control plane.', labelNames: ['kind'], registers }), 'kind', words.stream),
    eventDelivery: new Histogram({ name: `${prefix}event_delivery_duration_seconds`, help: 'Time from an event\'s append to its sending on a live stream. High: readers are slow or the process is busy.', labelNames: ['kind'], buckets: [0.01, 0.1, 1, 10], registers }),
    authFailures: zeroed(new Counter({ name: `${prefix}auth_failures_total`, help: 'Requests refused for who sent them, by reason. A steady rate of wrong-secret or unknown: somebody is guessing, or a token is out of date.', labelNames: ['reason'], registers }), 'reason', words.authFailure),
  };
}

function decisionMetrics(registry: Registry) {
  const registers = [registry];
  return {
    decisions: zeroed(new Counter({ name: `${prefix}decisions_total`, help: 'Decisions taken, by what was decided. Many "lost" or "rollback": roll-outs go badly.', labelNames: ['decision'], registers }), 'decision', words.decision),
    decisionDuration: new Histogram({ name: `${prefix}decision_duration_seconds`, help: 'Time of one decision with its appends and signatures. Above a second: roll-outs proceed in slow motion.', buckets: [0.001, 0.01, 0.1, 1, 10], registers }),
    decisionLastSuccess: new Gauge({ name: `${prefix}decision_last_success_timestamp_seconds`, help: 'When a decision was last completed, since 1970. Older than two minutes: nothing moves any more.', registers }),
    manifestsSigned: zeroed(new Counter({ name: `${prefix}manifests_signed_total`, help: 'Environment manifests and orders signed, by result. Any failure holds up a deployment.', labelNames: ['result'], registers }), 'result', words.signed),
    promotions: new Counter({ name: `${prefix}promotions_total`, help: 'Promotions that ended, by result. A growing share of failed: what is promoted is not good.', labelNames: ['environment', 'result', 'trigger'], registers }),
    promotionDuration: new Histogram({ name: `${prefix}promotion_duration_seconds`, help: 'Time from the wish to its end. Growing: gates, batches or transfers hold it up.', labelNames: ['environment', 'result'], buckets: [10, 60, 600, 3600, 86_400], registers }),
    notifications: new Counter({ name: `${prefix}notifications_total`, help: 'Tries to deliver notices, by channel and what came of them. Failed ones reached nobody: ask `starling notify list --state failed`.', labelNames: ['channel', 'result'], registers }),
    rollbacks: zeroed(new Counter({ name: `${prefix}rollbacks_total`, help: 'Roll-backs begun: automatic after failures, or asked for. Each automatic one is a revision that failed on targets.', labelNames: ['reason'], registers }), 'reason', words.rollbackReason),
  };
}

function fleetMetrics(registry: Registry) {
  const registers = [registry];
  const enrollments = new Counter({ name: `${prefix}enrollments_total`, help: 'Enrolments by result. Many refused: a token is shared, stale, or being guessed.', labelNames: ['method', 'result'], registers });
  for (const result of words.enrollment) enrollments.inc({ method: 'token', result }, 0);
  return {
    enrollments,
    reports: zeroed(new Counter({ name: `${prefix}reports_total`, help: 'Reports of targets by result. Refused ones answer a deployment or an order that is not on record.', labelNames: ['result'], registers }), 'result', words.report),
    rosterFailures: new Counter({ name: `${prefix}roster_failures_total`, help: 'Rosters that could not be signed. Any: who joins or is revoked is not told to the fleet; the log says why.', registers }),
    releases: new Counter({ name: `${prefix}releases_total`, help: 'Revisions that became known. None for long: nobody can publish.', registers }),
    ...transferMetrics(registry),
  };
}

/** Sums over what targets reported of their fetches; which target is the receipt's to say. */
function transferMetrics(registry: Registry) {
  const registers = [registry];
  return {
    originSent: new Counter({ name: `${prefix}origin_sent_bytes_total`, help: 'Bytes that targets fetched from seeds and proxies. Growing with the number of targets: they do not feed one another.', registers }),
    transferred: zeroed(new Counter({ name: `${prefix}transferred_bytes_total`, help: 'Bytes of new releases by where targets found them. What peers carried is egress saved; a low share of it costs money and time.', labelNames: ['source'], registers }), 'source', words.source),
    transferWasted: new Counter({ name: `${prefix}transfer_wasted_bytes_total`, help: 'Bytes that came to targets for nothing. Above a few percent of what is transferred: members lie, or disks are bad.', registers }),
    crossZone: new Counter({ name: `${prefix}cross_zone_bytes_total`, help: 'Bytes that came to targets from members of other zones. More than a copy for each zone: the expensive lines carry too much.', registers }),
  };
}

function storageMetrics(registry: Registry) {
  const registers = [registry];
  const errors = new Counter({ name: `${prefix}storage_errors_total`, help: 'Operations that the journal refused. Any: the disk is full or failing, and nothing can be decided.', labelNames: ['backend', 'operation'], registers });
  for (const operation of words.storage) errors.inc({ backend: 'level', operation }, 0);
  return {
    storageErrors: errors,
    storageDuration: new Histogram({ name: `${prefix}storage_operation_duration_seconds`, help: 'Time of one operation of the journal, waiting for its synced group included. Above 0.1: the disk is slow.', labelNames: ['backend', 'operation'], buckets: [0.001, 0.01, 0.1, 1], registers }),
    journalEntries: new Gauge({ name: `${prefix}journal_entries`, help: 'Entries of the journal, which keeps everything and is read whole at a start: some 5 s and 130 MB for a million, of which nine in ten are reports.', registers }),
    auditRecords: new Counter({ name: `${prefix}audit_records_total`, help: 'Entries appended to the journal. None while people work: appends fail.', registers }),
  };
}

/** Gauges whose value is a question about the state, asked when somebody looks. */
function registerReadings(registry: Registry, readings: () => Readings | undefined): void {
  const gauge = (name: string, help: string, labelNames: readonly string[], read: (source: Readings) => Iterable<{ readonly value: number } & object>): void => {
    // Registered by being made.
    void new Gauge({
      name: `${prefix}${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        const source = readings();
        if (source === undefined) return;
        for (const { value, ...labels } of read(source)) this.set(labels, value);
      },
    });
  };
  gauge('agents', 'Agents by environment and by when they were last heard. Growing stale or offline: machines are down or cut off.', ['environment', 'state'], (source) => source.agents());
  gauge('members_misset', 'Members that are refused because their clock is wrong. Any: `starling doctor` names them; set their clocks by network time.', [], (source) => source.misset());
  gauge('promotions_active', 'Promotions that wait or deploy. One that stays: ask `starling explain`.', ['environment', 'state'], (source) => source.promotionsActive());
  gauge('promotion_blocked', '1 while the oldest waiting promotion of an environment is held by this gate. Long at 1: ask `starling explain`.', ['environment', 'gate'], (source) => source.promotionBlocked());
  gauge('outbox_pending', 'Notices that wait to be delivered. Growing: the channel does not answer.', ['sink'], (source) => source.outboxPending());
  gauge('stage_drift_targets', 'Targets that do not run what their environment wants, while nothing is being deployed. Above 0 for long: they cannot catch up.', ['environment'], (source) => source.driftTargets());
}

interface Labelled {
  inc(labels: Record<string, string>, value: number): void;
}

function zeroed<Collector extends Labelled>(collector: Collector, label: string, values: readonly string[]): Collector {
  for (const value of values) collector.inc({ [label]: value }, 0);
  return collector;
}
