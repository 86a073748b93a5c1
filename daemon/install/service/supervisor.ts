// The built-in supervisor: runs an application's releases as processes of their own, each on its own port, with the front
// on the application's port. The old release answers until the new one is healthy. All of it outlives the daemon and is
// found again: by process id and start time from a file, and by the tag in the environment for what a crash kept out of it.

import { join } from 'node:path';
import { DaemonError } from '../../errors.ts';
import { replaceFile } from '../machine/disk.ts';
import { FrontKeeper } from './front-keeper.ts';
import { adopted, drained, ended, type Instance, unstarted } from './instance.ts';
import { installLimits } from '../limits.ts';
import { freePort } from '../machine/ports.ts';
import type { RunnableRelease, ServiceManager, ServiceStatus } from './service.ts';
import { readSupervised, type SupervisorTools } from './supervised.ts';

interface Waiting {
  readonly signal: AbortSignal;
}

export class Supervisor implements ServiceManager {
  readonly #tools: SupervisorTools;
  readonly #front: FrontKeeper;
  readonly #instances = new Map<string, Instance>();
  readonly #lifetime = new AbortController();
  #active: string | undefined;
  #adopted: Promise<void> | undefined;
  #loop: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #serial = 0;

  constructor(tools: SupervisorTools) {
    this.#tools = tools;
    this.#front = new FrontKeeper(tools);
  }

  /** Port of the front, once it listens. */
  get port(): number | undefined {
    return this.#front.port;
  }

  async resume(release: RunnableRelease, { signal }: Waiting): Promise<void> {
    await this.#begin(signal);
    await this.#ensure(release);
    await this.#activate(release.id);
    await this.#stopOthers(release.id, { drain: false });
  }

  async switchTo(next: RunnableRelease, from: RunnableRelease | undefined, { signal }: Waiting): Promise<void> {
    await this.#begin(signal);
    const old = from === undefined ? undefined : this.#instances.get(from.id);
    if (old !== undefined) old.release = from;
    await this.#ensure(next);
  }

  async settle(next: RunnableRelease, { signal }: Waiting): Promise<void> {
    await this.#begin(signal);
    await this.#ensure(next);
    await this.#activate(next.id);
  }

  async retire(next: RunnableRelease, _from: RunnableRelease | undefined, { signal }: Waiting): Promise<void> {
    await this.#begin(signal);
    await this.#stopOthers(next.id, { drain: true });
  }

  async revert(to: RunnableRelease, _failed: RunnableRelease | undefined, { signal }: Waiting): Promise<void> {
    await this.#begin(signal);
    await this.#ensure(to);
    await this.#activate(to.id);
    await this.#stopOthers(to.id, { drain: false });
  }

  async stop(_release: RunnableRelease | undefined, _options: Waiting): Promise<void> {
    await this.#adopt();
    await this.#stopOthers(undefined, { drain: false });
    await this.#front.end();
    await this.#activate(undefined);
  }

  async status(release: RunnableRelease): Promise<ServiceStatus> {
    await this.#adopt();
    const instance = this.#instances.get(release.id);
    if (instance === undefined) return { state: 'stopped', restarts: 0, detail: 'not running' };
    const { restarts, port, identity } = instance;
    if (this.#tools.processes.alive(identity)) return { state: 'active', restarts, port, pid: identity.pid };
    return { state: 'starting', restarts, port, detail: 'ended, waiting to be started again' };
  }

  async close(how: 'stop' | 'leave'): Promise<void> {
    this.#lifetime.abort();
    await this.#loop;
    if (how === 'stop') await this.stop(undefined, { signal: this.#lifetime.signal });
  }

  async #begin(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#adopt();
    await this.#front.ensure(this.#lifetime.signal);
    this.#loop ??= this.#watch();
  }

  /** Finds what an earlier daemon left running: once, before anything is started. */
  async #adopt(): Promise<void> {
    this.#adopted ??= this.#findInstances();
    try {
      await this.#adopted;
    } catch (error) {
      this.#adopted = undefined;
      throw error;
    }
  }

  async #findInstances(): Promise<void> {
    const { at, disk, processes, tag, clock } = this.#tools;
    const written = await readSupervised(disk, at);
    const running = processes
      .tagged(`${tag}:run:`)
      .filter(({ leader }) => leader)
      .map((found) => ({ pid: found.pid, startTime: found.startTime, tag: found.tag }));
    const known = written.instances.filter((instance) => processes.alive(instance));
    for (const found of [...known, ...running]) {
      const [release = '', port] = found.tag.slice(`${tag}:run:`.length).split(':');
      const before = this.#instances.get(release);
      if (before?.identity.pid === found.pid) continue;
      if (before !== undefined) {
        // A second copy of one release: a daemon was killed between starting it and writing it down.
        processes.signal(found, 'SIGKILL');
        continue;
      }
      this.#instances.set(release, adopted(release, Number(port), found, clock.monotonic()));
    }
    this.#active = written.active;
  }

