// One application on this machine: its root, journal, releases and service, and the questions that every step asks of them.
// The steps themselves are activation.ts, what a start of the daemon does is recovery.ts.

import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { type DeploySpec, DeploySpecSchema, type LifecycleEvent } from '../../proto/deploy-spec.ts';
import type { Clock } from '../clock.ts';
import { type Found, isReleaseId, type JournalledOrder, releaseId, type ReleaseId } from '../core/release/activate.ts';
import { expendable } from '../core/release/retain.ts';
import { DaemonError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Disk, replaceFile } from './machine/disk.ts';
import { type HookContext, type HookResult, type HookTools, runHooks } from './hooks.ts';
import type { InstalledApp, InstalledRelease } from './installer.ts';
import { type Layout, point, pointed, removeRelease } from './layout.ts';
import { Ledger } from './journal/ledger.ts';
import { leaveDirectory, takeDirectory } from './machine/owner.ts';
import type { Processes } from './machine/processes.ts';
import type { RunnableRelease, ServiceManager } from './service/service.ts';
import { readJson } from './service/supervised.ts';

/** What is written down about a release when it is staged; a directory without it is not a release. */
const storedReleaseSchema = Type.Object({
  revision: Type.String(),
  revisionNumber: Type.Integer(),
  environment: Type.String(),
  spec: DeploySpecSchema,
});
type StoredRelease = Static<typeof storedReleaseSchema>;

function isStored(value: unknown): value is StoredRelease {
  return Value.Check(storedReleaseSchema, value);
}

/** A whole release on disk. */
export interface Release extends InstalledRelease {
  readonly id: ReleaseId;
  readonly spec: DeploySpec;
  readonly runnable: RunnableRelease;
}

export interface ApplicationTools {
  readonly name: string;
  readonly at: Layout;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly service: ServiceManager;
  readonly tag: string;
  readonly searchPath: string;
  /** Where the application is reached; asked each time, because the front may choose it. */
  readonly port: () => number | undefined;
}

const defaultKeepReleases = 5;

export class Application {
  readonly tools: ApplicationTools;
  readonly ledger: Ledger;
  /** An installation is under way in this process. */
  busy = false;
  /** The journal failed or was never read: nothing may be done before `recover`. */
  recovered = false;
  #owned = false;
  /** What was written down about the releases that are here: each is asked for dozens of times in a deployment, and nobody else writes them. */
  readonly #stored = new Map<ReleaseId, StoredRelease>();

  constructor(tools: ApplicationTools) {
    this.tools = tools;
    this.ledger = new Ledger(tools.disk, tools.at.journal, tools.clock);
  }

  /** @throws {DaemonError} DATA_DIRECTORY_IN_USE when another living daemon has this root. */
  async own(): Promise<void> {
    const { disk, at, processes } = this.tools;
    const other = await takeDirectory(disk, at.state, processes);
    if (other !== undefined) throw new DaemonError('DATA_DIRECTORY_IN_USE', `${at.root} is in use by process ${other.pid}: stop it, or configure another root`);
    this.#owned = true;
  }

