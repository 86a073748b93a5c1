// What `npm run bench` understands, and the form of its rows.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { choose, programs } from '../../bench/run.ts';
import { complete, median, printRow, type Row } from '../../bench/rows.ts';
import { fluidBoundMs } from '../../bench/lab/bound.ts';
import { isAlive, ownerHere } from '../../bench/lab/lab.ts';
import { commandsFor, namespaceOf, ownerOf, place } from '../../bench/lab/plan.ts';

const owner = { pid: 17, startedAt: 4711 };

describe('the runner', () => {
  test('names only programs that are there', () => {
    expect(programs.filter(({ file }) => !existsSync(new URL(`../../bench/${file}`, import.meta.url)))).toEqual([]);
  });

  test('runs the programs of the rows that are asked for, each once', () => {
    const chosen = choose(['--only', 'p2,P1']);
    expect(chosen === 'list' ? [] : chosen.programs.map(({ rows }) => rows)).toEqual([['P1', 'P2']]);
  });

  test('leaves what is long out of the short set', () => {
    const short = choose([]);
    expect(short === 'list' ? [] : short.programs.every(({ minutes }) => minutes.short > 0)).toBe(true);
    expect(choose(['--full'])).toMatchObject({ full: true, programs });
  });

  test('gives a program no option that it does not know', () => {
    const asked = fileURLToPath(new URL('../../bench/p4-deltas.ts', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [asked, '--full', '--record', '--only-pair', 'none'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('says which rows there are when there is none of that name', () => {
    expect(() => choose(['--only', 'P77'])).toThrow(/no row P77: the rows are LAB, P1, P2/);
  });
});

describe('a row', () => {
  const row: Row = { row: 'P1', case: '64 MiB', figure: 1.14999, unit: 'x bound', goal: 1.15, runs: 5, peers: { libtorrent: 2.11111 } };

  test('says whether its goal was met, to four digits', () => {
    expect(complete(row, 'abc', 'here')).toMatchObject({ figure: 1.15, met: true, peers: { libtorrent: 2.111 }, commit: 'abc', machine: 'here' });
    expect(complete({ ...row, moreIsBetter: true, goal: 2 }, 'abc', 'here').met).toBe(false);
    expect(complete({ ...row, goal: 7.989712618500001 }, 'abc', 'here').goal).toBe(7.99);
    expect('met' in complete({ row: 'P1', case: 'x', figure: 1, unit: 's', runs: 1 }, 'abc', 'here')).toBe(false);
  });

  test('is one line of JSON, and another one for people', () => {
    const lines: string[] = [];
    const people: string[] = [];
    printRow(row, { out: (line) => lines.push(line), people: (line) => people.push(line) });
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ row: 'P1', met: true }]);
    expect(people[0]).toMatch(/^P1 +64 MiB +1\.15 x bound +goal <= 1\.15 +met +\(libtorrent 2\.111\) +5 runs$/);
  });

  test('has the median of its runs', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('the lab', () => {
  test('has the fluid bound of Kumar and Ross', () => {
    const targetMbit = Array.from({ length: 16 }, () => 40);
    expect(fluidBoundMs({ bytes: 64 * 2 ** 20, originMbit: 40, targetMbit })).toBeCloseTo(13_421.8, 0);
    expect(fluidBoundMs({ bytes: 1e6, originMbit: 80, targetMbit: [8, 80] })).toBeCloseTo(1_000, 0);
  });

  test('shapes both ends of every cable and of the link between zones, and nothing of the host control', () => {
    const plan = { borderMbit: 20, hosts: [{ name: 'control', zone: 'near' }, { name: 'a', zone: 'near', mbit: 40 }, { name: 'b', zone: 'far', mbit: 40 }] };
    const shaped = commandsFor(plan, owner).filter((command) => command.includes('tbf'));
    expect(shaped.map((command) => `${command[command.indexOf('dev') + 1] ?? ''} ${command[command.indexOf('rate') + 1] ?? ''}`)).toEqual([
      'b-1-near 20mbit', 'b-1-far 20mbit', 'eth0 40mbit', 'p-a 40mbit', 'eth0 40mbit', 'p-b 40mbit',
    ]);
  });

  test('gives the TCP of every host the same congestion control', () => {
    const plan = { hosts: [{ name: 'control', zone: 'one' }, { name: 'a', zone: 'one', mbit: 40 }] };
    const chosen = commandsFor(plan, owner).filter((command) => command.includes('sysctl'));
    expect(chosen.map((command) => [command[3], command.at(-1)])).toEqual(['control', 'a'].map((name) => [namespaceOf(owner, name), 'net.ipv4.tcp_congestion_control=reno']));
  });

  test('refuses names that do not fit an interface', () => {
    for (const name of ['much-too-long', 'a-b', 'switch']) expect(() => place({ hosts: [{ name, zone: 'a' }] }, owner)).toThrow(/1 to 8 letters/);
  });

  test('knows by the name of a namespace who made it, and whether that process still runs', () => {
    expect(ownerOf(namespaceOf(owner, 'a1'))).toEqual(owner);
    for (const other of ['a1', 'starlab-a1', 'starlab-1-a1', 'starlab-17-4711-', 'xstarlab-17-4711-a1', 'starlab-17-4711-a1-b']) expect(ownerOf(other)).toBeUndefined();
    const here = ownerHere();
    expect(isAlive(here)).toBe(true);
    // Its process id has come again since.
    expect(isAlive({ ...here, startedAt: here.startedAt - 1 })).toBe(false);
    expect(isAlive({ pid: 2 ** 22 + 1, startedAt: 0 })).toBe(false);
  });
});
