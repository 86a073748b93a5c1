// P4: bytes that must move between two versions that are really there, everything counted: descriptor, parts with the index in them, the revision
// manifest, and the chunks that no segment makes. Every set is applied and compared byte for byte. The published figure is the one to meet;
// where the pair is not the published one, the ratio to xdelta3 in the same run stands in for it.
// `--only-pair ts,next` takes some pairs, `--peers "xdelta3 -9,bsdiff"` some peers; `--full` gives slow peers ten minutes instead of one.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runtimeOptions } from '../control/bundle/runtime-options.ts';
import { cacheDirectory, pairs, rateBytesMin, type Pair } from './p4-pairs.ts';
import { movedByPeers, type Moved } from './p4-peers.ts';
import { printRow, skipped } from './rows.ts';
import { scratchDirectory } from './scratch.ts';

const step = fileURLToPath(new URL('p4-step.ts', import.meta.url));
/** Those of `starlingd`: they decide how much garbage lies about. */
const flags = runtimeOptions('daemon');
const goal = 1.1;

function runStep(args: readonly string[]): Readonly<Record<string, number>> {
  const said: unknown = JSON.parse(execFileSync(process.execPath, [...flags, step, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
  if (typeof said !== 'object' || said === null) throw new Error('the step said nothing');
  return Object.fromEntries(Object.entries(said).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

interface Rates {
  readonly encode: number;
  readonly decode: number;
  readonly makePeakMiB: number;
  readonly applyPeakMiB: number;
}

function measure(pair: Pair, cache: string, timeoutMs: number, peerNames: readonly string[] | undefined): Rates | undefined {
  let trees: readonly [string, string];
  try {
    trees = pair.trees(cache);
  } catch (cause) {
    skipped('P4', pair.name, `the pair cannot be had: ${cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)}`);
    return undefined;
  }
  const [from, to] = trees;
  const scratch = scratchDirectory('p4');
  try {
    runStep(['index', from, join(scratch, 'from.index')]);
    const tree = runStep(['index', to, join(scratch, 'to.index')]);
    const made = runStep(['make', from, to, scratch]);
    const applied = runStep(['apply', from, to, scratch]);
    const count = (of: Readonly<Record<string, number>>, name: string): number => of[name] ?? Number.NaN;
    const uncovered = count(made, 'missingBytes') - count(made, 'coveredBytes');
    if (count(applied, 'bytes') !== count(made, 'coveredBytes')) throw new Error(`${pair.name}: ${count(applied, 'bytes')} bytes came out, not ${count(made, 'coveredBytes')}`);
    const wire = count(made, 'descriptorBytes') + count(made, 'payloadBytes') + count(tree, 'manifestBytes') + uncovered;
    const peers = movedByPeers({ from, to, scratch: join(scratch, 'peers'), timeoutMs }, peerNames);
    report(pair, wire, peers, { wireBytes: wire, payloadBytes: count(made, 'payloadBytes'), indexBytes: count(made, 'indexBytes'), descriptorBytes: count(made, 'descriptorBytes'), manifestBytes: count(tree, 'manifestBytes'), plainBytes: uncovered, missingBytes: count(made, 'missingBytes'), treeBytes: count(tree, 'bytes'), segments: count(made, 'segments') });
    if (count(made, 'missingBytes') < rateBytesMin) return undefined;
    return { encode: count(made, 'ratedBytes') / 1e6 / count(made, 'seconds'), decode: count(applied, 'ratedBytes') / 1e6 / count(applied, 'seconds'), makePeakMiB: count(made, 'peakMiB'), applyPeakMiB: count(applied, 'peakMiB') };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function report(pair: Pair, wire: number, peers: Readonly<Record<string, Moved>>, details: Readonly<Record<string, number>>): void {
  for (const [name, moved] of Object.entries(peers)) if (typeof moved === 'string') skipped('P4', `${name} on ${pair.name}`, moved);
  const numbers = Object.entries(peers).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  const xdelta3 = peers['xdelta3 -9'];
  const stand = pair.isSame ? pair.published.rec : typeof xdelta3 === 'number' ? (xdelta3 * pair.published.rec) / pair.published.xdelta3 : undefined;
  if (stand === undefined) {
    skipped('P4', pair.name, 'it is not the published pair, and without xdelta3 there is nothing to hold it against');
    return;
  }
  printRow({
    row: 'P4',
    case: pair.isSame ? pair.name : `${pair.name}, another than published: against xdelta3 as there`,
    figure: wire / stand,
    unit: 'of the published bytes',
    goal,
    peers: Object.fromEntries(numbers.map(([name, moved]) => [name, moved / stand])),
    runs: 1,
    details,
  });
}

const { values } = parseArgs({ options: { 'only-pair': { type: 'string' }, peers: { type: 'string' }, full: { type: 'boolean', default: false }, record: { type: 'boolean' } } });
const only = values['only-pair']?.split(',');
const peers = values.peers?.split(',');
const rates: Rates[] = [];
const cache = cacheDirectory();
for (const pair of pairs) {
  if (only !== undefined && !only.includes(pair.name)) continue;
  const rate = measure(pair, cache, values.full ? 600_000 : 60_000, peers);
  if (rate !== undefined) rates.push(rate);
}
if (rates.length > 0) {
  const least = (of: (rate: Rates) => number): number => Math.min(...rates.map(of));
  const most = (of: (rate: Rates) => number): number => Math.max(...rates.map(of));
  const unit = 'MB a second of processor time';
  printRow({ row: 'P4', case: 'encode, missing bytes, slowest pair', figure: least(({ encode }) => encode), unit, goal: 14, moreIsBetter: true, runs: rates.length });
  printRow({ row: 'P4', case: 'decode, made bytes, slowest pair', figure: least(({ decode }) => decode), unit, goal: 110, moreIsBetter: true, runs: rates.length });
  printRow({ row: 'P4', case: 'encode, memory of the whole process', figure: most(({ makePeakMiB }) => makePeakMiB), unit: 'MiB', goal: 256, runs: rates.length });
  printRow({ row: 'P4', case: 'decode, memory of the whole process', figure: most(({ applyPeakMiB }) => applyPeakMiB), unit: 'MiB', goal: 256, runs: rates.length });
}
