// Who is the same person: tokens by their names, authors of changes by what version control calls them.

import { expect, test } from 'vitest';
import { initialState } from '../../../../control/core/evolve/evolve.ts';
import { isAmong, isPerson, personOf } from '../../../../control/core/model/people.ts';

test.each([
  ['quinn', 'quinn', true],
  ['Quinn Doe <quinn@example.org>', 'quinn', true],
  ['Quinn Doe <q.doe@example.org>', 'quinn-doe', true],
  ['Quinn Doe <q.doe@example.org>', 'q-doe', true],
  ['QUINN@example.org', 'quinn', true],
  ['q.doe@example.org', 'q-doe-example-org', true],
  ['Quinn Doe <quinn@example.org>', 'doe', false],
  ['Quinta <quinta@example.org>', 'quinn', false],
  ['', 'quinn', false],
  ['Zoë Ünal <zoe@example.org>', 'zoë-ünal', true],
  ['***', '***', true],
  ['***', '+++', false],
])('A-3 the author %j is %j: %j', (author, person, same) => {
  expect(isPerson(author, person)).toBe(same);
  expect(isAmong(['somebody', author], person)).toBe(same);
});

test('A-3 an actor is the name of the token, so that two tokens of one name are one person', () => {
  const token = { use: 'api', name: 'quinn', secretDigest: 'a', scopes: [], roles: [], environments: [], labels: {}, usesMax: 0, uses: 0, createdAt: 0, expiresAt: 1, revoked: false } as const;
  const state = { ...initialState(), tokens: new Map([['a', { ...token, token: 'a' }], ['b', { ...token, token: 'b' }]]) };
  expect([personOf(state, 'token:a'), personOf(state, 'token:b'), personOf(state, 'token:gone'), personOf(state, 'system')]).toEqual(['quinn', 'quinn', 'token:gone', 'system']);
});
