// Going anywhere by a few letters, and what is filled in to make a token.

import { describe, expect, test } from 'vitest';
import { isPartOfName, matching, placesOf, screens, traceable } from '../../../control/web/palette/places.ts';
import { apiTokenOf, joinTokenOf } from '../../../control/web/settings/token-form.ts';

const environments = ['prod-eu', 'euro', 'neutral'].map((environment) => ({ environment }));

describe('places', () => {
  test('that begin with the letters come before those of which a word does, and these before the others', () => {
    const places = [...screens, ...placesOf([{ pipeline: 'shop' }], [...environments, { environment: 'last', deployment: { deployment: 'last-3' } }])];
    expect(matching(places, ' EU').map(({ name }) => name)).toEqual(['euro', 'prod-eu', 'neutral']);
    expect(matching(places, 'pipeline').map(({ name }) => name)).toEqual(['Pipelines', 'shop']);
    expect([matching(places, 'nowhere'), matching(places, '').length]).toEqual([[], 10]);
    expect([matching(places, 'euro')[0]?.address, matching(places, 'last-')[0]?.address]).toEqual(['/environments/euro', '/deployments/last-3']);
  });

  test.each([['1a2b3c', true], ['web@41', true], ['web@latest', true], ['1a2b', false], ['web', false], ['Hello there', false]])('the way of %j can be told: %s', (text, can) => {
    expect(traceable(text) !== undefined).toBe(can);
  });

  test('machines are asked for by what may be in a name, and not by a single letter', () => {
    expect(['prod-eu-0', 'p', 'Prod', 'a b'].map(isPartOfName)).toEqual([true, false, false, false]);
  });
});

describe('a token', () => {
  test('of a person is what was filled in, with what was left out left out', () => {
    expect(apiTokenOf({ name: ' quinn ', scopes: 'read:*, approve:*,', groups: '', days: '' })).toEqual({ kind: 'token', body: { use: 'api', name: 'quinn', scopes: ['read:*', 'approve:*'] } });
    expect(apiTokenOf({ name: 'quinn', scopes: 'read:*', groups: 'qa', days: '7' })).toMatchObject({ body: { groups: ['qa'], ttlMs: 7 * 86_400_000 } });
  });

  test('of machines has labels and how many may join', () => {
    const body = { use: 'join', name: 'rack', roles: ['agent'], environments: ['prod'], labels: { env: 'prod', zone: 'a' }, usesMax: 40, ttlMs: 7_200_000 };
    expect(joinTokenOf({ name: 'rack', environments: 'prod', labels: 'env=prod, zone=a', uses: '40', hours: '2' })).toEqual({ kind: 'token', body });
  });

  test.each([[joinTokenOf({ labels: 'prod' }), "'prod' is not a label"], [joinTokenOf({ uses: 'many' }), "'many' is not a number of machines"], [joinTokenOf({ hours: '1.5' }), "'1.5' is not a number of hours"], [apiTokenOf({ days: '-1' }), "'-1' is not a number of days"]])('that cannot be read says what was wrong (%#)', (read, words) => {
    expect(read).toEqual({ kind: 'wrong', why: expect.stringContaining(words) });
  });
});