  /** Ends, or leaves, what runs here, and the root to the next daemon. One that is another's is left alone, with all that runs there. */
  async close(how: 'stop' | 'leave'): Promise<void> {
    const { disk, at, processes, service } = this.tools;
    await service.close(this.#owned ? how : 'leave');
    if (this.#owned) await leaveDirectory(disk, at.state, processes);
    this.#owned = false;
  }

  /** Writes down what a release is, before its directory gets its name. */
  async store(order: JournalledOrder, spec: DeploySpec): Promise<void> {
    const { disk, at } = this.tools;
    const { revision, revisionNumber, environment } = order;
    const stored: StoredRelease = { revision, revisionNumber, environment, spec };
    const id = releaseId(revisionNumber, revision);
    this.#stored.delete(id);
    await replaceFile(disk, join(at.records, `${id}.json`), JSON.stringify(stored));
  }

  /** A release by its id, if it is whole. */
  async release(id: string): Promise<Release | undefined> {
    const { disk, at, name } = this.tools;
    const directory = join(at.releases, id);
    if (!isReleaseId(id)) return undefined;
    if ((await disk.kind(directory)) !== 'directory') {
      this.#stored.delete(id);
      return undefined;
    }
    const stored = this.#stored.get(id) ?? (await this.#read(id));
    if (stored === undefined) return undefined;
    const { revision, revisionNumber, environment, spec } = stored;
    const runnable: RunnableRelease = {
      id,
      directory,
      service: spec.service,
      environment: {
        STARLING_APP: name,
        STARLING_ENVIRONMENT: environment,
        STARLING_REVISION: revision,
        STARLING_RELEASE_DIR: directory,
        STARLING_SHARED_DIR: at.shared,
      },
    };
    const bad = (await disk.kind(join(at.bad, id))) !== undefined;
    return { id, revision, revisionNumber, environment, directory, bad, spec, runnable };
  }

  async #read(id: ReleaseId): Promise<StoredRelease | undefined> {
    const { disk, at } = this.tools;
    const stored = await readJson(disk, join(at.records, `${id}.json`));
    if (!isStored(stored)) return undefined;
    this.#stored.set(id, stored);
    return stored;
  }

  /** Whole releases, ascending by number. */
  async releases(): Promise<readonly Release[]> {
    const { disk, at } = this.tools;
    const found = await Promise.all((await disk.list(at.releases)).map(async (id) => await this.release(id)));
    return found.filter((release) => release !== undefined).toSorted((a, b) => a.revisionNumber - b.revisionNumber);
  }

  /** What the recovery table asks of the disk; `releases` are those that were just looked for. */
  async found(releases?: readonly Release[]): Promise<Found> {
    const { disk, at, clock } = this.tools;
    const complete = new Set((releases ?? (await this.releases())).map(({ id }) => id));
    const [stable, previous] = await Promise.all([this.#marked(at.stable), this.#marked(at.previous)]);
    return {
      current: await pointed(disk, at, at.current),
      complete,
      damaged: this.ledger.damaged,
      now: clock.now(),
      ...(stable === undefined ? {} : { stable }),
      ...(previous === undefined ? {} : { previous }),
    };
  }

  async #marked(link: string): Promise<ReleaseId | undefined> {
    const at = await pointed(this.tools.disk, this.tools.at, link);
    return at === 'nothing' || at === 'foreign' ? undefined : at;
  }

  /** Runs an event's hooks in the release that they come from; passed when it has none. */
  async hook(
    event: LifecycleEvent,
    release: Pick<Release, 'spec' | 'directory'> | undefined,
    context: HookContext,
    options: { readonly signal: AbortSignal },
  ): Promise<HookResult> {
    const hooks = release?.spec.hooks?.[event] ?? [];
    if (release === undefined || hooks.length === 0) return { kind: 'passed' };
    const tools: HookTools = this.tools;
    return await runHooks(event, hooks, release.directory, context, tools, options);
  }

  async markBad(id: ReleaseId, reason: string): Promise<void> {
    await this.tools.disk.writeSynced(join(this.tools.at.bad, id), `${reason}\n`);
  }

  async markGood(id: ReleaseId): Promise<void> {
    await this.tools.disk.remove(join(this.tools.at.bad, id));
  }

  async markStable(revision: string): Promise<void> {
    const { disk, at } = this.tools;
    const release = (await this.releases()).find((each) => each.revision === revision);
    // Gone since, or never here: then there is nothing to fall back to, and what was stable before stays.
    if (release !== undefined && (await this.#marked(at.stable)) !== release.id) await point(disk, at, at.stable, release.id);
  }

  /** Removes what no rule keeps, by the spec of the release that runs. */
  async cleanUp(): Promise<readonly ReleaseId[]> {
    const { disk, at } = this.tools;
    const releases = await this.releases();
    const { current, previous, stable } = await this.found(releases);
    const keep = releases.find(({ id }) => id === current)?.spec.install.keepReleases ?? defaultKeepReleases;
    const { inFlight } = this.ledger.state;
    const removing = expendable(releases, keep, { current, previous, stable, inFlight: [inFlight?.to, inFlight?.from] });
    for (const id of removing) await removeRelease(disk, at, id);
    return removing;
  }

  async status(): Promise<InstalledApp> {
    const { name, at, service, port } = this.tools;
    const all = await this.releases();
    const { current, previous, stable } = await this.found(all);
    const running = all.find(({ id }) => id === current);
    const healthy = running !== undefined && (await service.status(running.runnable).catch(() => undefined))?.state === 'active';
    const reached = port();
    return {
      app: name,
      root: at.root,
      releases: all.map(shown),
      ...(running === undefined ? {} : { current: { ...shown(running), healthy } }),
      ...(previous === undefined ? {} : { previous }),
      ...(stable === undefined ? {} : { stable }),
      ...(reached === undefined ? {} : { port: reached }),
    };
  }
}

function shown({ id, revision, revisionNumber, environment, directory, bad }: Release): InstalledRelease {
  return { id, revision, revisionNumber, environment, directory, bad };
}
