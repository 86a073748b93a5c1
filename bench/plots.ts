// The plots of what was measured, as SVG: P1 against the number of targets, P4 beside the peers, and who fed whom over time. Drawing is the library's; here is only what
// goes on which axis. What is kept is results.ts's.

import * as echarts from 'echarts';
import type { EChartsOption } from 'echarts';
import type { PrintedRow } from './rows.ts';

/** What `feed.ts --record` keeps. Times in milliseconds from the promotion; `sent` by look and member, bytes since the look before. */
export interface KeptFeed {
  readonly case: string;
  readonly boundMs: number;
  readonly members: readonly string[];
  readonly atMs: readonly number[];
  readonly sent: readonly (readonly number[])[];
  readonly wholeMs: readonly number[];
}

const size = { width: 900, height: 420 };
/** Distinct in grey too. */
const colours = ['#0b6e4f', '#c1440e', '#3d5a80', '#8e6c8a', '#b08900', '#5f6b6d', '#1b998b', '#9d0208'];

/** An SVG document. */
function draw(option: EChartsOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({ animation: false, backgroundColor: '#ffffff', color: [...colours], legend: { bottom: 0 }, grid: { left: 70, right: 30, top: 50, bottom: 70 }, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** Time to the last target over the fluid bound, against the number of targets, of one size and rate; one line for each program. Undefined without rows. */
export function plotGrowth(rows: readonly PrintedRow[], mib = 64, mbit = 40): string | undefined {
  const points = rows
    .filter(({ row, case: name }) => row === 'P1' && name.startsWith(`${mib} MiB, `) && name.endsWith(`, ${mbit} Mbit/s`))
    .map((row) => ({ targets: Number(/, (\d+) targets/.exec(row.case)?.[1]), row }))
    .toSorted((a, b) => a.targets - b.targets);
  if (points.length === 0) return undefined;
  const names = ['starling', ...new Set(points.flatMap(({ row }) => Object.keys(row.peers ?? {})))];
  return draw({
    title: { text: `P1: ${mib} MiB to N targets, ${mbit} Mbit/s: time to the last one over the fluid bound` },
    xAxis: { type: 'category', name: 'targets', nameLocation: 'middle', nameGap: 28, data: points.map(({ targets }) => String(targets)) },
    yAxis: { type: 'log', name: '× bound', min: 1 },
    series: names.map((name) => ({ name, type: 'line', data: points.map(({ row }) => (name === 'starling' ? row.figure : (row.peers?.[name] ?? null))) })),
  });
}

/** Bytes that must move for each pair of versions, over the published figure; one bar for each program. Undefined without rows. */
export function plotPairs(rows: readonly PrintedRow[]): string | undefined {
  const pairs = rows.filter(({ row, unit }) => row === 'P4' && unit === 'of the published bytes');
  if (pairs.length === 0) return undefined;
  const names = ['starling', ...new Set(pairs.flatMap(({ peers }) => Object.keys(peers ?? {})))];
  return draw({
    title: { text: 'P4: bytes that must move, over the published figure' },
    xAxis: { type: 'category', data: pairs.map(({ case: name }) => name.split(',')[0] ?? name) },
    yAxis: { type: 'log', name: '× published', min: 0.1 },
    series: names.map((name) => ({ name, type: 'bar', data: pairs.map(({ figure, peers }) => (name === 'starling' ? figure : (peers?.[name] ?? null))) })),
  });
}

/** Who sent to the targets, over time: a band for the origin and each target. */
export function plotFeed({ case: name, boundMs, members, atMs, sent, wholeMs }: KeptFeed): string {
  const last = (wholeMs.at(-1) ?? 0) / 1000;
  const rate = (at: number, member: number): number => {
    const ms = (atMs[at] ?? 0) - (atMs[at - 1] ?? 0);
    return ms <= 0 ? 0 : ((sent[at]?.[member] ?? 0) * 8) / ms / 1000;
  };
  return draw({
    title: { text: `Who fed whom: ${name}`, subtext: `fluid bound ${(boundMs / 1000).toFixed(1)} s, last target whole after ${last.toFixed(1)} s` },
    grid: { left: 70, right: 30, top: 70, bottom: 90 },
    xAxis: { type: 'value', name: 'seconds', nameLocation: 'middle', nameGap: 28, max: Math.ceil((atMs.at(-1) ?? 0) / 1000) },
    yAxis: { type: 'value', name: 'Mbit/s sent' },
    series: members.map((member, index) => ({
      name: member, type: 'line', stack: 'sent', areaStyle: { opacity: 0.85 }, symbol: 'none', lineStyle: { width: 0 }, data: atMs.map((ms, at) => [ms / 1000, rate(at, index)]),
    })),
  });
}
