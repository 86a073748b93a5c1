// A real daemon process, killed with SIGKILL at random moments of an installation: what it started goes on, the next
// daemon finds it again, and the application answers the whole time (faults 1, 41, 43).

import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rootTag } from '../../../daemon/install/releases.ts';
import { type Bed, currentOf, deploy, get, idOf, makeBed, processes, running, serving, stage, under, waiting } from './support.ts';

const daemon = fileURLToPath(new URL('./fixtures/dying-daemon.ts', import.meta.url));

/** Runs a daemon that installs a revision, and kills it `afterMs` after it has recovered. How it ended. */
async function killedInstalling(bed: Bed, number: number, afterMs: number): Promise<string> {
  await stage(bed.root, number);
  const child = spawn(process.execPath, [daemon, bed.root, join(bed.directory, 'daemon'), String(number)], { stdio: ['ignore', 'pipe', 'inherit'] });
  return await new Promise((resolve) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said === 'recovered\n') setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.once('exit', (code) => {
      resolve(code === null ? 'killed' : said.trim());
    });
  });
}

describe('a daemon that is killed', () => {
  it('20 times amid installations leaves one whole release that answered the whole time', { timeout: 240_000 }, async () => {
    await using bed = await makeBed({ onStop: 'leave' });
    const first = bed.installer();
    await first.recover(waiting);
    await deploy(first, bed.root, 1);
    const port = (await first.status())[0]?.port ?? 0;
    await first.close();
    const front = processes.tagged(`${rootTag(bed.root)}:front:`)[0]?.pid;

    let over = false;
    const answers = new Set<string>();
    const client = (async () => {
      while (!over) answers.add(await get(port));
    })();

    let old = 1;
    const ends = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const next = old + 1;
      // Spread over the half second that an installation takes.
      const afterMs = (round * 37) % 450;
      ends.add(await killedInstalling(bed, next, afterMs));
      const recovered = bed.installer();
      await recovered.recover(waiting);
      const about = `round ${round}, killed after ${afterMs} ms`;
      const current = await currentOf(bed.root);
      await under(about, async () => {
        expect([idOf(old), idOf(next)]).toContain(current);
        expect(running(bed.root)).toEqual([current]);
        expect(idOf(Number(await get(port)))).toBe(current);
        expect(await readFile(join(bed.root, 'current/VERSION'), 'utf8')).toBe(String(current === idOf(next) ? next : old));
        const numbers = recovered.pendingReports().filter(({ deployment }) => deployment === `d-${next}`).map(({ reportNo }) => reportNo);
        expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
      });
      await recovered.close();
      // The old release's number is left behind, so that each round installs one that was never here.
      if (current !== idOf(next)) {
        const finishing = bed.installer();
        await finishing.recover(waiting);
        await deploy(finishing, bed.root, next);
        await finishing.close();
      }
      old = next;
    }
    over = true;
    await client;
    expect(ends).toContain('killed');
    for (const answer of answers) expect(answer).toMatch(/^\d+$/);
    expect(processes.tagged(`${rootTag(bed.root)}:front:`).map(({ pid }) => pid)).toEqual([front]);
  });
});

