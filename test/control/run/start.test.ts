// Starting and stopping the whole control plane: one clear line when it cannot, and nothing left when it ends.

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../control/config.ts';
import { startControl } from '../../../control/control.ts';
import { openLevelJournal } from '../../../control/journal/level.ts';
import { ManualClock, TestControl, until } from '../http/harness.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent };

describe('startControl()', () => {
  test('a data directory in use is refused in one line that names it', async () => {
    await using control = await TestControl.start();
    const config = readConfig({ environment: {}, flags: { dataDir: control.dataDir, listen: '127.0.0.1:0' } });
    await expect(startControl(config, { log: silent })).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', message: expect.stringContaining(control.dataDir) });
    expect((await control.get('/v1/apps')).status).toBe(200);
  });

  test('a port in use is refused in one line that names it, and the data directory is free again', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'control-'));
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      const config = readConfig({ environment: {}, flags: { dataDir, listen: `127.0.0.1:${port}` } });
      await expect(startControl(config, { log: silent })).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`) });
      const free = await startControl(readConfig({ environment: {}, flags: { dataDir, listen: '127.0.0.1:0' } }), { log: silent });
      await free.close();
    } finally {
      other.close();
      await rm(dataDir, { recursive: true });
    }
  });

  test('makes the administrator\'s token once, for its owner\'s eyes', async () => {
    await using control = await TestControl.start();
    const path = join(control.dataDir, 'admin.token');
    const text = await readFile(path, 'utf8');
    expect(text.trim()).toBe(control.control.firstToken);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await rm(path);
    await control.restart();
    expect(control.control.firstToken).toBeUndefined();
    await expect(stat(path)).rejects.toThrow('ENOENT');
    expect((await control.get('/v1/apps', { token: text.trim() })).status).toBe(200);
  });

  test('records a token that an earlier start wrote down and did not live to record', async () => {
    await using made = await TestControl.start();
    const dataDir = await mkdtemp(join(tmpdir(), 'control-'));
    try {
      await writeFile(join(dataDir, 'admin.token'), `${made.admin}\n`, { mode: 0o600 });
      const control = await startControl(readConfig({ environment: {}, flags: { dataDir, listen: '127.0.0.1:0' } }), { log: silent });
      const answer = await fetch(`${control.url}/v1/apps`, { headers: { authorization: `Bearer ${made.admin}` } });
      expect([answer.status, control.firstToken]).toEqual([200, made.admin]);
      await control.close();
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  test('makes a new one when none works any more', async () => {
    await using control = await TestControl.start();
    const { token } = (await control.get('/v1/tokens')).body.items[0];
    expect((await control.call('DELETE', `/v1/tokens/${token}`, { headers: { 'if-match': '*' } })).status).toBe(204);
    const old = control.admin;
    await control.restart();
    expect(control.admin).not.toBe(old);
    expect((await control.get('/v1/apps')).status).toBe(200);
  });

  test('another organisation than the one that the directory was made for is refused', async () => {
    await using control = await TestControl.start();
    await control.stop();
    const config = readConfig({ environment: {}, flags: { dataDir: control.dataDir, listen: '127.0.0.1:0', org: 'other' } });
    await expect(startControl(config, { log: silent })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('ends waits, streams and resting connections when it stops, and keeps everything that was acknowledged', async () => {
    // Time does not pass, so that nothing is ended by patience running out.
    await using control = await TestControl.start({ clock: new ManualClock() });
    const { hostname, port } = new URL(control.url);
    // It keeps its connection for as long as the server lets it, also after its stream has ended.
    const patient = createConnection({ host: hostname, port: Number(port) });
    patient.write(`GET /v1/events?since=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${control.admin}\r\n\r\n`);
    await new Promise((resolve) => patient.once('data', resolve));
    patient.resume();
    await control.post('/v1/apps', { app: 'web' });
    const member = await control.join('agent-1', ['agent']);
    await member.sync();
    const poll = member.sync({ waitMs: 60_000, rosterEpoch: 9_999 });
    const reader = await control.follow('');
    await reader.next();
    await until(async () => ((await control.get('/metrics')).text.includes('event_streams{kind="agent"} 1') ? true : undefined));
    await control.stop();
    expect((await poll).orders).toEqual([]);
    await expect(reader.next()).rejects.toThrow(/terminated|ended|abort/);
    await control.start();
    expect((await control.get('/v1/apps')).body.items).toHaveLength(1);
    expect((await control.get('/v1/targets')).body.items).toHaveLength(1);
  });
});

describe('readConfig()', () => {
  const file = (text: string) => ({ path: 'control.yaml', text });

  test('flags win over the environment, that over the file, that over the defaults', () => {
    const text = 'org: from-file\nlisten: { host: 0.0.0.0 }\nlog: { level: warn }\ndataDir: /file\n';
    const config = readConfig({ file: file(text), environment: { STARLING_LISTEN: ':7500', STARLING_DATA_DIR: '/environment', STARLING_LOG_LEVEL: 'error' }, flags: { logLevel: 'debug' } });
    expect(config).toMatchObject({ org: 'from-file', listen: { host: '0.0.0.0', port: 7500 }, dataDir: '/environment', log: { level: 'debug' }, metrics: 'open' });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('tells of every problem at once, with its place and what was meant', () => {
    const text = 'lisen: { port: 1 }\nlog:\n  level: loud\norg: ""\n';
    const read = () => readConfig({ file: file(text), environment: { STARLING_METRICS: 'closed' }, flags: { listen: 'a:99999' } });
    expect(read).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    let message = '';
    try {
      read();
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toContain("control.yaml:1:1: unknown key 'lisen'; did you mean 'listen'?");
    expect(message).toContain("control.yaml:3:3: 'log.level' must be one of debug, info, warn, error");
    expect(message).toContain("STARLING_METRICS: 'closed' is not one of open, token");
    expect(message).toContain("--listen: 'a:99999' is not an address");
  });

  test.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    [':80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['example.org', { host: 'example.org', port: 7400 }],
  ])('listen %s', (text, expected) => {
    expect(readConfig({ environment: {}, flags: { listen: text } }).listen).toEqual(expected);
  });
});

test('the next start goes on from the state that a stop wrote down, and says so', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'control-'));
  try {
    const started = async () => {
      const said: object[] = [];
      const log = { ...silent, info: (fields: object, message: string) => void said.push({ message, ...fields }), child: () => log };
      const control = await startControl(readConfig({ environment: {}, flags: { dataDir, listen: '127.0.0.1:0' } }), { log });
      return { said, close: async () => await control.close() };
    };
    {
      await using journal = await openLevelJournal(join(dataDir, 'journal'));
      const nobody = { kind: 'member.located', member: 'nobody', addresses: [] } as const;
      for (let index = 0; index < 20; index += 1) await journal.append({ actor: 'system', at: 1, events: Array.from({ length: 1000 }, () => nobody) }, journal.head());
    }
    const first = await started();
    await first.close();
    expect(JSON.stringify(first.said)).not.toContain('snapshot');
    const second = await started();
    await second.close();
    expect(second.said).toContainEqual(expect.objectContaining({ message: 'the state goes on from its snapshot' }));
    await writeFile(join(dataDir, 'state.snapshot'), 'not that');
    const third = await started();
    await third.close();
    expect(third.said).toContainEqual(expect.objectContaining({ why: 'it is damaged' }));
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
