// The composition root of the daemon, top to bottom: identity and trust, the swarm, the roles, the loops. Nothing is decided here.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { Running } from '../proto/fleet.ts';
import type { Certificate } from '../proto/statement.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { AgentDeps, AgentRole } from './daemon-agent.ts';
import { readMembership, writeMembership, type Membership } from './daemon-join.ts';
import { ownDataDirectory } from './daemon-owner.ts';
import type { RoleDeps, SeedRole } from './daemon-seed.ts';
import { openManifests } from './content/manifests.ts';
import { DaemonError } from './errors.ts';
import { type LocalView, serveLocally } from './http/local.ts';
import { systemProcesses } from './install/machine/processes.ts';
import { createHttpLink } from './link/http-link.ts';
import type { Logger } from './log.ts';
import { createMetrics } from './metrics.ts';
import type { Random } from './random.ts';
import { openDeltaFiles } from './run/delta/files.ts';
import { createDeltaDesk, createDeltaShelf, setsMax } from './run/delta/shelf.ts';
import { createLibrary } from './run/library.ts';
import { syncLoop, type SyncDeps } from './run/sync.ts';
import { openRates } from './daemon-rates.ts';
import { openSwarm } from './daemon-swarm.ts';
import type { Swarm, SwarmRates } from './swarm/swarm.ts';
import { openTrust } from './trust/file-trust.ts';
import { createIdentity } from './trust/identity/identity.ts';
import { createRequestSigner } from './trust/identity/member-request.ts';

/** What the world gives a daemon. */
export interface DaemonDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The runtime, for the processes that the daemon starts. */
  readonly execPath: string;
  /** `PATH` of applications and hooks. */
  readonly searchPath: string;
  /** `process.kill`: signals to the applications that the daemon supervises. */
  readonly kill: AgentDeps['kill'];
  readonly version: string;
  readonly nodeVersion: string;
}

/** A daemon that runs. */
export interface Daemon {
  readonly member: string;
  readonly addresses: readonly string[];
  readonly httpUrl: string;
  /** Stops the loops, then what they used, in reverse order. */
  close(): Promise<void>;
}

/**
 * The signal ends a start; what has started is ended by {@link Daemon.close}.
 * @throws {DaemonError} CONFIG_INVALID when this machine is no member yet; PORT_IN_USE; DATA_DIRECTORY_IN_USE; STORAGE_FAILED; ABORTED.
 */
