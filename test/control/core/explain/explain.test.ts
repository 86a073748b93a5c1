// What `explain` says of a deployment that fetches while nobody is there to fetch from, and of how one ended.

import { expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { State } from '../../../../control/core/model/model.ts';
import type { Observed } from '../../../../control/core/model/select.ts';
import { minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Two machines in prod that were told to bring revision 1, and have said nothing yet; with these seeds. */
function fetching(seeds: readonly string[]): { readonly world: PipelineWorld; readonly state: State } {
  const world = new PipelineWorld(['prod']);
  world.working = false;
  world.push(1);
  world.promote('prod', 1);
  world.settle();
  const [machine] = world.state.members.values();
  if (machine === undefined) throw new Error('there are machines');
  const members = new Map([...world.state.members, ...seeds.map((seed) => [seed, { ...machine, member: seed, name: seed, roles: ['seed'] }] as const)]);
  return { world, state: { ...world.state, members } };
}

it('says first that no seed is heard, by name, as long as something is fetched', () => {
  const { world, state } = fetching(['seed-1', 'seed-2']);
  const heard = (agoMs: number) => ({ ...world.observed, lastSeen: new Map([...world.observed.lastSeen, ['seed-1', world.now - 90_000], ['seed-2', world.now - agoMs]]) });
  expect(explain(state, heard(31_000), 'prod')?.waits[0]?.reason).toBe('no seed was heard for 31 s (seed-1, seed-2), and what no target holds comes from there alone: see whether starlingd runs there');
  expect(explain(state, heard(19_000), 'prod')?.waits.map(({ reason }) => reason)).toEqual(['prod-1 is assigned']);
});

it('says that there is no seed at all, and how one joins', () => {
  const { world, state } = fetching([]);
  expect(explain(state, world.observed, 'prod')?.waits[0]?.reason).toMatch(/^there is no seed, so that nothing can be fetched .*`starling token create --join --roles seed,proxy`/);
});

it('says how a deployment ended, as a sentence, and nothing of seeds then', () => {
  const { world } = fetching([]);
  world.working = true;
  world.settle();
  expect(explain(world.state, world.observed, 'prod')).toMatchObject({ summary: "deployment prod-1 of web@1 in 'prod' succeeded", waits: [] });
});

it('says of a promotion that waits for a deployment what that one waits for', () => {
  const { world, state } = fetching([]);
  world.push(2);
  world.promote('prod', 2);
  const waiting = explain({ ...world.state, members: state.members }, world.observed, 'prod');
  expect(waiting?.blockers[0]?.type).toBe('active-deployment');
  expect(waiting?.waits.map(({ reason }) => reason)).toContain('in prod-1, prod-1 is assigned');
});

it('says of a target that is refused for its clock what is wrong with it, not that it may be off', () => {
  const world = new PipelineWorld(['prod']);
  world.push(1);
  world.dead.set('prod-1', world.now);
  world.promote('prod', 1);
  world.settle();
  world.now += minuteMs;
  const reason = (misset: Observed['misset']) => explain(world.state, { ...world.observed, ...(misset === undefined ? {} : { misset }) }, 'prod')?.waits.at(-1)?.reason;
  expect(reason(undefined)).toBe('prod-1 is assigned, and was not heard for 60 s: see whether starlingd runs there');
  expect(reason(new Map([['prod-1', { aheadMs: -300_000 }]]))).toBe('prod-1 is assigned, and is refused, as its clock is 300 s behind: set it by network time');
});

it('says of an environment to which nothing was ever promoted what comes first', () => {
  const world = new PipelineWorld(['prod']);
  const said = () => explain(world.state, world.observed, 'prod')?.summary;
  expect(said()).toBe("nothing was ever promoted to 'prod'; nothing was pushed either: `starling push DIRECTORY --app web` begins");
  world.push(1);
  expect(said()).toBe("nothing was ever promoted to 'prod'; `starling promote --to prod` brings what is there");
  for (const member of ['prod-1', 'prod-2']) world.ask({ kind: 'revoke-member', member, reason: 'sold' });
  expect(said()).toBe("nothing was ever promoted to 'prod'; no machine is a target of it: `starling token create --join --environments prod --labels env=prod` lets one join");
});

it('says of an environment without targets how it gets one, and who nearly is', () => {
  const world = new PipelineWorld(['prod']);
  world.push(1);
  const held = () => explain(world.state, world.observed, 'prod')?.blockers[0]?.reason;
  for (const member of ['prod-1', 'prod-2']) world.ask({ kind: 'label-member', member, labels: { env: 'prd' } });
  world.promote('prod', 1);
  expect(held()).toBe("environment 'prod' has no targets; prod-1, prod-2 joined for it without the labels 'env=prod': `starling target label prod-1 env=prod` makes it one");
  for (const member of ['prod-1', 'prod-2']) world.ask({ kind: 'revoke-member', member, reason: 'sold' });
  expect(held()).toBe("environment 'prod' has no targets; let a machine join it with `starling token create --join --environments prod --labels env=prod`");
});
