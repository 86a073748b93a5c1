// Tables for people: columns as wide as their longest cell, the last one cut at the edge of the terminal.

import { stripVTControlCharacters } from 'node:util';
import { visible } from './escape.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

export interface Column<Item> {
  readonly title: string;
  /** Made visible by the table. */
  readonly cell: (item: Item) => string;
  readonly align?: 'right';
  readonly colour?: (item: Item) => Colour | undefined;
}

interface Look {
  readonly paint: (colour: Colour, text: string) => string;
  /** Cut lines here; absent: never, so that pipes get everything. */
  readonly width: number | undefined;
}

const gap = '  ';

/** The lines of a table, its head first. */
export function renderTable<Item>(items: readonly Item[], columns: readonly Column<Item>[], { paint, width }: Look): readonly string[] {
  const rows = items.map((item) => columns.map(({ cell }) => visible(cell(item))));
  const widths = columns.map(({ title }, at) => rows.reduce((most, row) => Math.max(most, (row[at] ?? '').length), title.length));
  const render = (cells: readonly string[], colour: (at: number) => Colour | undefined): string => {
    let room = width ?? Number.POSITIVE_INFINITY;
    const painted = cells.map((text, at) => {
      const last = at === cells.length - 1;
      const space = widths[at] ?? 0;
      const padded = columns[at]?.align === 'right' ? text.padStart(space) : last ? text : text.padEnd(space);
      const cut = padded.length <= room ? padded : `${padded.slice(0, Math.max(0, room - 1))}${room > 0 ? '…' : ''}`;
      room = Math.max(0, room - cut.length - gap.length);
      const name = colour(at);
      return name === undefined ? cut : paint(name, cut);
    });
    return painted.join(gap);
  };
  const head = render(columns.map(({ title }) => title), () => 'bold');
  const body = rows.map((row, at) => {
    const item = items[at];
    return render(row, (column) => (item === undefined ? undefined : columns[column]?.colour?.(item)));
  });
  return [head, ...body].map((line) => (stripVTControlCharacters(line) === line ? line.trimEnd() : line));
}