export async function startDaemon(config: Config, deps: DaemonDeps, { signal }: { readonly signal: AbortSignal }): Promise<Daemon> {
  await using stack = new AsyncDisposableStack();
  const stop = new AbortController();
  // Before anything of the stack, which waits for the loops: also when the start fails.
  using ending = new DisposableStack();
  const end = (): void => stop.abort(new DaemonError('ABORTED', 'the daemon is stopping'));
  ending.defer(end);
  ending.defer(() => signal.removeEventListener('abort', end));
  signal.addEventListener('abort', end, { once: true });
  const { clock, random, log } = deps;
  // Before anything is made: a mistyped directory is not filled with a new identity.
  await requireMembership(config.dataDir, true);
  stack.use(await ownDataDirectory(config.dataDir, systemProcesses({ kill: deps.kill, clock })));
  const registry = new Registry();
  const metrics = createMetrics(registry, deps);

  const identity = await createIdentity(config.dataDir);
  const trust = await openTrust({ dataDir: config.dataDir, pin: undefined, now: () => clock.now() });
  let membership = await requireMembership(config.dataDir, trust.isPinned());
  metrics.enrolled.set(1);
  const link = createHttpLink(membership.url, createRequestSigner(identity, { now: () => clock.now(), random: (length) => random.bytes(length) }));
  const certificate = await firstCertificate(membership, { trust, link, member: identity.member, log, clock, signal: stop.signal });

  const manifests = await openManifests(join(config.dataDir, 'manifests'));
  const desk = createDeltaDesk();
  const rates = openRates(config.rates, { clock, metrics });
  const swarm = stack.use(await openSwarm(config, { identity, rates, trust, manifests, deltas: desk.source, metrics, clock, random, log: log.child({ component: 'swarm' }), certificate: () => membership.certificate }));
  const library = createLibrary({ manifests, swarm, link, log, origin: isSeed(config) });
  stack.defer(() => library.close());
  const shelf = createDeltaShelf({ files: await openDeltaFiles(join(config.dataDir, 'deltas')), swarm, log, setsMax: setsMax[isSeed(config) ? 'origin' : 'agent'] });
  stack.defer(() => shelf.close());
  const shared = { config, trust, identity, swarm, manifests, library, deltas: { desk, shelf }, link, metrics, clock, random, registry, stop: stop.signal, log };

  // What a role is made of is read by those who have it: a database and the encoders by no agent.
  const seed: SeedRole | undefined = isSeed(config) ? stack.use(await (await import('./daemon-seed.ts')).openSeed(shared)) : undefined;
  const agent: AgentRole | undefined = config.roles.includes('agent') ? stack.use(await (await import('./daemon-agent.ts')).openAgent({ ...shared, execPath: deps.execPath, searchPath: deps.searchPath, kill: deps.kill, seed: seed?.chunks })) : undefined;

  const heard: Heard = { metadata: trust.roster() !== undefined };
  const loop = syncLoop(conversation({ ...shared, deps, member: identity.member, swarm, rates, seed, agent, certificate, heard, replaceMembership: async (compact) => {
    membership = { ...membership, certificate: compact };
    await writeMembership(config.dataDir, membership);
  } }), stop.signal);
  stack.defer(async () => await loop);
  const { url: httpUrl } = stack.use(await serveLocally(config.http, { registry, view: localAnswers({ ...shared, deps, seed, agent, heard, controlPlane: membership.url }), clock, log }));
  await writeFile(join(config.dataDir, 'http.url'), `${httpUrl}\n`);
  seed?.refresh();
  await agent?.orders.resume();

  signal.throwIfAborted();
  stack.use(ending.move());
  const owned = stack.move();
  return { member: identity.member, addresses: swarm.addresses(), httpUrl, close: async () => await owned.disposeAsync() };
}

/** What the daemon has heard since it started: until then it is not ready. */
interface Heard {
  metadata: boolean;
  /** Why the control plane does not answer, and since when; absent while it does. */
  trouble?: { readonly since: string; readonly message: string } | undefined;
}

interface LocalParts extends RoleDeps {
  readonly deps: DaemonDeps;
  readonly swarm: Swarm;
  readonly seed: SeedRole | undefined;
  readonly agent: AgentRole | undefined;
  readonly heard: Heard;
  readonly controlPlane: string;
}

/** What the local API says of this daemon. */
function localAnswers({ config, deps, identity, trust, swarm, seed, agent, heard, controlPlane }: LocalParts): LocalView {
  return {
    unready: () => (heard.metadata ? [] : ['the first answer of the control plane']),
    status: async () => ({
      member: identity.member,
      name: config.name,
      roles: config.roles,
      version: deps.version,
      controlPlane,
      controlPlaneTrouble: heard.trouble,
      freshness: trust.freshness(),
      addresses: swarm.addresses(),
      neighbours: swarm.neighbours(),
      apps: (await agent?.installer.status()) ?? [],
      drifted: agent?.drift.drifted() ?? [],
      uploadUrl: seed?.uploadUrl,
    }),
  };
}

interface ConversationParts extends RoleDeps {
  readonly deps: DaemonDeps;
  readonly member: string;
  readonly swarm: Swarm;
  readonly rates: SwarmRates;
  readonly seed: SeedRole | undefined;
  readonly agent: AgentRole | undefined;
  readonly certificate: CurrentCertificate;
  readonly heard: Heard;
  readonly replaceMembership: (compact: string) => Promise<void>;
}

