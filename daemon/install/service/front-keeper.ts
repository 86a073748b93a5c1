// Keeps one front running for an application's port, and finds the one that an earlier daemon started. What the front does
// is front.ts; where it leads is supervisor.ts.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DaemonError } from '../../errors.ts';
import { replaceFile } from '../machine/disk.ts';
import { installLimits } from '../limits.ts';
import type { ProcessIdentity } from '../machine/processes.ts';
import { member, readJson, type SupervisorTools } from './supervised.ts';

/** Counts up when front.ts changes in a way that matters: a front of another version is replaced, at the cost of its connections. */
const frontVersion = 1;

export class FrontKeeper {
  readonly #tools: SupervisorTools;
  readonly #ready: string;
  readonly #tag: string;
  #front: ProcessIdentity | undefined;
  #port: number | undefined;
  #starting: Promise<void> | undefined;

  constructor(tools: SupervisorTools) {
    this.#tools = tools;
    this.#ready = join(tools.at.state, 'front.json');
    this.#tag = `${tools.tag}:front:${frontVersion}:${tools.host}:${tools.port ?? 'none'}`;
  }

  /** Where it listens; not known before `ensure`. */
  get port(): number | undefined {
    return this.#port;
  }

  /**
   * Sees that the front listens, when the application has a port.
   * @throws {DaemonError} PORT_IN_USE; ACTIVATION_FAILED when it does not start in `installLimits.frontStartMs`.
   */
  async ensure(signal: AbortSignal): Promise<void> {
    const { processes, port } = this.#tools;
    if (port === undefined || (this.#front !== undefined && processes.alive(this.#front))) return;
    this.#starting ??= this.#adoptOrStart(port, signal);
    try {
      await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  async #adoptOrStart(port: number, signal: AbortSignal): Promise<void> {
    const { processes, at, disk, host, node, log } = this.#tools;
    const fronts = processes.tagged(`${this.#tools.tag}:front:`).filter(({ leader }) => leader);
    const mine = fronts.find(({ tag }) => tag === this.#tag);
    for (const other of fronts) if (other !== mine) await this.#kill(other);
    if (mine === undefined) {
      await disk.remove(this.#ready);
      const input = join(at.state, 'front-config.json');
      const config = { host, port, backend: join(at.state, 'backend.json'), ready: this.#ready, tag: this.#tag };
      await replaceFile(disk, input, JSON.stringify(config));
      const program = {
        argv: [node, fileURLToPath(new URL('./front.ts', import.meta.url))],
        directory: at.state,
        environment: { LANG: 'C.UTF-8' },
        tag: this.#tag,
      };
      this.#front = await processes.start(program, { output: join(at.state, 'front.log'), input });
      log.info({ pid: this.#front.pid, host, port }, 'front started');
    } else {
      this.#front = mine;
    }
    await this.#untilReady(this.#front, port, signal);
  }

  async #untilReady(front: ProcessIdentity, port: number, signal: AbortSignal): Promise<void> {
    const { disk, clock, processes, host } = this.#tools;
    const deadline = clock.monotonic() + installLimits.frontStartMs;
    for (;;) {
      const alive = processes.alive(front);
      const news = await readJson(disk, this.#ready);
      if (member(news, 'tag') === this.#tag) {
        const listening = member(news, 'port');
        if (typeof listening === 'number' && alive) {
          this.#port = listening;
          return;
        }
        const error = member(news, 'error');
        if (error === 'EADDRINUSE') {
          throw new DaemonError('PORT_IN_USE', `port ${port} on ${host} is in use by another program: stop it, or configure another port`);
        }
        if (error !== undefined) throw new DaemonError('ACTIVATION_FAILED', `cannot listen on port ${port} on ${host} (${JSON.stringify(error)})`);
      }
      if (!alive || clock.monotonic() >= deadline) {
        await this.#kill(front);
        throw new DaemonError('ACTIVATION_FAILED', `the front for port ${port} did not start: see front.log in ${this.#tools.at.state}`);
      }
      await clock.wait(installLimits.pollMs, { signal });
    }
  }

  async #kill(front: ProcessIdentity): Promise<void> {
    const { processes, clock } = this.#tools;
    processes.signal(front, 'SIGKILL');
    while (processes.alive(front)) await clock.wait(installLimits.pollMs, { signal: new AbortController().signal });
  }

  /** Ends the front and with it the connections through it. */
  async end(): Promise<void> {
    const { processes, tag } = this.#tools;
    await this.#starting?.catch(() => {});
    for (const front of processes.tagged(`${tag}:front:`)) await this.#kill(front);
    this.#front = undefined;
    this.#port = undefined;
  }
}
