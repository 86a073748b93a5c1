// The command line as a process: arguments, streams, signals and exit codes as a shell sees them.

import { describe, expect, test } from 'vitest';
import { Sandbox } from './cli-program.ts';

const timeout = 60_000;

describe('starling', { timeout }, () => {
  test('documents its exit codes and ends with them', async () => {
    await using sandbox = await Sandbox.create();
    expect(await sandbox.starling(['--help']).ended).toMatchObject({ code: 0, out: expect.stringContaining('130  interrupted'), err: '' });
    expect(await sandbox.starling(['--version']).ended).toMatchObject({ code: 0, out: '0.1.0\n' });
    expect(await sandbox.starling(['deploy']).ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining("unknown command 'deploy'") });
    expect(await sandbox.starling(['status']).ended).toMatchObject({ code: 4, out: '' });
    expect(await sandbox.starling(['status', '--url', 'http://127.0.0.1:9'], { STARLING_TOKEN: 'x' }).ended).toMatchObject({ code: 69, out: '' });
  });

  test('runs a control plane until it is told to stop, and is interrupted cleanly while it follows one', async () => {
    await using sandbox = await Sandbox.create();
    const control = sandbox.starling(['control', '--listen', '127.0.0.1:0', '--data-dir', 'control', '-o', 'json']);
    await control.said('"adminTokenFile"');
    const { url, adminTokenFile } = JSON.parse(control.out()) as { url: string; adminTokenFile: string };
    const environment = { STARLING_URL: url, STARLING_TOKEN_FILE: adminTokenFile };
    expect(await sandbox.starling(['app', 'create', 'web'], environment).ended).toMatchObject({ code: 0 });

    const events = sandbox.starling(['events', '--follow', '--since', '0', '-o', 'json'], environment);
    await events.said('dev.starling.app.created.v1');
    events.kill('SIGINT');
    expect(await events.ended).toMatchObject({ code: 130, err: 'starling: interrupted\n' });

    control.kill('SIGTERM');
    const { code, err } = await control.ended;
    expect(code).toBe(0);
    // Logs are JSON lines, all of them.
    for (const line of err.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level');
    expect((await sandbox.leftBehind()).processes).toEqual([]);
  });

  test('takes relative paths from where npm was called', async () => {
    await using sandbox = await Sandbox.create();
    const { err } = await sandbox.starling(['control', '--config', 'mine.yaml'], { npm_lifecycle_event: 'starling', INIT_CWD: '/somewhere/else' }).ended;
    expect(err).toContain('/somewhere/else/mine.yaml');
  });
});
