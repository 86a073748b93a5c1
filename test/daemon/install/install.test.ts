// Installing, switching and rolling back with real processes behind the front.

import { mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Installer } from '../../../daemon/install/installer.ts';
import { currentOf, deploy, get, idOf, makeBed, notServing, orderOf, running, serving, stage, stagingDirectories, waiting } from './support.ts';

async function portOf(installer: Installer): Promise<number> {
  return (await installer.status())[0]?.port ?? 0;
}

describe('a first installation', () => {
  it('is switched to, serves behind the front, and is reported phase by phase', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    expect(await deploy(installer, bed.root, 1)).toEqual({ kind: 'committed' });
    expect(await currentOf(bed.root)).toBe(idOf(1));
    expect(await get(await portOf(installer))).toBe('1');
    const reports = installer.pendingReports();
    expect(reports.map(({ phase }) => phase)).toEqual(['staged', 'activating', 'health-checking', 'committed']);
    expect(reports.map(({ reportNo }) => reportNo)).toEqual([1, 2, 3, 4]);
    expect((await installer.status())[0]).toMatchObject({ app: 'web', current: { revisionNumber: 1, healthy: true }, releases: [{ id: idOf(1) }] });
  });

  it('that fails is stopped, and nothing is current', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec = { ...serving, health: [{ kind: 'http' as const, url: 'http://127.0.0.1:${PORT}/health', timeoutSeconds: 0.3, intervalSeconds: 0.05 }] };
    expect(await deploy(installer, bed.root, 1, { status: 500, spec })).toMatchObject({ kind: 'failed', code: 'HEALTH_FAILED' });
    expect(await currentOf(bed.root)).toBeUndefined();
    expect(running(bed.root)).toEqual([]);
  });

  it('ends with a clear line when the port is in use, and starts nothing', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await using bed = await makeBed({}, port);
      await using installer = bed.installer();
      await installer.recover(waiting);
      const outcome = await deploy(installer, bed.root, 1);
      expect(outcome).toMatchObject({ kind: 'failed', code: 'PORT_IN_USE', detail: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`) });
      expect(running(bed.root)).toEqual([]);
    } finally {
      other.close();
    }
  });
});

describe('a second installation', () => {
  it('takes over without a refused connection, and the first one stops', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const port = await portOf(installer);
    let over = false;
    const answers: string[] = [];
    const client = (async () => {
      while (!over) answers.push(await get(port));
    })();
    expect(await deploy(installer, bed.root, 2)).toEqual({ kind: 'committed' });
    answers.push(await get(port));
    over = true;
    await client;
    expect(new Set(answers)).toEqual(new Set(['1', '2']));
    expect(answers.at(-1)).toBe('2');
    expect(answers.toSorted()).toEqual(answers);
    expect(running(bed.root)).toEqual([idOf(2)]);
    expect((await installer.status())[0]?.previous).toBe(idOf(1));
  });

  it('lets a request finish that the first one was answering', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const port = await portOf(installer);
    const installed = deploy(installer, bed.root, 2);
    const slow: Promise<string>[] = [];
    let over = false;
    const asking = (async () => {
      while (!over) {
        slow.push(get(port, '/slow'));
        await get(port);
      }
    })();
    await installed;
    over = true;
    await asking;
    expect(new Set(await Promise.all(slow))).toEqual(new Set(['1', '2']));
  });

  it('lets it finish even when the first one ends at the first signal', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    const abrupt = "require('node:http').createServer((request, response) => { if (request.url === '/slow') setTimeout(() => response.end('1'), 1500); else response.end('1'); }).listen(process.env.PORT, '127.0.0.1')";
    await deploy(installer, bed.root, 1, { files: { 'server.cjs': abrupt } });
    const port = await portOf(installer);
    const slow = get(port, '/slow');
    expect(await deploy(installer, bed.root, 2)).toEqual({ kind: 'committed' });
    expect(await slow).toBe('1');
    expect(await get(port)).toBe('2');
  });

  it('that is not healthy takes no traffic, is rolled back, and the first one answers the whole time', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const port = await portOf(installer);
    let over = false;
    const answers: string[] = [];
    const client = (async () => {
      while (!over) answers.push(await get(port));
    })();
    const spec = { ...serving, health: [{ kind: 'http' as const, url: 'http://127.0.0.1:${PORT}/health', timeoutSeconds: 1.5, intervalSeconds: 0.05 }] };
    const outcome = await deploy(installer, bed.root, 2, { status: 503, spec });
    over = true;
    await client;
    expect(outcome).toMatchObject({ kind: 'rolled-back', code: 'HEALTH_FAILED' });
    expect(new Set(answers)).toEqual(new Set(['1']));
    expect(await currentOf(bed.root)).toBe(idOf(1));
    expect(running(bed.root)).toEqual([idOf(1)]);
    const phases = installer.pendingReports().filter(({ deployment }) => deployment === 'd-2').map(({ phase }) => phase);
    expect(phases).toEqual(['staged', 'activating', 'health-checking', 'rolling-back', 'rolled-back']);
    expect((await installer.status())[0]?.releases).toMatchObject([{ id: idOf(1), bad: false }, { id: idOf(2), bad: true }]);
  });

  it("that fails a check of the order is rolled back, and the check is asked of the instance though it names the application's port", async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const port = await portOf(installer);
    const spec = { ...serving, health: [] };
    const ordered = async (number: number, status: number) => {
      const check = { name: 'full-health', path: '/health', port, successes: 1, intervalMs: 50, timeoutMs: status === 200 ? 8_000 : 1_000 };
      return await installer.install({ ...orderOf(number, { spec }), checks: [check] }, await stage(bed.root, number, { status }), waiting);
    };
    expect(await ordered(2, 503)).toMatchObject({ kind: 'rolled-back', code: 'HEALTH_FAILED', detail: expect.stringMatching(/^check 'full-health': http:\/\/127.0.0.1:\d+\/health: status 503, expected status 200/) });
    expect(await get(port)).toBe('1');
    expect(await ordered(3, 200)).toEqual({ kind: 'committed' });
    expect(await get(port)).toBe('3');
  });

  it('that crashes at once is given up before its time is over', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const outcome = await deploy(installer, bed.root, 2, { files: { 'server.cjs': 'console.error("no database here"); process.exit(1)' }, spec: { ...serving, health: [{ kind: 'http', url: 'http://127.0.0.1:${PORT}/', timeoutSeconds: 3600, intervalSeconds: 0.05 }] } });
    expect(outcome).toMatchObject({ kind: 'rolled-back', code: 'HEALTH_FAILED', detail: expect.stringContaining('ended 3 times') });
    expect(installer.pendingReports().find(({ code }) => code === 'HEALTH_FAILED')?.output).toContain('no database here');
    expect(await get(await portOf(installer))).toBe('1');
  });

  it('of what runs already changes nothing', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    const before = running(bed.root);
    expect(await installer.install(orderOf(1, { deployment: 'again' }), undefined, waiting)).toEqual({ kind: 'already-current' });
    expect(running(bed.root)).toEqual(before);
    expect(installer.pendingReports().at(-1)).toMatchObject({ deployment: 'again', phase: 'already-current', reportNo: 1 });
  });
});

describe('rollback()', () => {
  it('goes back to a release that is still on disk', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1);
    await deploy(installer, bed.root, 2);
    expect(await installer.rollback(orderOf(1, { deployment: 'back' }), waiting)).toEqual({ kind: 'committed' });
    expect(await get(await portOf(installer))).toBe('1');
    expect((await installer.status())[0]).toMatchObject({ previous: idOf(2), current: { id: idOf(1) } });
  });

  it('fails without a change when the release is gone', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 2);
    expect(await installer.rollback(orderOf(1), waiting)).toMatchObject({ kind: 'failed', detail: expect.stringContaining('no longer on disk') });
    expect(await get(await portOf(installer))).toBe('2');
  });
});

describe('the layout', () => {
  it('links shared paths into the release and creates shared directories on first use', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec = { ...notServing, install: { layout: 'releases' as const, shared: { directories: ['logs', 'var/data'], files: ['etc/app.env'] } } };
    await deploy(installer, bed.root, 1, { spec, files: { 'logs/shipped.txt': 'x' } });
    expect(await readlink(join(bed.root, 'current/logs'))).toBe('../../shared/logs');
    await writeFile(join(bed.root, 'current/var/data/file'), 'kept');
    await writeFile(join(bed.root, 'current/etc/app.env'), 'A=1');
    await deploy(installer, bed.root, 2, { spec });
    expect(await readFile(join(bed.root, 'current/var/data/file'), 'utf8')).toBe('kept');
    expect(await readFile(join(bed.root, 'shared/etc/app.env'), 'utf8')).toBe('A=1');
  });

  it('refuses a shared path that leads out of the release', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec = { ...notServing, install: { layout: 'releases' as const, shared: { directories: ['../../outside'] } } };
    expect(await deploy(installer, bed.root, 1, { spec })).toMatchObject({ kind: 'failed', code: 'INVALID_PATH' });
    expect(await stagingDirectories(bed.root)).toEqual([]);
  });

  it('refuses a shared path that leads through a link of the release, and makes nothing where that leads', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const outside = join(bed.directory, 'outside');
    await mkdir(outside);
    const staged = await stage(bed.root, 1);
    await symlink(outside, join(staged.directory, 'etc'));
    const spec = { ...notServing, install: { layout: 'releases' as const, shared: { directories: ['etc/app'] } } };
    expect(await installer.install(orderOf(1, { spec }), staged, waiting)).toMatchObject({ kind: 'failed', code: 'INVALID_PATH', detail: expect.stringContaining('leads through etc, which is a link') });
    expect(await readdir(outside)).toEqual([]);
  });

  it('refuses a root where current is a real directory, and leaves it alone', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    await mkdir(join(bed.root, 'current'));
    expect(await deploy(installer, bed.root, 1, { spec: notServing })).toMatchObject({
      kind: 'failed',
      code: 'ACTIVATION_FAILED',
      detail: expect.stringContaining('is a directory, expected a symbolic link'),
    });
    expect((await stat(join(bed.root, 'current'))).isDirectory()).toBe(true);
  });

  it('keeps the last releases, and always the current, the previous and the stable one', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec = { ...notServing, install: { layout: 'releases' as const, keepReleases: 2 } };
    await deploy(installer, bed.root, 1, { spec });
    await installer.markStable('web', orderOf(1).revision);
    for (const number of [2, 3, 4]) await deploy(installer, bed.root, number, { spec });
    const status = (await installer.status())[0];
    expect(status?.releases.map(({ revisionNumber }) => revisionNumber)).toEqual([1, 3, 4]);
    expect(status).toMatchObject({ stable: idOf(1), previous: idOf(3) });
    expect(await installer.cleanup('web')).toEqual([]);
  });
});

describe('whoever runs a release as another user', () => {
  it('can reach it and what outlives it, and not the books, whatever the umask of the daemon', async () => {
    const before = process.umask(0o077);
    try {
      await using bed = await makeBed({}, undefined);
      await using installer = bed.installer();
      await installer.recover(waiting);
      await deploy(installer, bed.root, 1, { spec: notServing });
      const modes = await Promise.all(['', 'releases', 'shared', '.state'].map(async (name) => [name, (await stat(join(bed.root, name))).mode & 0o777] as const));
      expect(Object.fromEntries(modes)).toEqual({ '': 0o755, releases: 0o755, shared: 0o711, '.state': 0o700 });
    } finally {
      process.umask(before);
    }
  });
});

describe('orders', () => {
  it('for an application that is not configured are refused by name', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer();
    await installer.recover(waiting);
    await expect(installer.install({ ...orderOf(1), app: 'shop' }, undefined, waiting)).rejects.toMatchObject({ code: 'ORDER_REFUSED' });
    const report = await installer.report({ app: 'shop', environment: 'prod', deployment: 'd', seq: 1 }, 'rejected', { code: 'ORDER_REFUSED' });
    expect(report.reportNo).toBe(1);
  });

  it('that ran out while the content was fetched change nothing', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const order = { ...orderOf(1, { spec: notServing }), notAfterMs: 1_000 };
    expect(await installer.install(order, await stage(bed.root, 1), waiting)).toMatchObject({ kind: 'failed', code: 'ORDER_REFUSED' });
    expect(await currentOf(bed.root)).toBeUndefined();
  });

  it('find the root of another living daemon in use', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    const startTime = (await readFile(`/proc/${process.ppid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19];
    await writeFile(join(bed.root, `.state/owner.${process.ppid}.${startTime}`), '');
    await expect(bed.installer().recover(waiting)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
  });

  it('leave alone what runs under the root of another living daemon, also when they stop what they run', async () => {
    await using bed = await makeBed();
    await using installer = bed.installer({ onStop: 'leave' });
    await installer.recover(waiting);
    expect(await installer.install(orderOf(1), await stage(bed.root, 1), waiting)).toEqual({ kind: 'committed' });
    const startTime = (await readFile(`/proc/${process.ppid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19];
    await writeFile(join(bed.root, `.state/owner.${process.ppid}.${startTime}`), '');
    const second = bed.installer({ onStop: 'stop' });
    await expect(second.recover(waiting)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
    await second.close();
    expect(await installer.status()).toMatchObject([{ current: { healthy: true } }]);
  });
});
