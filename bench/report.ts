// Writes down what `npm run bench -- --record` kept: the table into README.md, between its two marks, and the plots beside the rows. Run: `node bench/report.ts`.
// Nothing is measured here.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { plotFeed, plotGrowth, plotPairs } from './plots.ts';
import type { KeptFeed } from './plots.ts';
import { keptRows, table } from './results.ts';

const marks = ['<!-- results: made by bench/report.ts -->', '<!-- end of results -->'] as const;

/** `text` with what is between the marks replaced. @throws {RangeError} when they are not there. */
export function between(text: string, content: string): string {
  const [start, end] = marks.map((mark) => text.indexOf(mark));
  if (start === undefined || end === undefined || start < 0 || end < start) throw new RangeError(`bench/README.md lacks '${marks[0]}' and '${marks[1]}'`);
  return `${text.slice(0, start + marks[0].length)}\n\n${content}\n\n${text.slice(end)}`;
}

function report(): void {
  const at = (name: string): URL => new URL(name, import.meta.url);
  const rows = keptRows();
  const feed = at('results/feed.json');
  const drawn: readonly (readonly [string, string, string | undefined])[] = [
    ['p1.svg', 'P1 against the number of targets', plotGrowth(rows)],
    ['p4.svg', 'P4 beside the peers', plotPairs(rows)],
    // What feed.ts wrote.
    ['feed.svg', 'Who fed whom over time', existsSync(feed) ? plotFeed(JSON.parse(readFileSync(feed, 'utf8')) as KeptFeed) : undefined],
  ];
  const plots = drawn.flatMap(([name, what, svg]) => {
    if (svg === undefined) return [];
    writeFileSync(at(`results/${name}`), `${svg}\n`);
    return [`![${what}](results/${name})`];
  });
  const readme = at('README.md');
  writeFileSync(readme, between(readFileSync(readme, 'utf8'), [table(rows), ...plots].join('\n\n')));
  process.stderr.write(`bench/README.md: ${rows.length} rows, ${plots.length} plots\n`);
}

if (import.meta.main) report();
