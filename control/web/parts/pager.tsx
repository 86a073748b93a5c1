// Lists that the server gives a page at a time: which page is looked at, and the buttons for the next and the one before. There is no last page to
// jump to: a cursor only says where to go on.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

export interface Pages {
  /** What to ask for: undefined for the first page. */
  readonly cursor: string | undefined;
  /** From 0. */
  readonly index: number;
  readonly next: (cursor: string) => void;
  readonly before: () => void;
}

/** Where somebody is in a list; at its beginning again when `key`, which says what list it is, changes. */
export function usePages(key: string): Pages {
  const [kept, setKept] = useState<{ readonly key: string; readonly cursors: readonly string[] }>({ key, cursors: [] });
  const cursors = kept.key === key ? kept.cursors : [];
  return {
    cursor: cursors.at(-1),
    index: cursors.length,
    next: (cursor) => setKept({ key, cursors: [...cursors, cursor] }),
    before: () => setKept({ key, cursors: cursors.slice(0, -1) }),
  };
}

export interface PagerProps {
  readonly pages: Pages;
  /** Items of a full page, and of this one. */
  readonly size: number;
  readonly shown: number;
  /** The cursor of the next page, where there is one. */
  readonly next: string | undefined;
  /** Whether all of this is said of a page that is asked for no more: from there it goes on nowhere. */
  readonly pending: boolean;
  /** Of all pages, where that is known. */
  readonly total?: number;
  readonly what: string;
  /** Whether every page but the last is full, so that items have numbers; else pages have. */
  readonly counted?: boolean;
}

/** Nothing where one page is all. A button that leads nowhere keeps the focus, so that whoever pages by keyboard stays where they are. */
export function Pager({ pages, size, shown, next, pending, total, what, counted = true }: PagerProps): JSX.Element | null {
  const { index } = pages;
  if (index === 0 && next === undefined) return null;
  const first = index * size;
  const onward = pending ? undefined : next;
  return (
    <p class="buttons pager" role="group" aria-label={`pages of ${what}`}>
      <button type="button" aria-disabled={index === 0} onClick={() => (index === 0 ? undefined : pages.before())}>Before</button>
      <span role="status">{pending ? 'asking …' : !counted ? `page ${index + 1}` : shown === 0 ? `none after ${first}` : `${first + 1} to ${first + shown}`}{total !== undefined && !pending && ` of ${total}`}</span>
      <button type="button" aria-disabled={onward === undefined} onClick={() => (onward === undefined ? undefined : pages.next(onward))}>Next</button>
    </p>
  );
}
