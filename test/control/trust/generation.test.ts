// Generations at their bounds: what this floor is willing to sign, the other floor is able to read.

import { expect, test } from 'vitest';
import { environmentsMax } from '../../../control/trust/file-repository.ts';
import { filesOf, firstGeneration, generationOf, nextGeneration, type RoleKeys } from '../../../control/trust/generation.ts';
import { advance, startSet } from '../../../daemon/trust/tuf/trusted-set.ts';
import { key, newKey, start } from '../../daemon/trust/tuf/forge.ts';

test('as many environments as are accepted, with the longest names, fit into what members read', { timeout: 30_000 }, () => {
  const names = Array.from({ length: environmentsMax }, (_, index) => `${'e'.repeat(61)}${String(index).padStart(3, '0')}`);
  const keys: RoleKeys = {
    root: key('root'), targets: key('targets'), snapshot: key('snapshot'), timestamp: key('timestamp'), membership: key('membership'), orders: key('orders'),
    environments: new Map(names.map((name) => [name, newKey()])),
  };
  const entries = { web: { revision: 'a'.repeat(64), bytes: 100, number: 1, highest: 1 } };
  const generation = nextGeneration(firstGeneration('acme', keys, start), { environments: new Map(names.map((name) => [name, entries])) }, keys, start);
  const files = filesOf(generation);
  expect(advance(startSet('1.root.json', files['1.root.json'] ?? ''), files, start).roles.size).toBe(environmentsMax);
  expect(generationOf(files)).toEqual(generation);
});
