// Pages of lists, in order or not: the same.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pageByKey, pageOf, type Page } from '../../../control/http/paging.ts';

const text = fc.stringMatching(/^[ab0-]{1,3}$/);
interface Named {
  readonly name: string;
  readonly id: string;
}
const keyOf = ({ name, id }: Named): string => `${name} ${id}`;

test('pageOf() of items in any order is pageByKey() of them in order, from the first page to the last', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.record({ name: text, id: text }), { maxLength: 60, selector: keyOf }), fc.integer({ min: 1, max: 12 }), (items, limit) => {
      const ordered = items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      const seen: Named[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const query: { limit: number; cursor?: string } = { limit, ...(cursor === '' ? {} : { cursor }) };
        const page: Page<Named> = pageOf(items, { name: ({ name }) => name, id: ({ id }) => id }, query);
        expect(page).toEqual(pageByKey(ordered, keyOf, query));
        seen.push(...page.items);
        cursor = page.next;
      }
      expect(seen).toEqual(ordered);
    }),
  );
});
