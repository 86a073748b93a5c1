// What is made of kept rows: a table, plots, and which row takes the place of which.

import { describe, expect, test } from 'vitest';
import { plotFeed, plotGrowth, plotPairs } from '../../bench/plots.ts';
import { between } from '../../bench/report.ts';
import { merged, parseRows, table } from '../../bench/results.ts';
import { complete, type PrintedRow } from '../../bench/rows.ts';

const row = (name: string, targets: number, figure: number): PrintedRow =>
  complete({ row: name, case: `64 MiB, ${targets} targets, 40 Mbit/s`, figure, unit: 'x bound', goal: 1.15, runs: 5, peers: { libtorrent: 2.2 } }, 'abc', 'two cores');

describe('kept rows', () => {
  test('are replaced by newer ones of the same case, and sorted by row', () => {
    const rows = merged([row('P10', 4, 1), row('P2', 4, 1.5)], [row('P2', 4, 1.1), row('P2', 8, 1.2)]);
    expect(rows.map(({ row: name, figure }) => [name, figure])).toEqual([['P2', 1.1], ['P2', 1.2], ['P10', 1]]);
  });

  test('are read as they were written', () => {
    const rows = [row('P1', 4, 1.2), row('P1', 8, 1.3)];
    expect(parseRows(rows.map((one) => `${JSON.stringify(one)}\n`).join(''))).toEqual(rows);
  });

  test('become a table that says what missed its goal, and from where the figures come', () => {
    const text = table([row('P1', 4, 1.2), row('P1', 8, 1.1)]);
    expect(text).toContain('| P1 | 64 MiB, 4 targets, 40 Mbit/s | 1.2 x bound | ≤ 1.15 | **no** | libtorrent 2.2 | 5 |');
    expect(text).toContain('| yes |');
    expect(text).toContain('P1 at `abc`.');
  });
});

describe('plots', () => {
  test('are SVG with a line for us and each peer, in the order of targets', () => {
    const svg = plotGrowth([row('P1', 16, 1.5), row('P1', 4, 1.2)]);
    expect(svg).toMatch(/^<svg/);
    expect(svg).toContain('libtorrent');
    const slower = { ...row('P1', 32, 1.2), case: '64 MiB, 32 targets, 10 Mbit/s' };
    expect(plotGrowth([row('P1', 16, 1.5), slower])).toMatch(/>16<(?!.*>32<)/s);
    expect(plotGrowth([])).toBeUndefined();
    expect(plotPairs([])).toBeUndefined();
  });

  test('show who fed whom', () => {
    expect(plotFeed({ case: 'x', boundMs: 1000, members: ['origin', 'a1'], atMs: [0, 500, 1000], sent: [[0, 0], [1e6, 0], [0, 1e6]], wholeMs: [900] })).toContain('last target whole after 0.9 s');
  });
});

test('a report replaces what is between its marks, and nothing else', () => {
  const page = 'before\n<!-- results: made by bench/report.ts -->\nold\n<!-- end of results -->\nafter\n';
  expect(between(page, 'new')).toBe('before\n<!-- results: made by bench/report.ts -->\n\nnew\n\n<!-- end of results -->\nafter\n');
  expect(() => between('nothing', 'new')).toThrow(RangeError);
});
