// What a list of a machine's deployments leaves out, it says.

import { expect, test } from 'vitest';
import { wholeMax } from '../../../control/core/evolve/archive.ts';
import { evolveAll, initialState } from '../../../control/core/evolve/evolve.ts';
import { Presence } from '../../../control/fleet/presence.ts';
import { targetHandlers } from '../../../control/http/api/rollout.ts';
import { manyDeployments } from '../../support/many-deployments.ts';

const joined = (at: number) => ({ seq: 1, at, actor: 'system', event: { kind: 'member.enrolled', member: 'm1', name: 'web-1', publicKey: 'k', roles: ['agent'], environments: ['prod'], labels: {}, attributes: {}, serial: 1, token: 't' } } as const);

/** The list of one that joined when this many facts of deployments were on record. */
async function past(at: number, query: { readonly failed?: boolean } = {}) {
  const entries = manyDeployments({ deployments: wholeMax + 3, targets: ['m1'] }).map((entry) => ({ ...entry, seq: entry.seq + 1 }));
  const state = evolveAll(initialState(), [joined(at), ...entries]);
  const list = targetHandlers({ facts: { state: () => state }, presence: new Presence(() => 0) } as never).listTargetDeployments;
  return (await list({ params: { target: 'web-1' }, query: { limit: 500, ...query } } as never)) as { readonly body: { readonly items: readonly unknown[]; readonly archived?: number } };
}

test('deployments that are long over are not in it, and it says how many those are', async () => {
  const { body } = await past(0);
  expect([body.items.length, body.archived]).toEqual([wholeMax, 3]);
  expect((await past(0, { failed: true })).body).toEqual({ items: [], archived: 3 });
});

test('those from before it joined are not counted', async () => {
  expect((await past(1_000_000)).body.archived).toBeUndefined();
});
