// Idempotency keys: one effect and one answer, whatever happens in between.

import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ControlError } from '../../../control/errors.ts';
import { IdempotencyKeys, keptMs } from '../../../control/http/idempotency.ts';
import type { Journal } from '../../../control/journal/journal.ts';
import { openLevelJournal } from '../../../control/journal/level.ts';
import { problemOf, TestControl } from './harness.ts';

const key = (text: string) => ({ 'idempotency-key': text.padEnd(20, '-') });

describe('a POST with a key', () => {
  test('has one effect and one answer, also after a restart', async () => {
    await using control = await TestControl.start();
    const options = { headers: key('once') };
    const body = { use: 'join', name: 'j', roles: ['agent'] };
    const first = await control.post('/v1/tokens', body, options);
    const second = await control.post('/v1/tokens', body, options);
    await control.restart();
    const third = await control.post('/v1/tokens', body, options);
    expect([second.text, third.text]).toEqual([first.text, first.text]);
    expect([first, second, third].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true', 'true']);
    expect(third.headers.get('location')).toBe(first.headers.get('location'));
    expect((await control.get('/v1/tokens?use=join')).body.items).toHaveLength(1);
  });

  test('with another body is refused, and for another caller is another key', async () => {
    await using control = await TestControl.start();
    const { body } = await control.post('/v1/tokens', { use: 'api', name: 'second', scopes: ['admin:*'] });
    await control.post('/v1/apps', { app: 'one' }, { headers: key('same') });
    const other = await control.call('POST', '/v1/apps', { body: { app: 'two' }, headers: key('same') });
    expect([other.status, problemOf(other).code]).toEqual([422, 'KEY_REUSED']);
    expect((await control.post('/v1/apps', { app: 'two' }, { headers: key('same'), token: body.text })).status).toBe(201);
  });

  test('is refused a second time as it was the first', async () => {
    await using control = await TestControl.start();
    await control.post('/v1/apps', { app: 'one' });
    const first = await control.call('POST', '/v1/apps', { body: { app: 'one' }, headers: key('refused') });
    const second = await control.call('POST', '/v1/apps', { body: { app: 'one' }, headers: key('refused') });
    expect([first.status, second.status]).toEqual([409, 409]);
    expect(second.text).toBe(first.text);
    const short = await control.call('POST', '/v1/apps', { body: { app: 'x' }, headers: { 'idempotency-key': 'short' } });
    expect([short.status, problemOf(short).code]).toEqual([400, 'INVALID_REQUEST']);
  });

  test('many at once: one is carried out, the others are told to wait or get its answer', async () => {
    await using control = await TestControl.start();
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await control.call('POST', '/v1/tokens', { body: { use: 'join', name: 'j', roles: ['agent'] }, headers: key('race') })));
    const made = answers.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ status }) => status !== 201).every((answer) => problemOf(answer).code === 'IN_PROGRESS')).toBe(true);
    expect((await control.get('/v1/tokens?use=join')).body.items).toHaveLength(1);
  });

  test.each([
    ['/v1/tokens', { use: 'join', name: 'j', roles: ['agent'] }, 'token.created'],
    ['/v1/apps', { app: 'new' }, 'app.created'],
    ['/v1/environments', { environment: 'new', app: 'web', selector: {} }, 'environment.created'],
  ])('POST %s whose append was made but whose answer never came: the retry finds what was made', async (path, body, kind) => {
    let crash = false;
    const openJournal = async (directory: string): Promise<Journal> => {
      const journal = await openLevelJournal(directory);
      return {
        head: () => journal.head(),
        read: async (after, limit) => await journal.read(after, limit),
        scan: (after) => journal.scan(after),
        follow: (listener) => journal.follow(listener),
        close: async () => await journal.close(),
        [Symbol.asyncDispose]: async () => await journal.close(),
        append: async (batch, expected) => {
          const result = await journal.append(batch, expected);
          if (crash) throw new ControlError('STORAGE_FAILED', 'the lights went out');
          return result;
        },
      };
    };
    await using control = await TestControl.start();
    await control.post('/v1/apps', { app: 'web' });
    await control.restart({ openJournal });
    crash = true;
    const failed = await control.call('POST', path, { body, headers: key('crash') });
    expect([failed.status, problemOf(failed).code]).toEqual([503, 'STORAGE_FAILED']);
    crash = false;
    await control.restart();
    const retried = await control.post(path, body, { headers: key('crash') });
    expect(retried.status).toBe(201);
    expect((await control.events()).filter(({ event, data }) => event === `dev.starling.${kind}.v1` && !data.includes('"name":"admin"') && !data.includes('"app":"web","project"'))).toHaveLength(1);
    if (path === '/v1/tokens') expect((await control.post(path, body, { headers: key('crash') })).body.text).toBe(retried.body.text);
  });
});

describe('kept answers', () => {
  test('are forgotten after a day, and a busy key is not', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keys-'));
    let now = 1_000_000;
    const options = { directory, random: (length: number) => randomBytes(length), now: () => now };
    try {
      const answer = { status: 201, headers: {}, body: '{}' };
      {
        await using keys = await IdempotencyKeys.open(options);
        const first = await keys.begin('token:a', 'k'.repeat(20), 'POST /x');
        expect(first).toMatchObject({ kind: 'begun', resumedFrom: undefined });
        expect(await keys.begin('token:a', 'k'.repeat(20), 'POST /x')).toEqual({ kind: 'in-progress' });
        if (first.kind === 'begun') await first.finish(answer);
        now += keptMs;
        expect(await keys.begin('token:a', 'k'.repeat(20), 'POST /x')).toEqual({ kind: 'replay', answer });
        now += 1;
        expect(await keys.begin('token:a', 'k'.repeat(20), 'POST /y')).toMatchObject({ kind: 'begun', resumedFrom: undefined });
      }
      await using keys = await IdempotencyKeys.open(options);
      const resumed = await keys.begin('token:a', 'k'.repeat(20), 'POST /y');
      expect(resumed).toMatchObject({ kind: 'begun', resumedFrom: now });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('draws are the same in every try, and others for another key', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keys-'));
    try {
      await using keys = await IdempotencyKeys.open({ directory, random: (length) => randomBytes(length), now: () => 1 });
      const drawn = async (name: string) => {
        const begun = await keys.begin('token:a', name.repeat(20), 'POST /x');
        if (begun.kind !== 'begun') throw new Error(begun.kind);
        const bytes = [begun.draw(16), begun.draw(16)].map((one) => Buffer.from(one).toString('hex'));
        begun.release();
        return bytes;
      };
      const first = await drawn('a');
      expect(await drawn('a')).toEqual(first);
      expect(new Set([...first, ...(await drawn('b'))]).size).toBe(4);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
