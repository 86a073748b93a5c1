// The state in memory, kept up by folding the journal, and the one way to append to it: a decision over the newest state,
// whose events are appended behind those before it, so that many callers share one synced write.
// What is decided is core's; who asks is http's, fleet's and reconcile's.

import { isDeepStrictEqual } from 'node:util';
import type { Event, JournalEntry } from '../../proto/events.ts';
import { evolveAll, initialState } from '../core/evolve/evolve.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';

/** Entries folded at once at a start: each time copies what they change. */
const foldEntries = 20_000;
/** Entries read at once after a conflict. */
const pageEntries = 10_000;
/** Decisions that wait for their turn: above it the control plane is asked more than its disk can take. */
const waitingMax = 20_000;
/** Decisions in one go, whose events share one synced write: some milliseconds, in which nobody else is answered. */
const groupMax = 64;
/** Times that a decision is made again because its append met a conflict or a failed neighbour. */
const attemptsMax = 16;

/** What a decision says over a state: events to append, all or none, and a result for the caller. */
export interface Decided<Result> {
  readonly events: readonly Event[];
  readonly result: Result;
}

/** A decision that is durable, with the state that it led to. */
export interface Settled<Result> {
  readonly result: Result;
  readonly state: State;
}

export interface Projection {
  /** What is durable. */
  state(): State;
  /**
   * Decides over the newest state and appends what was decided. Resolves when that, and all that it was decided from, is synced.
   * `decide` must be pure: it is asked again when its append meets a conflict. `apart`: what it says does not depend on what others say that have another name
   * here, so that many of them are decided over one state and folded together; the state that it led to is then theirs too.
   * @throws {ControlError} STORAGE_FAILED when the disk refused; TOO_MANY_REQUESTS when too many wait.
   */
  transact<Result>(actor: string, decide: (state: State) => Decided<Result>, apart?: string): Promise<Settled<Result>>;
  /** Calls `listener` with each durable group of entries after the state has them; returns how to stop. */
  onChange(listener: (entries: readonly JournalEntry[]) => void): () => void;
  /** Waits for what is under way and takes nothing more. */
  close(): Promise<void>;
}

interface Waiting {
  readonly actor: string;
  readonly attempts: number;
  readonly apart: string | undefined;
  /** Decides over `state`; says the events, and how to answer the caller once they are durable. */
  readonly decide: (state: State) => { readonly events: readonly Event[]; readonly settle: (state: State) => void };
  readonly fail: (error: unknown) => void;
}

/** A decision with its append under way; none when there was nothing to append. */
interface Started {
  readonly item: Waiting;
  readonly settle: (state: State) => void;
  /** That it led to. */
  state: State;
  readonly append: Promise<{ readonly kind: 'appended' | 'conflict' } | { readonly kind: 'failed'; readonly error: unknown }> | undefined;
}

/** What will be so when an append under way succeeds. */
interface Ahead {
  readonly entries: readonly JournalEntry[];
  readonly state: State;
}

/** Folds the journal from its beginning, or from a state that it once led to, and follows it. `now` is milliseconds since 1970. */
export async function openProjection(journal: Journal, now: () => number, from: State = initialState()): Promise<Projection> {
  let state = from;
  while (state.head < journal.head()) {
    let gathered: JournalEntry[] = [];
    for await (const entries of journal.scan(state.head)) {
      gathered.push(...entries);
      if (gathered.length < foldEntries) continue;
      state = evolveAll(state, gathered);
      gathered = [];
    }
    state = evolveAll(state, gathered);
  }
  return new JournalProjection(journal, now, state);
}

class JournalProjection implements Projection {
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #listeners = new Set<(entries: readonly JournalEntry[]) => void>();
  readonly #waiting: Waiting[] = [];
  readonly #unfollow: () => void;
  #durable: State;
  /** States after appends under way, in order, so that what was folded to decide is not folded again. */
  #ahead: readonly Ahead[] = [];
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(journal: Journal, now: () => number, initial: State) {
    this.#journal = journal;
    this.#now = now;
    this.#durable = initial;
    this.#unfollow = journal.follow((entries) => this.#fold(entries));
  }

  state(): State {
    return this.#durable;
  }

