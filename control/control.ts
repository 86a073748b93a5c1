// The control plane, put together: read from the top, this is what it is made of and in which order it starts and stops.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { Registry } from 'prom-client';
import { limits } from '../proto/limits.ts';
import { webOnDemand } from './control-web.ts';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { ControlConfig } from './config.ts';
import { firstToken } from './control-first-token.ts';
import { measured } from './control-journal.ts';
import { listen } from './control-listen.ts';
import { openNotifier } from './control-notify.ts';
import { countEntries, readingsOf } from './control-readings.ts';
import { openState } from './control-state.ts';
import type { Command } from './core/commands/command.ts';
import type { Observed } from './core/model/select.ts';
import { submit } from './fleet/facts.ts';
import { Members } from './fleet/members.ts';
import { Presence } from './fleet/presence.ts';
import { Authenticator } from './http/auth.ts';
import { AuditTrail } from './http/audit-trail.ts';
import { Feed } from './http/feed.ts';
import { IdempotencyKeys } from './http/idempotency.ts';
import { createServer } from './http/server.ts';
import type { Journal } from './journal/journal.ts';
import { openLevelJournal } from './journal/level.ts';
import { ControlError } from './errors.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { systemRandom } from './random.ts';
import type { RandomBytes } from './random.ts';
import { every } from './run/every.ts';
import { createPast } from './run/past.ts';
import { startWork } from './control-work.ts';
import { createReconciler } from './run/reconcile.ts';
import { verifyEnrolment } from './trust/enrolment.ts';
import { openRepository } from './trust/file-repository.ts';
import { createRequestVerifier } from './trust/member-request.ts';
import { createApiToken, createJoinToken, parseToken, secretMatches } from './trust/tokens.ts';

/** What the process hands in; the clock and randomness are the system's when they are left out. */
export interface ControlDependencies {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
  readonly version?: string;
  readonly nodeVersion?: string;
  /** Opens the journal of a directory; `level` when it is left out. */
  readonly openJournal?: (directory: string) => Promise<Journal>;
}

/** A control plane that runs. */
export interface Control {
  /** As it listens: `http://127.0.0.1:7400`. */
  readonly url: string;
  /** As members and people reach it. */
  readonly publicUrl: string;
  /** sha2-256 of 1.root.json: what `starlingd join` pins. */
  readonly rootDigest: string;
  /** The administrator's first token, when this start made one; `<dataDir>/admin.token` has it too. */
  readonly firstToken?: string;
  /** Stops taking requests, ends every wait, finishes what is under way and lets go of the data directory, within 10 s. */
  close(): Promise<void>;
}

/** The longest that closing waits for answers under way. */
const closeWithinMs = 8_000;
/** A loop that has not decided for this long is stuck: it looks at least each minute. */
const decisionStaleMs = 180_000;
const refreshEveryMs = 60_000;

/** JSON lines, one for each event, to `write`: the standard error of `starling control`. */
export function createLog(level: ControlConfig['log']['level'], write: (line: string) => void): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}

/**
 * Starts the control plane of a data directory.
 * @throws {ControlError} DATA_DIRECTORY_IN_USE, PORT_IN_USE, STORAGE_FAILED, CONFIG_INVALID; then nothing of it runs any more.
 */
export async function startControl(config: ControlConfig, dependencies: ControlDependencies): Promise<Control> {
  await using stack = new AsyncDisposableStack();
  const control = await compose(config, dependencies, stack);
  const owned = stack.move();
  return { ...control, close: async () => await owned.disposeAsync() };
}

/** A daemon's directory is no control plane's: the keys and the backups of the two are kept by different people. @throws {ControlError} CONFIG_INVALID. */
async function refuseDaemons(dataDir: string): Promise<void> {
  const [daemon, own] = await Promise.all([exists(join(dataDir, 'membership.json')), exists(join(dataDir, 'journal'))]);
  if (daemon && !own) throw new ControlError('CONFIG_INVALID', `${dataDir} is the data directory of a daemon (starlingd), which has joined a fleet from there: name another with --data-dir`);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}

type Remembering = Pick<Required<ControlDependencies>, 'log' | 'clock' | 'random' | 'nodeVersion' | 'openJournal'> & { readonly metrics: Metrics };

/** Opens what the data directory holds: the journal and the state that it adds up to, the keys and what they signed, the answers to keyed requests. */
async function remember(config: ControlConfig, { log, clock, random, nodeVersion, openJournal, metrics }: Remembering, stack: AsyncDisposableStack) {
  const now = (): number => clock.now();
  await refuseDaemons(config.dataDir);
  const journal = measured(await openJournal(join(config.dataDir, 'journal')), metrics, clock);
  stack.defer(async () => await journal.close());
  const repository = await openRepository({ dataDir: config.dataDir, org: config.org, now, log: log.child({ component: 'trust' }) });
  const projection = await openState({ journal, dataDir: config.dataDir, now, runtime: nodeVersion, log: log.child({ component: 'journal' }) }, stack);
  const idempotency = await IdempotencyKeys.open({ directory: join(config.dataDir, 'idempotency'), random, now });
  stack.defer(async () => await idempotency.close());
  return { journal, repository, projection, idempotency };
}