  async #ensure(release: RunnableRelease): Promise<void> {
    const found = this.#instances.get(release.id);
    if (found !== undefined) {
      found.release = release;
      await found.starting;
      if (this.#tools.processes.alive(found.identity)) return;
      this.#instances.delete(release.id);
    }
    const instance = unstarted(release);
    this.#instances.set(release.id, instance);
    try {
      await this.#start(instance, release);
    } catch (error) {
      this.#instances.delete(release.id);
      throw error;
    }
  }

  async #start(instance: Instance, release: RunnableRelease): Promise<void> {
    instance.starting = this.#startNow(instance, release);
    try {
      await instance.starting;
    } finally {
      instance.starting = undefined;
    }
  }

  async #startNow(instance: Instance, release: RunnableRelease): Promise<void> {
    const { at, processes, clock, log, searchPath, tag } = this.#tools;
    if (release.service.manager !== 'process') throw new DaemonError('ACTIVATION_FAILED', `release ${release.id} is not run by the supervisor`);
    instance.port = await freePort();
    this.#serial += 1;
    instance.tag = `${tag}:run:${release.id}:${instance.port}:${this.#serial}`;
    const environment = { PATH: searchPath, LANG: 'C.UTF-8', ...release.environment, ...release.service.env, PORT: String(instance.port) };
    instance.startedAt = clock.monotonic();
    instance.restartAt = undefined;
    const program = { argv: release.service.command, directory: release.directory, environment, tag: instance.tag };
    instance.identity = await processes.start(program, { output: at.instanceLog });
    log.info({ release: release.id, pid: instance.identity.pid, port: instance.port }, 'instance started');
    await this.#write();
    // The front knows the active instance by its port, which is another one after a restart.
    if (this.#active === release.id) await this.#activate(release.id);
  }

  /** Lets the front pass new connections to a release, from the next one on. */
  async #activate(release: string | undefined): Promise<void> {
    const { at, disk } = this.#tools;
    this.#active = release;
    const instance = release === undefined ? undefined : this.#instances.get(release);
    await this.#inTurn(async () => {
      const backend = instance === undefined ? {} : { release, port: instance.port };
      await replaceFile(disk, join(at.state, 'backend.json'), JSON.stringify(backend));
    });
  }

  async #stopOthers(keep: string | undefined, { drain }: { readonly drain: boolean }): Promise<void> {
    const others = [...this.#instances.values()].filter(({ id }) => id !== keep);
    // Out of the map first: the watch must not start again what is being stopped.
    for (const { id } of others) this.#instances.delete(id);
    await Promise.all(
      others.map(async (instance) => {
        await instance.starting?.catch(() => {});
        if (drain) await drained(instance, this.#tools, this.#lifetime.signal);
        await ended(instance, this.#tools);
      }),
    );
    if (others.length > 0) await this.#write();
  }

  async #write(): Promise<void> {
    const { at, disk } = this.#tools;
    await this.#inTurn(async () => {
      const instances = [...this.#instances.values()].filter(({ tag }) => tag !== '').map(({ identity, tag }) => ({ ...identity, tag }));
      await replaceFile(disk, join(at.state, 'process.json'), JSON.stringify({ instances }));
    });
  }

  /** The state files are replaced through one temporary name: one writer at a time. */
  async #inTurn(write: () => Promise<void>): Promise<void> {
    const before = this.#writing;
    const work = (async () => {
      await before;
      await write();
    })();
    this.#writing = work.catch(() => {});
    await work;
  }

  /** Looks after the processes until the daemon ends. */
  async #watch(): Promise<void> {
    const { signal } = this.#lifetime;
    const { clock, log } = this.#tools;
    while (!signal.aborted) {
      try {
        await clock.wait(installLimits.supervisorTickMs, { signal });
        await this.#tick();
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, 'cannot look after the instances, trying again');
      }
    }
  }

  async #tick(): Promise<void> {
    const { processes, clock, log, disk, at } = this.#tools;
    for (const instance of this.#instances.values()) {
      const { release } = instance;
      if (release === undefined || instance.starting !== undefined || processes.alive(instance.identity)) continue;
      const now = clock.monotonic();
      if (instance.restartAt === undefined) {
        if (now - instance.startedAt > installLimits.restartQuietMs) instance.restarts = 0;
        const delay = Math.min(installLimits.restartDelayMsMax, installLimits.restartDelayMsMin * 2 ** instance.restarts);
        instance.restarts += 1;
        instance.restartAt = now + delay;
        log.warn({ release: instance.id, restarts: instance.restarts, delayMs: delay }, 'instance ended by itself');
      } else if (now >= instance.restartAt) {
        // Until this succeeds it is not running, so the next tick is another try, later.
        instance.restartAt = undefined;
        await this.#start(instance, release);
        if (this.#instances.get(instance.id) !== instance) await ended(instance, this.#tools);
      }
    }
    // Not while it is ended: the front is only kept for something that runs.
    if (this.#instances.size > 0) await this.#front.ensure(this.#lifetime.signal);
    const appLog = at.instanceLog;
    if ((await disk.size(appLog)) > installLimits.logBytesMax) await disk.rotate(appLog);
  }
}