  async transact<Result>(actor: string, decide: (state: State) => Decided<Result>, apart?: string): Promise<Settled<Result>> {
    if (this.#closed) throw new ControlError('ABORTED', 'the control plane is stopping; try again when it is back');
    if (this.#waiting.length >= waitingMax) {
      throw new ControlError('TOO_MANY_REQUESTS', `${waitingMax} changes wait for the disk already; try again in a moment`);
    }
    return await new Promise<Settled<Result>>((resolve, reject) => {
      this.#waiting.push({
        actor,
        attempts: 0,
        apart,
        decide: (state) => {
          const { events, result } = decide(state);
          return { events, settle: (after) => resolve({ result, state: after }) };
        },
        fail: reject,
      });
      this.#working ??= this.#run();
    });
  }

  onChange(listener: (entries: readonly JournalEntry[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#working !== undefined) await this.#working;
    this.#unfollow();
    this.#listeners.clear();
  }

  #fold(entries: readonly JournalEntry[]): void {
    const last = entries.at(-1)?.seq ?? 0;
    const found = this.#ahead.findIndex(({ state }) => state.head === last);
    const own = this.#ahead.slice(0, found + 1).flatMap((one) => one.entries);
    // Another process may have appended what stands at these numbers: then everything ahead was decided from what is not so.
    const isOwn = own.length === entries.length && own.every((entry, index) => isSameEntry(entry, entries[index]));
    this.#durable = (isOwn ? this.#ahead[found]?.state : undefined) ?? evolveAll(this.#durable, entries);
    this.#ahead = isOwn ? this.#ahead.slice(found + 1) : [];
    for (const listener of this.#listeners) listener(entries);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, groupMax);
      try {
        await this.#finish(this.#start(group));
      } catch (error) {
        for (const item of group) item.fail(error);
      }
    }
    // In one breath with the check, so that nobody can queue behind a loop that has just ended.
    this.#working = undefined;
  }

  /** Decides one after another, each over the state that the one before leads to but for those that are apart, and lets their appends run together. */
  #start(group: readonly Waiting[]): readonly Started[] {
    const started: Started[] = [];
    let state = this.#durable;
    /** Decided over `state` and not folded into it yet. */
    let together: { readonly one: Started; readonly apart: string | undefined; readonly entries: readonly JournalEntry[] }[] = [];
    const foldTogether = (): void => {
      if (together.length === 0) return;
      const entries = together.flatMap((each) => each.entries);
      state = evolveAll(state, entries);
      this.#ahead = [...this.#ahead, { entries, state }];
      for (const { one } of together) one.state = state;
      together = [];
    };
    for (const item of group) {
      try {
        if (item.apart === undefined || together.some(({ apart }) => apart === item.apart)) foldTogether();
        const { events, settle } = item.decide(state);
        if (events.length === 0) {
          started.push({ item, settle, state, append: undefined });
          continue;
        }
        const at = this.#now();
        const expected = together.at(-1)?.entries.at(-1)?.seq ?? state.head;
        const entries = events.map((event, index): JournalEntry => ({ seq: expected + 1 + index, at, actor: item.actor, event }));
        const one: Started = { item, settle, state, append: attempt(this.#journal, { actor: item.actor, at, events }, expected) };
        together.push({ one, apart: item.apart, entries });
        if (item.apart === undefined) foldTogether();
        started.push(one);
      } catch (error) {
        item.fail(error);
      }
    }
    foldTogether();
    return started;
  }

  /** Answers in order; from the first append that did not happen on, everything was decided from what is not so, and is decided again. */
  async #finish(started: readonly Started[]): Promise<void> {
    let broken = false;
    const again: Waiting[] = [];
    for (const { item, settle, state, append } of started) {
      const outcome = append === undefined ? undefined : await append;
      if (outcome?.kind === 'failed' && !broken) {
        broken = true;
        item.fail(outcome.error);
      } else if (broken || outcome?.kind === 'conflict') {
        broken = true;
        again.push({ ...item, attempts: item.attempts + 1 });
      } else settle(state);
    }
    if (!broken) return;
    this.#ahead = [];
    while (this.#durable.head < this.#journal.head()) this.#fold(await this.#journal.read(this.#durable.head, pageEntries));
    const hopeless = again.filter((item) => item.attempts >= attemptsMax);
    for (const item of hopeless) item.fail(new ControlError('STORAGE_FAILED', `the journal refused an append ${attemptsMax} times; try again`));
    this.#waiting.unshift(...again.filter((item) => item.attempts < attemptsMax));
  }
}

/** Whether it is what was to be appended; the journal adds its place in the chain. */
function isSameEntry({ seq, at, actor, event }: JournalEntry, other: JournalEntry | undefined): boolean {
  return other !== undefined && seq === other.seq && at === other.at && actor === other.actor && isDeepStrictEqual(event, other.event);
}

/** An append whose failure is a value: nobody may be waiting for it yet when it fails. */
async function attempt(journal: Journal, ...append: Parameters<Journal['append']>): Promise<{ readonly kind: 'appended' | 'conflict' } | { readonly kind: 'failed'; readonly error: unknown }> {
  try {
    return await journal.append(...append);
  } catch (error) {
    return { kind: 'failed', error };
  }
}
