// Pages of lists: a cursor names the last item that was shown, so that what is added or goes away meanwhile shifts nothing.
// Cursors are opaque to callers and trusted for nothing: they only say where to go on.

import { pageItemsDefault, type PageQuery } from '../../proto/api/schema.ts';
import { ControlError } from '../errors.ts';

/** One page, and the cursor of the next. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next?: string;
}

/** A page of items in ascending order of `keyOf`, which must be unique. */
export function pageByKey<Item>(items: readonly Item[], keyOf: (item: Item) => string, query: PageQuery): Page<Item> {
  const after = query.cursor === undefined ? undefined : decode(query.cursor);
  const from = after === undefined ? 0 : items.findIndex((item) => keyOf(item) > after);
  return cut(items, keyOf, from < 0 ? items.length : from, query.limit);
}

/** What items are put in order by: a name, and of those with the same name an id. No name has a space in it, or anything before that. */
export interface NamedKey<Item> {
  readonly name: (item: Item) => string;
  readonly id: (item: Item) => string;
}

/**
 * The same of the `wanted` ones of items in any order, by {@link NamedKey}, which must be unique: finds those of the page without putting the others in order, which for
 * ten thousand takes longer than all the rest, and without making a key of each or asking whether it is wanted, which takes as long again.
 */
export function pageOf<Item>(items: Iterable<Item>, by: NamedKey<Item>, { cursor, limit = pageItemsDefault }: PageQuery, wanted: (item: Item) => boolean = () => true): Page<Item> {
  const after = cursor === undefined ? undefined : decode(cursor);
  // One more than the page, so as to know whether there is another; in order.
  const first: { readonly key: string; readonly name: string; readonly item: Item }[] = [];
  let lastName: string | undefined;
  for (const item of items) {
    const name = by.name(item);
    if ((lastName !== undefined && name > lastName) || !wanted(item)) continue;
    const key = keyOf(item, by);
    if (after !== undefined && key <= after) continue;
    first.splice(placeOf(key, first), 0, { key, name, item });
    if (first.length > limit + 1) first.pop();
    if (first.length > limit) lastName = first.at(-1)?.name;
  }
  return cut(first.map(({ item }) => item), (item) => keyOf(item, by), 0, limit);
}

function keyOf<Item>(item: Item, { name, id }: NamedKey<Item>): string {
  return `${name(item)} ${id(item)}`;
}

/** Where a key belongs among keys in ascending order. */
function placeOf(key: string, among: readonly { readonly key: string }[]): number {
  let [from, to] = [0, among.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((among[middle]?.key ?? '') < key) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** A page of the `wanted` items of a list with an order of its own, from which no item ever goes away. */
export function pageById<Item>(items: readonly Item[], idOf: (item: Item) => string, query: PageQuery, wanted: (item: Item) => boolean = () => true): Page<Item> {
  const after = query.cursor === undefined ? undefined : decode(query.cursor);
  const at = after === undefined ? -1 : items.findIndex((item) => idOf(item) === after);
  if (after !== undefined && at < 0) throw invalid();
  return cut(items.slice(at + 1).filter(wanted), idOf, 0, query.limit);
}

function cut<Item>(items: readonly Item[], keyOf: (item: Item) => string, from: number, limit = pageItemsDefault): Page<Item> {
  const page = items.slice(from, from + limit);
  const last = page.at(-1);
  return { items: page, ...(last !== undefined && from + limit < items.length ? { next: encode(keyOf(last)) } : {}) };
}

function encode(key: string): string {
  return Buffer.from(`1 ${key}`).toString('base64url');
}

function decode(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!text.startsWith('1 ') || Buffer.from(text).toString('base64url') !== cursor) throw invalid();
  return text.slice(2);
}

function invalid(): ControlError {
  return new ControlError('INVALID_REQUEST', 'this cursor is not one of this list: begin again without it');
}
