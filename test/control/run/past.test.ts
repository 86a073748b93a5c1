// Questions about the past: one at a time, a bounded number of them, and none for somebody who has gone.

import { expect, it } from 'vitest';
import type { JournalEntry } from '../../../proto/events.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import { askedMax, createPast } from '../../../control/run/past.ts';

const events = [{ kind: 'app.created', app: 'web', project: 'shop' }, { kind: 'app.created', app: 'api', project: 'shop' }] as const;
const { signal } = new AbortController();

async function journalOf(): Promise<MemoryJournal> {
  const journal = new MemoryJournal();
  await journal.append({ actor: 'system', at: 1, events }, 0);
  return journal;
}

it('the state that is found is the one before the entry', async () => {
  const past = createPast(await journalOf());
  const then = await past(({ seq }) => seq === 2, { signal });
  expect(then?.entry.seq).toBe(2);
  expect([...(then?.state.apps.keys() ?? [])]).toEqual(['web']);
  expect(await past(() => false, { signal })).toBeUndefined();
});

it('one more question than may wait is refused, and room is made by an answer', async () => {
  const past = createPast(await journalOf());
  const all = Array.from({ length: askedMax }, async () => await past(() => true, { signal }));
  await expect(past(() => true, { signal })).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  await Promise.all(all);
  expect((await past(() => true, { signal }))?.entry.seq).toBe(1);
});

it('a question ends with whoever asked it, in the line or amid the journal', async () => {
  const inner = await journalOf();
  const reading = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let scans = 0;
  const past = createPast({
    async *scan(after): AsyncGenerator<readonly JournalEntry[]> {
      scans += 1;
      const all = await inner.read(after, 10);
      yield all.slice(0, 1);
      reading.resolve();
      await goOn.promise;
      yield all.slice(1);
    },
  });
  const [first, second] = [new AbortController(), new AbortController()];
  const asked = [past(({ seq }) => seq === 2, first), past(({ seq }) => seq === 2, second)].map(async (one) => await one.then(() => 'answered', (error: unknown) => error));
  await reading.promise;
  first.abort();
  second.abort();
  goOn.resolve();
  expect(await Promise.all(asked)).toMatchObject([{ code: 'ABORTED' }, { code: 'ABORTED' }]);
  expect(scans).toBe(1);
});
