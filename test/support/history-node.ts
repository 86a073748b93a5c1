// One control plane process of a simulation: the real projection and the real reconciler over a journal that several processes
// share. Between any two steps it may be killed; an append may fail, or fail though it was applied. What happens to it, and
// when, is history-world.ts.

import { Registry } from 'prom-client';
import { handle } from '../../control/core/answers/handle.ts';
import type { Answer, Command } from '../../control/core/commands/command.ts';
import { ControlError } from '../../control/errors.ts';
import type { Append, AppendResult, Journal } from '../../control/journal/journal.ts';
import { createMetrics } from '../../control/metrics.ts';
import { openProjection } from '../../control/run/projection.ts';
import type { Projection } from '../../control/run/projection.ts';
import { createReconciler } from '../../control/run/reconcile.ts';
import type { Reconciler } from '../../control/run/reconcile.ts';
import type { RoleEntry, TrustRepository } from '../../control/trust/repository.ts';
import type { JournalEntry } from '../../proto/events.ts';
import type { Turns } from './turns.ts';

/** What an append comes to. `lost`: it is applied, and the process is told that it failed. */
export type AppendFault = 'none' | 'refused' | 'lost';

export interface NodeOptions {
  readonly journal: Journal;
  readonly repository: TrustRepository;
  readonly turns: Turns;
  /** True time; the node's own clock may be off. */
  readonly now: () => number;
  readonly fault: () => AppendFault;
}

const metrics = createMetrics(new Registry(), { version: 'test', nodeVersion: 'test' }, () => undefined);
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => log };

/** Signed metadata without signatures: it outlives processes, as files do. */
export class PlainRepository {
  readonly #roles = new Map<string, { readonly version: number; readonly text: string; readonly revisions: Readonly<Record<string, RoleEntry>> }>();

  /** The revision that the environment's role names for an application. */
  revision(environment: string, app: string): string | undefined {
    return this.#roles.get(environment)?.revisions[app]?.revision;
  }

  role(environment: string): { readonly version: number; readonly revisions: Readonly<Record<string, RoleEntry>> } | undefined {
    return this.#roles.get(environment);
  }

  publish(environment: string, revisions: Readonly<Record<string, RoleEntry>>): number {
    const text = JSON.stringify(Object.entries(revisions).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#roles.get(environment);
    const version = known?.text === text ? known.version : (known?.version ?? 0) + 1;
    this.#roles.set(environment, { version, text, revisions });
    return version;
  }
}

/** The port over it, as one process sees it: publishing takes two turns, between which the process may die. */
export function repositoryOf(plain: PlainRepository, turn: () => Promise<void>): TrustRepository {
  const unused = (): never => {
    throw new Error('not a part of this simulation');
  };
  return {
    rootDigest: unused, rootFile: unused, files: unused, refresh: unused, signCertificate: unused, signGrant: unused, signRoster: unused, verifyGrant: unused,
    role: (environment) => plain.role(environment),
    publish: async (environment, revisions) => {
      await turn();
      const version = plain.publish(environment, revisions);
      await turn();
      return { version };
    },
    signOrder: (order) => JSON.stringify(order),
  };
}

/** One process, from its start to its death. */
export class HistoryNode {
  /** Milliseconds by which its clock is off. */
  offset = 0;
  readonly lastSeen = new Map<string, number>();
  #alive = true;
  #since = 0;
  #projection: Projection | undefined;
  #reconciler: Reconciler | undefined;
  #settling = false;
  #tail: Promise<unknown> = Promise.resolve();
  /** +1 with each append that did not happen: those that were asked for before count on it. */
  #failures = 0;
  readonly #options: NodeOptions;

  constructor(options: NodeOptions) {
    this.#options = options;
  }

  get clockNow(): number {
    return this.#options.now() + this.offset;
  }

  get projection(): Projection | undefined {
    return this.#alive ? this.#projection : undefined;
  }

  /** Reads the journal and is ready after some turns, if it lives to see them. */
  async start(): Promise<void> {
    const { repository, now } = this.#options;
    this.#since = this.clockNow;
    const projection = await openProjection(this.#journal(), () => this.clockNow);
    this.#projection = projection;
    this.#reconciler = createReconciler({
      projection, repository, log, metrics,
      observed: () => ({ now: this.clockNow, lastSeen: this.lastSeen, since: this.#since }),
      clock: { now: () => this.clockNow, monotonic: now, wait: async () => await this.#turn() },
      signal: new AbortController().signal,
    });
  }

  /** Killed: nothing that it was doing ever goes on. */
  kill(): void {
    this.#alive = false;
    this.#options.turns.forget(this);
  }

  /** Asks for something; undefined when the process is not ready, or says nothing because it failed. */
  async ask(command: Command, actor: string): Promise<Answer | undefined> {
    return await this.projection?.transact(actor, (state) => {
      const answer = handle(state, command, this.clockNow);
      return { events: answer.kind === 'accepted' ? answer.events : [], result: answer };
    }).then(({ result }) => result, ignoreFailure);
  }

  /** A round of the loop, unless one is under way; says when to come again, in milliseconds since 1970 by its own clock. */
  async settle(): Promise<number | undefined> {
    if (this.#settling || this.projection === undefined) return undefined;
    this.#settling = true;
    const next = await this.#reconciler?.settle().catch(ignoreFailure);
    this.#settling = false;
    return next;
  }

  async #turn(): Promise<void> {
    await this.#options.turns.turn(this);
  }

  /** The shared journal as this process reaches it: in order, with turns before and after, and with faults. */
  #journal(): Journal {
    const { journal, fault } = this.#options;
    const apply = async (batch: Append, expected: number, failures: number): Promise<AppendResult> => {
      await this.#turn();
      if (failures !== this.#failures) return { kind: 'conflict', head: journal.head() };
      const what = fault();
      const result = what === 'refused' ? undefined : await journal.append(batch, expected);
      if (what !== 'none' || result?.kind !== 'appended') this.#failures += 1;
      if (result === undefined || what !== 'none') throw new ControlError('STORAGE_FAILED', 'the disk failed, or did not answer');
      return result;
    };
    return {
      head: () => journal.head(),
      append: async (batch, expected) => {
        const failures = this.#failures;
        const mine = this.#tail.then(async () => await apply(batch, expected, failures));
        this.#tail = mine.catch(() => undefined);
        const result = await mine;
        await this.#turn();
        return result;
      },
      read: async (after, limit) => {
        await this.#turn();
        return await journal.read(after, limit);
      },
      scan: (after) => this.#scan(journal, after),
      follow: (listener) => journal.follow((entries: readonly JournalEntry[]) => {
        if (this.#alive) listener(entries);
      }),
      close: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  /** One turn, as a read takes: others may append before what is there is looked at. */
  async *#scan(journal: Journal, after: number): AsyncGenerator<readonly JournalEntry[]> {
    await this.#turn();
    yield* journal.scan(after);
  }
}

/** What a process says when its disk fails: whoever asked does not know, and asks again. */
function ignoreFailure(error: unknown): undefined {
  if (error instanceof ControlError) return undefined;
  throw error;
}
