// Pages of lists, in order or not: the same.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pageByKey, pageOf, type Page } from '../../../control/http/paging.ts';

test('pageOf() of items in any order is pageByKey() of them in order, from the first page to the last', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 60 }), fc.integer({ min: 1, max: 12 }), (keys, limit) => {
      const ordered = keys.toSorted((a, b) => (a < b ? -1 : 1));
      const same = (key: string): string => key;
      const seen: string[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const query: { limit: number; cursor?: string } = { limit, ...(cursor === '' ? {} : { cursor }) };
        const page: Page<string> = pageOf(keys, same, query);
        expect(page).toEqual(pageByKey(ordered, same, query));
        seen.push(...page.items);
        cursor = page.next;
      }
      expect(seen).toEqual(ordered);
    }),
  );
});
