// Looks at the branches from which applications are built, by interval and when it is told that one has moved, and says what is new.
// What becomes of it is control/core/build; git itself is handed in.

import type { BuildSettings } from '../../proto/events-build.ts';
import type { ChangeRecord } from '../../proto/events-pipeline.ts';
import type { AutoBuild } from '../core/model/build.ts';
import type { State } from '../core/model/model.ts';
import type { Clock } from '../clock.ts';
import { ControlError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Submit } from './conductor.ts';

/** What is asked of version control: control/build/git.ts. */
export interface Repositories {
  head(repo: BuildSettings['repo'], options: { readonly signal: AbortSignal }): Promise<string>;
  changes(app: string, repo: BuildSettings['repo'], since: string | undefined, options: { readonly signal: AbortSignal }): Promise<{ readonly head: string; readonly changes: readonly ChangeRecord[] }>;
}

export interface WatcherOptions {
  readonly state: () => State;
  readonly submit: Submit;
  readonly repositories: Repositories;
  readonly newBuild: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What the last look at a branch found. */
export interface Look {
  readonly at: number;
  readonly head?: string;
  readonly problem?: string;
}

/** Looks under way at once. */
const lookingMax = 4;
/** At the latest after this long it sees that an application was added or changed. */
const checkEveryMs = 5_000;

interface Seen extends Look {
  readonly settings: BuildSettings;
  readonly monotonic: number;
}

export class BranchWatcher {
  readonly #options: WatcherOptions;
  /** By application: bounded by those that are built. */
  readonly #seen = new Map<string, Seen>();
  readonly #looking = new Set<string>();
  readonly #told = new Set<string>();
  #rouse: (() => void) | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** What the last look found; undefined before the first since the start. */
  lastLook(app: string): Look | undefined {
    return this.#seen.get(app);
  }

  /** The branch may have moved: it is looked at next, however often this is said. */
  told(app: string): void {
    if (!this.#options.state().autoBuilds.has(app)) return;
    this.#told.add(app);
    this.#rouse?.();
  }

  /** What a build of the branch as it is now is about. @throws {ControlError} CONFLICT when it cannot be read. */
  async newest(app: string, { newest, settings }: AutoBuild, signal: AbortSignal): Promise<{ readonly head: string; readonly changes: readonly ChangeRecord[] }> {
    try {
      return await this.#options.repositories.changes(app, settings.repo, newest, { signal });
    } catch (error) {
      throw new ControlError('CONFLICT', `what is new cannot be told: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  /** Resolves when the signal is aborted, and every look has ended. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    const looks = new Set<Promise<void>>();
    while (!signal.aborted) {
      const roused = new AbortController();
      this.#rouse = () => roused.abort();
      let waitMs = checkEveryMs;
      for (const [app, auto] of this.#options.state().autoBuilds) {
        const dueMs = this.#dueMs(app, auto);
        if (dueMs > 0 || looks.size >= lookingMax || this.#looking.has(app)) {
          waitMs = Math.min(waitMs, Math.max(100, dueMs));
          continue;
        }
        this.#told.delete(app);
        this.#looking.add(app);
        const look: Promise<void> = this.#look(app, auto).finally(() => {
          this.#looking.delete(app);
          looks.delete(look);
        });
        looks.add(look);
      }
      await clock.wait(waitMs, { signal: AbortSignal.any([signal, roused.signal]) }).catch(() => undefined);
    }
    this.#rouse = undefined;
    await Promise.all(looks);
  }

  /** Milliseconds until the branch is to be looked at; none for what is switched off, by its settings or with the application's automation. */
  #dueMs(app: string, { settings }: AutoBuild): number {
    if (!settings.enabled || this.#options.state().switches.has(`app:${app}`)) return Infinity;
    const seen = this.#seen.get(app);
    if (this.#told.has(app) || seen === undefined || seen.settings !== settings) return 0;
    return seen.monotonic + settings.intervalMs - this.#options.clock.monotonic();
  }

  async #look(app: string, { settings, newest }: AutoBuild): Promise<void> {
    const { clock, signal, log } = this.#options;
    const noted = (look: Omit<Look, 'at'>): void => {
      this.#seen.set(app, { ...look, settings, at: clock.now(), monotonic: clock.monotonic() });
    };
    const before = this.#seen.get(app);
    try {
      const head = await this.#options.repositories.head(settings.repo, { signal });
      // Also what touches none of the paths is looked at once only.
      const known = head === newest || (before?.settings === settings && before.head === head && before.problem === undefined);
      if (!known) await this.#notice(app, settings, newest);
      noted({ head });
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      if (before?.problem !== problem) log.warn({ app, err: error }, 'a branch could not be looked at');
      noted({ problem });
    }
  }

  async #notice(app: string, { repo }: BuildSettings, since: string | undefined): Promise<void> {
    const { submit, repositories, newBuild, signal, log } = this.#options;
    const { head, changes } = await repositories.changes(app, repo, since, { signal });
    if (head === since || changes.length === 0) return;
    const answer = await submit('system', { kind: 'notice-changes', app, build: newBuild(), commit: head, changes, ...(since === undefined ? {} : { since }) });
    if (answer.kind === 'refused') throw new ControlError('CONFLICT', answer.message);
    log.info({ app, commit: head, changes: changes.length }, 'a branch has moved');
  }
}