/** Starts each part and puts on `stack` how to stop it: stopping goes backwards. */
async function compose(config: ControlConfig, dependencies: ControlDependencies, stack: AsyncDisposableStack): Promise<Omit<Control, 'close'>> {
  const { log, clock = systemClock, random = systemRandom, version = '0.1.0', nodeVersion = 'unknown', openJournal = openLevelJournal } = dependencies;
  const now = (): number => clock.now();
  const stopping = new AbortController();
  const { signal } = stopping;
  const startedAt = clock.now();

  // What is remembered.
  const registry = new Registry();
  const presence = new Presence(now);
  const metrics = createMetrics(registry, { version, nodeVersion }, () => readings);
  const { journal, repository, projection, idempotency } = await remember(config, { log, clock, random, nodeVersion, openJournal, metrics }, stack);
  const notifier = await openNotifier(config, { journal, clock, random, metrics, signal, state: () => projection.state(), onChange: (listener) => projection.onChange(listener), log: log.child({ component: 'notify' }) }, stack);
  const token = await firstToken(projection, config.dataDir, clock, random);

  // What decides.
  const observed = (): Observed => ({ now: clock.now(), lastSeen: presence.lastSeen(), since: startedAt, misset: presence.misset() });
  const readings = readingsOf(() => projection.state(), observed, presence, () => notifier);
  projection.onChange((entries) => countEntries(metrics, projection.state(), entries));
  let decidedAt = clock.monotonic();
  const reconciler = createReconciler({ projection, repository, observed, clock, log: log.child({ component: 'reconcile' }), metrics, signal, decided: () => (decidedAt = clock.monotonic()) });

  // What answers.
  const common = { facts: projection, repository, presence, clock, random, metrics, org: config.org, signal };
  const members = new Members({ ...common, returned: () => reconciler.wake(), log: log.child({ component: 'fleet' }), verifyEnrolment });
  const feed = new Feed(projection, journal, config.org);
  const authenticator = new Authenticator({ state: () => projection.state(), tokens: { parse: parseToken, matches: secretMatches }, clock, metrics });
  const give = async (actor: string, command: Command) => await submit(projection, actor, command, clock);
  const work = await startWork({ facts: projection, submit: give, observed, dataDir: config.dataDir, clock, random, log: log.child({ component: 'work' }), signal });
  let url = '';
  const publicUrl = (): string => (config.publicUrl ?? url).replace(/\/$/, '');
  const { app } = await createServer({
    ...common,
    log: log.child({ component: 'http' }),
    state: () => projection.state(),
    submit: give,
    ...work.options,
    observed,
    past: createPast(journal),
    authenticator,
    idempotency,
    feed,
    notifier, audit: new AuditTrail(journal, projection),
    fleet: members,
    verifier: createRequestVerifier({ publicKeyOf: (id) => memberKey(projection.state(), id), now }),
    tokens: { createApi: createApiToken, createJoin: createJoinToken },
    about: { org: config.org, version, startedAt, developmentKeys: repository.rootFile().includes('"development_keys":true'), publicUrl },
    ...webOnDemand(log.child({ component: 'web' }), clock), streamsMax: config.eventStreamsMax,
    registry,
    metricsAccess: config.metrics,
    checks: checksOf(() => clock.monotonic() - decidedAt, signal),
  });

  // From here on it lives.
  const loops = [
    reconciler.run(),
    notifier.run(),
    ...work.loops(),
    every({ name: 'refresh trust', everyMs: refreshEveryMs, task: async () => await repository.refresh() }, { clock, log, signal }),
  ];
  stack.defer(async () => {
    stopping.abort();
    members.close();
    feed.close();
    await Promise.all(loops);
  });
  const listening = await listen(app, config, { clock, closeWithinMs, stopping });
  stack.defer(async () => await listening.close());
  url = listening.url;
  log.info({ url, publicUrl: publicUrl(), rootDigest: repository.rootDigest(), entries: projection.state().head, syncWaitMs: limits.syncWaitMs }, 'the control plane is running');
  return { url, publicUrl: publicUrl(), rootDigest: repository.rootDigest(), ...(token === undefined ? {} : { firstToken: token }) };
}

/** What must be so for the control plane to be healthy: words when it is not. */
function checksOf(undecidedMs: () => number, signal: AbortSignal) {
  return {
    decisions: () => (undecidedMs() > decisionStaleMs ? `none for ${Math.round(undecidedMs() / 1000)} s` : undefined),
    stopping: () => (signal.aborted ? 'the control plane is stopping' : undefined),
  };
}

function memberKey(state: ReturnType<Parameters<typeof readingsOf>[0]>, id: string): string | undefined {
  const member = state.members.get(id);
  return member === undefined || member.revoked ? undefined : member.publicKey;
}
