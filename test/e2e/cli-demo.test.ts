// The demo whole: three versions on real processes, nothing left behind, whether it ends, is interrupted, or runs beside another.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DemoReport } from '../../control/cli/demo/report.ts';
import { Sandbox } from './cli-program.ts';

/** Eight processes and five copies of a tree of thousands of files, on a machine that may be busy. */
const timeout = 300_000;

const nothing = { files: [], processes: [] };

async function site(sandbox: Sandbox): Promise<string> {
  const directory = join(sandbox.directory, 'site');
  await mkdir(join(directory, 'a folder'), { recursive: true });
  await writeFile(join(directory, 'index.html'), '<h1>hello</h1>');
  await writeFile(join(directory, 'a folder', 'data'), Buffer.alloc(200_000, 'data'));
  return directory;
}

function reportOf(out: string): DemoReport {
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as DemoReport;
}

describe('starling demo', { timeout }, () => {
  test('carries two versions to five targets by the swarm and takes the third one back', async () => {
    await using sandbox = await Sandbox.create();
    const { out } = await sandbox.ended(sandbox.starling(['demo', '--json', '--exit']), 0);
    const report = reportOf(out);
    expect(report).toMatchObject({
      targets: 5,
      versions: [{ version: '1', result: 'succeeded' }, { version: '2', result: 'succeeded' }, { version: '3', result: 'rolled-back' }],
      rolledBack: ['3'],
      problems: [],
    });
    const [first, second, third] = report.versions;
    if (first === undefined || second === undefined || third === undefined) throw new Error('a version is missing');
    expect(first.entries).toBeGreaterThan(1_000);
    expect(first.treeBytes).toBeGreaterThan(10_000_000);
    expect(first.originBytes).toBeLessThanOrEqual(1.5 * first.treeBytes);
    expect(first.peerBytes).toBeGreaterThan(2 * first.treeBytes);
    expect(second.uploadedBytes).toBeLessThan(0.01 * second.treeBytes);
    expect(second.fetchedBytesMax).toBeLessThan(0.01 * second.treeBytes);
    expect(third.rolledBackOn).toEqual(third.triedOn);
    expect(report.service).toMatchObject({ failures: 0 });
    expect(report.service?.probes).toBeGreaterThan(50);
    expect(await sandbox.leftBehind()).toEqual(nothing);
  });

  test.each([
    ['while it starts', 'control plane at'],
    ['while it deploys', 'version 1 pushed'],
  ] as const)('leaves nothing behind when it is interrupted %s', async (_when, text) => {
    await using sandbox = await Sandbox.create();
    const demo = sandbox.starling(['demo', '--app', await site(sandbox), '--targets', '2']);
    await demo.said(text);
    demo.kill('SIGINT');
    demo.kill('SIGINT');
    await sandbox.ended(demo, 130);
    expect(await sandbox.leftBehind()).toEqual(nothing);
  });

  test('runs twice at once, with any directory: one is ended when it is done, the other is kept, runs on, and is stopped by a later command', async () => {
    await using sandbox = await Sandbox.create();
    const demo = ['demo', '--app', await site(sandbox), '--targets', '2', '--json'];
    const [staying, kept] = [sandbox.starling(demo), sandbox.starling([...demo, '--keep'])];
    await staying.said('Ctrl-C stops it');
    staying.kill('SIGINT');
    staying.kill('SIGINT');
    const [first, { out, err }] = [await sandbox.ended(staying, 0), await sandbox.ended(kept, 0)];
    for (const text of [first.out, out]) expect(reportOf(text)).toMatchObject({ targets: 2, rolledBack: ['3'], problems: [] });
    expect((await sandbox.leftBehind()).files).toHaveLength(1);
    const [, directory = ''] = /starling demo --stop (\S+)/.exec(err) ?? [];
    const [, url = '', token = ''] = /STARLING_URL=(\S+) STARLING_TOKEN_FILE=(\S+);/.exec(err) ?? [];
    const environment = { STARLING_URL: url, STARLING_TOKEN_FILE: token };
    const targets = await sandbox.starling(['targets', '--environment', 'demo', '-o', 'name'], environment).ended;
    expect(targets).toMatchObject({ code: 0, out: 'agent-1\nagent-2\n' });
    expect(await sandbox.starling(['promote', '--to', 'demo', '--revision', '3', '--wait', '2m'], environment).ended).toMatchObject({ code: 8 });
    expect(await sandbox.starling(['rollback', 'demo', '--to', '1', '--wait', '2m'], environment).ended).toMatchObject({ code: 0 });
    expect(await sandbox.starling(['demo', '--stop', directory]).ended).toMatchObject({ code: 0 });
    expect(await sandbox.leftBehind()).toEqual(nothing);
  });
});
