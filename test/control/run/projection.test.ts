// The state in memory over a journal that is slow, full, or somebody else's.

import { describe, expect, test } from 'vitest';
import { ControlError } from '../../../control/errors.ts';
import type { Append, AppendResult, Journal } from '../../../control/journal/journal.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import { openProjection, type Projection } from '../../../control/run/projection.ts';
import type { Event } from '../../../proto/events.ts';

const now = () => 1_700_000_000_000;
const app = (name: string): Event => ({ kind: 'app.created', app: name, project: name });

/** Creates the application unless it is there. */
async function create(projection: Projection, name: string): Promise<boolean> {
  const { result } = await projection.transact('token:t', (state) => (state.apps.has(name) ? { events: [], result: false } : { events: [app(name)], result: true }));
  return result;
}

/** A journal that does with the n-th append what it is told. */
class Faulty extends MemoryJournal {
  appends = 0;
  #faults: Readonly<Record<number, 'not applied' | 'applied but failed'>>;
  constructor(faults: Faulty['faults']) {
    super();
    this.#faults = faults;
  }
  get faults() {
    return this.#faults;
  }
  override async append(batch: Append, expected: number): Promise<AppendResult> {
    this.appends += 1;
    const fault = this.#faults[this.appends];
    if (fault === 'not applied') throw new ControlError('STORAGE_FAILED', 'no space left');
    const result = await super.append(batch, expected);
    if (fault === 'applied but failed') throw new ControlError('STORAGE_FAILED', 'the answer was lost');
    return result;
  }
}

/** Before the first append of its process, another process appends. */
class Shared extends MemoryJournal {
  #others = ['theirs'];
  override async append(batch: Append, expected: number): Promise<AppendResult> {
    const [name] = this.#others.splice(0, 1);
    // As with a disk: what was decided is ahead by then.
    await Promise.resolve();
    if (name !== undefined) await super.append({ actor: 'token:other', at: now(), events: [app(name)] }, this.head());
    return await super.append(batch, expected);
  }
}

