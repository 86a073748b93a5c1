// A deployment whose targets the state has put away is answered whole, from the journal.

import { expect, test } from 'vitest';
import { wholeMax } from '../../../control/core/evolve/archive.ts';
import { evolveAll, initialState } from '../../../control/core/evolve/evolve.ts';
import { createWholeDeployment } from '../../../control/http/api/archived.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import { createPast } from '../../../control/run/past.ts';
import { manyDeployments } from '../../support/many-deployments.ts';

const { signal } = new AbortController();

test('its targets are read back once for all their pages, those of another deployment anew', async () => {
  const entries = manyDeployments({ deployments: wholeMax + 3, targets: ['m1', 'm2'] });
  const journal = new MemoryJournal();
  for (const { at, actor, event } of entries) await journal.append({ actor, at, events: [event] }, journal.head());
  const state = evolveAll(initialState(), entries);
  let asked = 0;
  const past = createPast(journal);
  const wholeOf = createWholeDeployment({ facts: { state: () => state }, past: async (...question) => ((asked += 1), await past(...question)) });
  expect(state.deployments.get('prod-1')?.targets.size).toBe(0);
  expect([...(await wholeOf('prod-1', signal)).targets.keys()]).toEqual(['m1', 'm2']);
  expect((await wholeOf('prod-1', signal)).batches).toMatchObject([{ targets: ['m1', 'm2'] }]);
  expect(asked).toBe(1);
  expect((await wholeOf('prod-2', signal)).deployment).toBe('prod-2');
  expect(asked).toBe(2);
  expect(await wholeOf('prod-9', signal)).toBe(state.deployments.get('prod-9'));
  expect(asked).toBe(2);
  await expect(wholeOf('prod-0', signal)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
