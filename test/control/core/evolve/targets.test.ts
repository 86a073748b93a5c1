// The lists of targets that the state keeps, against asking every member anew.

import { expect, test } from 'vitest';
import { evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import type { State } from '../../../../control/core/model/model.ts';
import { isTarget, targetsOf } from '../../../../control/core/model/select.ts';
import { deploymentDefaults } from '../../../../proto/api/environments.ts';
import type { Event, JournalEntry } from '../../../../proto/events.ts';
import { seeded, type Random } from '../../../support/random.ts';

const environments = ['alpha', 'beta', 'prod'] as const;
const zones = ['a', 'b'] as const;

/** Something that may change who is a target, or what is known of one. Names come twice: a machine that was installed anew joins as another member. */
function change(random: Random): Event {
  const id = random.below(40);
  const environment = random.pick(environments);
  const what = random.below(10);
  if (what === 0) return { kind: 'environment.created', environment, app: 'web', selector: {}, config: deploymentDefaults };
  if (what === 1) return { kind: 'environment.changed', environment, selector: random.chance(0.3) ? {} : { zone: random.pick(zones) }, config: deploymentDefaults };
  if (what === 2) return { kind: 'member.revoked', member: `m${id}`, reason: 'stolen' };
  if (what < 5) return { kind: 'member.located', member: `m${id}`, addresses: [`/ip4/10.0.0.${id}`] };
  return {
    kind: 'member.enrolled', member: `m${id}`, name: `machine-${random.below(30)}`, publicKey: 'key', roles: [random.chance(0.9) ? 'agent' : 'seed'],
    environments: environments.filter(() => random.chance(0.6)), labels: { zone: random.pick(zones) }, attributes: {}, serial: id, token: 'none',
  };
}

function asked(state: State): readonly unknown[] {
  return [...state.environments.values()].map((environment) => {
    const found = [...state.members.values()].filter((member) => isTarget(member, environment));
    return [environment.environment, new Set(found)];
  });
}

function kept(state: State): readonly unknown[] {
  return [...state.environments.values()].map((environment) => [environment.environment, new Set(targetsOf(state, environment))]);
}

test('N-7 targets as the state keeps them are those that labels select now, as they are now, by name', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const entries = Array.from({ length: 150 }, (_, index): JournalEntry => ({ seq: index + 1, at: index, actor: 'system', event: change(random) }));
    let state = initialState();
    while (state.head < entries.length) {
      state = evolveAll(state, entries.slice(state.head, state.head + 1 + random.below(random.pick([1, 20]))));
      expect(kept(state), `seed ${seed}, entry ${state.head}`).toEqual(asked(state));
      for (const environment of state.environments.values()) {
        const names = targetsOf(state, environment).map(({ name }) => name);
        expect(names).toEqual(names.toSorted());
      }
    }
    expect(evolveAll(initialState(), entries)).toEqual(state);
  }
});

test('an environment as it might be is asked of everybody', () => {
  const join: Event = { kind: 'member.enrolled', member: 'm', name: 'machine', publicKey: 'key', roles: ['agent'], environments: ['prod'], labels: { zone: 'a' }, attributes: {}, serial: 1, token: 'none' };
  const events: readonly Event[] = [{ kind: 'environment.created', environment: 'prod', app: 'web', selector: { zone: 'a' }, config: deploymentDefaults }, join];
  const state = evolveAll(initialState(), events.map((event, index) => ({ seq: index + 1, at: 1, actor: 'system', event })));
  const prod = state.environments.get('prod');
  if (prod === undefined) throw new Error('there is no environment');
  expect(targetsOf(state, prod)).toHaveLength(1);
  expect(targetsOf(state, { ...prod, selector: { zone: 'b' } })).toEqual([]);
});