/** What is said to the control plane, and who takes its answers. */
function conversation({ link, trust, clock, metrics, log, random, swarm, library, rates, seed, agent, certificate, ...parts }: ConversationParts): SyncDeps {
  return {
    link, trust, clock, metrics, log, random: () => random.unit(),
    audience: () => ({ member: parts.member, environments: certificate.current().environments }),
    describe: async () => ({
      addresses: [...swarm.addresses()],
      ...(seed?.uploadUrl === undefined ? {} : { uploadUrl: seed.uploadUrl }),
      running: await running(agent),
      progress: [...(agent?.orders.progress() ?? [])],
      rates: rates.declared(),
      version: parts.deps.version,
    }),
    ...(agent === undefined ? {} : { ride: agent.ride }),
    onManifests: (manifests) => library.expect(manifests),
    onRoster: (roster) => swarm.setRoster(roster),
    onCertificate: async (compact) => {
      certificate.replace(await trust.verifyCertificate(compact, parts.member));
      await parts.replaceMembership(compact);
    },
    onMetadata: () => {
      parts.heard.metadata = true;
      seed?.refresh();
    },
    onAnswer: (trouble) => {
      parts.heard.trouble = trouble === undefined ? undefined : { since: parts.heard.trouble?.since ?? new Date(clock.now()).toISOString(), message: trouble.message };
    },
    onOrder: async (order) => await agent?.orders.accept(order),
  };
}

function isSeed(config: Config): boolean {
  return config.roles.includes('seed') || config.roles.includes('proxy');
}

async function requireMembership(dataDir: string, pinned: boolean): Promise<Membership> {
  const membership = await readMembership(dataDir);
  if (membership === undefined || !pinned) {
    throw new DaemonError('CONFIG_INVALID', `this machine is not a member yet (${dataDir} holds no membership): run \`starlingd join URL --token-file FILE\` first; \`starling token create --join\` makes the token`);
  }
  return membership;
}

async function running(agent: AgentRole | undefined): Promise<Running[]> {
  const apps = (await agent?.installer.status()) ?? [];
  return apps.flatMap(({ app, current }) => {
    if (current === undefined) return [];
    const { environment, revision, revisionNumber, healthy, directory } = current;
    const drifted = agent?.drift.count(directory) ?? 0;
    return [{ app, environment, revision, revisionNumber, healthy, ...(drifted === 0 ? {} : { drifted }) }];
  });
}

interface FirstCertificateDeps {
  readonly trust: Awaited<ReturnType<typeof openTrust>>;
  readonly link: ReturnType<typeof createHttpLink>;
  readonly member: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface CurrentCertificate {
  current(): Certificate;
  replace(certificate: Certificate): void;
}

/** Before the first metadata is here nothing can be verified, our own certificate included: it is fetched first, as long as it takes. */
async function firstCertificate(membership: Membership, { trust, link, member, clock, log, signal }: FirstCertificateDeps): Promise<CurrentCertificate> {
  const retryMs = 1_000;
  while (trust.versions()['targets'] === undefined) {
    signal.throwIfAborted();
    try {
      const reply = await link.sync({ seqSeen: {}, metadata: { ...trust.versions() }, rosterEpoch: 0, addresses: [], running: [], progress: [], waitMs: 0, version: '' }, { signal });
      const { refused } = await trust.update(reply.metadata);
      if (refused !== undefined) throw refused;
    } catch (cause) {
      log.warn({ err: cause }, 'the first metadata is not here yet');
      await clock.wait(retryMs, { signal }).catch(() => undefined);
    }
  }
  let certificate = await trust.verifyCertificate(membership.certificate, member);
  return {
    current: () => certificate,
    replace: (newer) => {
      certificate = newer;
    },
  };
}