describe('the next daemon', () => {
  it('re-adopts the running instance and the front, and starts it again when it crashes', { timeout: 30_000 }, async () => {
    await using bed = await makeBed({ onStop: 'leave' });
    const first = bed.installer();
    await first.recover(waiting);
    await deploy(first, bed.root, 1);
    const [before] = await first.status();
    await first.close();
    const instances = () => processes.tagged(`${rootTag(bed.root)}:run:`).filter(({ leader }) => leader);
    const [instance] = instances();
    await using second = bed.installer();
    await second.recover(waiting);
    expect(instances()).toEqual([instance]);
    expect((await second.status())[0]).toEqual(before);
    if (instance !== undefined) process.kill(instance.pid, 'SIGKILL');
    await expect.poll(() => instances().some(({ pid }) => pid === instance?.pid)).toBe(false);
    // The front takes the connection and holds it for 5 s, in which a loaded machine does not always start an instance: it is never refused, and answered in the end.
    const answers: string[] = [];
    await expect.poll(async () => answers.push(await get(before?.port ?? 0)) && answers.at(-1)).toBe('1');
    expect(answers.filter((answer) => answer.includes('ECONNREFUSED'))).toEqual([]);
    expect(instances().map(({ pid }) => pid)).not.toEqual([instance?.pid]);
  });

  it('starts the front again when that was killed', { timeout: 30_000 }, async () => {
    await using bed = await makeBed({ onStop: 'leave' });
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const front = () => processes.tagged(`${rootTag(bed.root)}:front:`)[0]?.pid;
    const killed = front();
    process.kill(killed ?? 0, 'SIGKILL');
    await expect.poll(async () => await get((await installer.status())[0]?.port ?? 0)).toBe('1');
    expect(front()).not.toBe(killed);
  });

  it('does not take a stranger for its instance because the process id is the same', { timeout: 30_000 }, async () => {
    await using bed = await makeBed({ onStop: 'leave' });
    const first = bed.installer();
    await first.recover(waiting);
    await deploy(first, bed.root, 1);
    await first.close();
    const path = join(bed.root, '.state/process.json');
    const written = (await readFile(path, 'utf8')).replace(/"pid":\d+/, `"pid":${process.ppid}`);
    for (const { pid } of processes.tagged(`${rootTag(bed.root)}:run:`)) process.kill(pid, 'SIGKILL');
    await expect.poll(() => running(bed.root)).toEqual([]);
    await writeFile(path, written);
    await using second = bed.installer();
    await second.recover(waiting);
    expect(running(bed.root)).toEqual([idOf(1)]);
    expect(() => process.kill(process.ppid, 0)).not.toThrow();
  });
});

describe('close()', () => {
  it('with `stop` ends the application and its front; with `leave` neither', { timeout: 30_000 }, async () => {
    await using bed = await makeBed();
    const leaving = bed.installer({ onStop: 'leave' });
    await leaving.recover(waiting);
    await deploy(leaving, bed.root, 1);
    await leaving.close();
    expect(running(bed.root)).toEqual([idOf(1)]);
    const stopping = bed.installer({ onStop: 'stop' });
    await stopping.recover(waiting);
    await stopping.close();
    expect(processes.tagged(rootTag(bed.root))).toEqual([]);
    // And the next start runs it again.
    await using next = bed.installer();
    await next.recover(waiting);
    expect(await get((await next.status())[0]?.port ?? 0)).toBe('1');
  });
});

describe('an instance', () => {
  it('that ignores SIGTERM is killed, with the children that left its group', { timeout: 30_000 }, async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    const stubborn = {
      'run.sh': '#!/bin/sh\ntrap "" TERM\nsetsid sleep 3600 &\nnode server.cjs &\nwhile :; do sleep 1; done\n',
    };
    const spec = { ...serving, service: { manager: 'process' as const, command: ['./run.sh'], stopTimeoutSeconds: 0.3 } };
    expect(await deploy(installer, bed.root, 1, { spec, files: stubborn })).toEqual({ kind: 'committed' });
    expect(await deploy(installer, bed.root, 2)).toEqual({ kind: 'committed' });
    const left = processes.tagged(`${rootTag(bed.root)}:run:${idOf(1)}`);
    expect(left).toEqual([]);
  });

  it('writes its output to a log under .state', { timeout: 30_000 }, async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec = { ...serving, service: { manager: 'process' as const, command: ['sh', '-c', 'echo "hello from $GREETING $STARLING_APP"; exec node server.cjs'], env: { GREETING: 'spec' } } };
    await deploy(installer, bed.root, 1, { spec });
    expect(await readFile(join(bed.root, '.state/app.log'), 'utf8')).toContain('hello from spec web');
  });
});