describe('transact()', () => {
  test('P-1 what another process appended at the numbers that were hoped for is what is so', async () => {
    const journal = new Shared();
    const projection = await openProjection(journal, now);
    expect(await create(projection, 'ours')).toBe(true);
    expect([...projection.state().apps.keys()]).toEqual(['theirs', 'ours']);
    expect(projection.state().head).toBe(journal.head());
  });

  test('lets many decide at once, each over what those before it led to', async () => {
    const journal = new MemoryJournal();
    const projection = await openProjection(journal, now);
    const answers = await Promise.all(Array.from({ length: 600 }, async (_, index) => await create(projection, `app-${index % 200}`)));
    expect(answers.filter(Boolean)).toHaveLength(200);
    expect(journal.head()).toBe(200);
    expect(projection.state().apps.size).toBe(200);
    expect((await journal.read(0, 1000)).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  });

  test('resolves when what it was decided from is durable, and shows nothing before', async () => {
    const inner = new MemoryJournal();
    const { promise: disk, resolve: synced } = Promise.withResolvers<void>();
    const journal: Journal = Object.assign(Object.create(inner) as Journal, {
      head: () => inner.head(),
      read: async (after: number, limit: number) => await inner.read(after, limit),
      scan: (after: number) => inner.scan(after),
      follow: (listener: Parameters<Journal['follow']>[0]) => inner.follow(listener),
      append: async (batch: Append, expected: number) => {
        await disk;
        return await inner.append(batch, expected);
      },
    });
    const projection = await openProjection(journal, now);
    let settled = 0;
    const first = create(projection, 'a').then(() => (settled += 1));
    const second = create(projection, 'a').then((made) => [made, (settled += 1)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([settled, projection.state().apps.size]).toEqual([0, 0]);
    synced();
    await first;
    expect(await second).toEqual([false, 2]);
  });

  test('an append that fails fails its caller only; the others are decided again', async () => {
    const journal = new Faulty({ 3: 'not applied' });
    const projection = await openProjection(journal, now);
    const answers = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(async (name) => await create(projection, name)));
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(journal.head()).toBe(4);
    expect(projection.state().head).toBe(4);
    expect([...projection.state().apps.keys()].toSorted()).toEqual((await journal.read(0, 10)).map(({ event }) => ('app' in event ? event.app : '')).toSorted());
  });

  test('those that are apart are decided over one state and folded together, each with its own actor; two of one name follow one another', async () => {
    const journal = new MemoryJournal();
    const projection = await openProjection(journal, now);
    const heads: number[] = [];
    const apart = async (name: string, of: string) => await projection.transact(`member:${of}`, (state) => {
      heads.push(state.head);
      return { events: state.apps.has(name) ? [] : [app(name)], result: state.apps.has(name) };
    }, of);
    const answers = await Promise.all([apart('first', 'x'), apart('a', 'm1'), apart('b', 'm2'), apart('a', 'm1'), apart('c', 'm3')]);
    expect(answers.map(({ result }) => result)).toEqual([false, false, false, true, false]);
    // The first goes alone; the second of m1 sees what the ones before it led to.
    expect(heads).toEqual([0, 1, 1, 3, 3]);
    expect(answers.map(({ state }) => state.head)).toEqual([1, 3, 3, 3, 4]);
    expect((await journal.read(0, 10)).map(({ seq, actor }) => `${seq} ${actor}`)).toEqual(['1 member:x', '2 member:m1', '3 member:m2', '4 member:m3']);
    expect([...projection.state().apps.keys()]).toEqual(['first', 'a', 'b', 'c']);
  });

  test('when one of those that are apart cannot be appended, it fails alone and those behind it are decided again', async () => {
    const journal = new Faulty({ 3: 'not applied' });
    const projection = await openProjection(journal, now);
    const answers = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(async (name) => await projection.transact(`member:${name}`, () => ({ events: [app(name)], result: name }), name)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect([...projection.state().apps.keys()]).toEqual(['a', 'b', 'd', 'e']);
    expect(projection.state().head).toBe(journal.head());
  });

  test('who decided over what was then not appended decides again, also when there was nothing to append', async () => {
    const journal = new Faulty({ 2: 'not applied' });
    const projection = await openProjection(journal, now);
    // While the first is under way the other two gather.
    const [, first, second] = await Promise.allSettled([create(projection, 'earlier'), create(projection, 'a'), create(projection, 'a')]);
    expect([first, second]).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: true }]);
    expect(projection.state().apps.has('a')).toBe(true);
  });

  test('an append that was made but reported failed is part of the state', async () => {
    const journal = new Faulty({ 1: 'applied but failed' });
    const projection = await openProjection(journal, now);
    await expect(create(projection, 'a')).rejects.toThrow('the answer was lost');
    expect(projection.state().apps.has('a')).toBe(true);
    expect(await create(projection, 'a')).toBe(false);
    expect(await create(projection, 'b')).toBe(true);
    expect(journal.head()).toBe(2);
  });

  test('decides again when somebody else has appended', async () => {
    const journal = new MemoryJournal();
    const projection = await openProjection(journal, now);
    let intruded = false;
    const { result } = await projection.transact('token:t', (state) => {
      if (!intruded) {
        intruded = true;
        void journal.append({ actor: 'other', at: now(), events: [app('other')] }, state.head);
      }
      return { events: [app('mine')], result: state.apps.has('other') };
    });
    expect(result).toBe(true);
    expect([...projection.state().apps.keys()]).toEqual(['other', 'mine']);
  });

  test('a decision that throws fails its caller, and nobody else', async () => {
    const projection = await openProjection(new MemoryJournal(), now);
    const failing = projection.transact('x', () => {
      throw new Error('a mistake');
    });
    const [first, second] = await Promise.allSettled([failing, create(projection, 'a')]);
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled']);
  });

  test('says what changed after it is in the state, and folds a journal that is there already', async () => {
    const journal = new MemoryJournal();
    await create(await openProjection(journal, now), 'old');
    const projection = await openProjection(journal, now);
    expect(projection.state().apps.has('old')).toBe(true);
    const seen: string[] = [];
    projection.onChange((entries) => {
      for (const { event } of entries) if (event.kind === 'app.created') seen.push(`${event.app} ${projection.state().apps.has(event.app)}`);
    });
    await create(projection, 'new');
    expect(seen).toEqual(['new true']);
    await projection.close();
    await expect(create(projection, 'late')).rejects.toThrow('stopping');
  });
});
