// What each kind of channel sends, and which answers end a delivery.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mailChannel } from '../../../control/notify/mail.ts';
import { openChannels } from '../../../control/notify/open-channels.ts';
import { slackChannel } from '../../../control/notify/slack.ts';
import { webhookChannel } from '../../../control/notify/webhook.ts';
import { httpReceiver, mailReceiver, notice } from './receivers.ts';

const secret = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`;
const signal = new AbortController().signal;
const now = (): number => Date.now();

describe('a webhook', () => {
  test('is signed so that the receiver can check it, with the same id each time', async () => {
    await using receiver = await httpReceiver();
    const channel = webhookChannel('chat', receiver.url, secret, now);
    expect(await channel.send(notice(7), { signal })).toEqual({ kind: 'sent' });
    await channel.send(notice(7), { signal });
    const [first, second] = receiver.posts;
    const headers = Object.fromEntries(Object.entries(first?.headers ?? {}).map(([name, value]) => [name, String(value)]));
    expect(new Webhook(secret).verify(first?.body ?? '', headers)).toMatchObject({ type: 'dev.starling.deployment.failed', data: { pipeline: 'shop', subject: 'prod-1' } });
    expect(() => new Webhook(secret).verify(`${first?.body} `, headers)).toThrow(/signature/i);
    expect([first?.headers['webhook-id'], second?.headers['webhook-id']]).toEqual(['7.shop.chat', '7.shop.chat']);
  });

  test.each([
    [{ status: 500, body: 'oh' }, { kind: 'failed', reason: 'it answered 500: oh' }],
    [{ status: 429, headers: { 'retry-after': '7' } }, { kind: 'failed', reason: 'it answered 429', retryAfterMs: 7000 }],
    [{ status: 410 }, { kind: 'refused', reason: 'it answered 410' }],
    [{ status: 400, body: 'no' }, { kind: 'refused', reason: 'it answered 400: no' }],
    [{ status: 302, headers: { location: 'http://127.0.0.1:9/' } }, { kind: 'failed', reason: 'it answered 302' }],
  ])('answered with %j is %j', async (answer, outcome) => {
    await using receiver = await httpReceiver();
    receiver.answers.push(answer);
    expect(await webhookChannel('chat', receiver.url, secret, now).send(notice(1), { signal })).toEqual(outcome);
    expect(receiver.posts).toHaveLength(1);
  });

  test('whose answer has no end is heard as far as the log wants it', async () => {
    let said = 0;
    const server = createServer((_request, response) => {
      response.writeHead(503).flushHeaders();
      const more = (): void => {
        said += 1;
        if (!response.destroyed) response.write('no '.repeat(1_000), more);
      };
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => server.closeAllConnections());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const outcome = await webhookChannel('chat', `http://127.0.0.1:${port}/`, secret, now).send(notice(1), { signal });
    expect(outcome).toEqual({ kind: 'failed', reason: `it answered 503: ${'no '.repeat(100).trim()}` });
    // The connection is closed, so that nothing more is said.
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(said).toBeGreaterThan(0);
  });

  test('whose receiver is not there failed, and says why', async () => {
    const gone = await httpReceiver();
    await gone[Symbol.asyncDispose]();
    expect(await webhookChannel('chat', gone.url, secret, now).send(notice(1), { signal })).toMatchObject({ kind: 'failed', reason: expect.stringContaining('ECONNREFUSED') });
  });
});

test('a chat gets its markup as text, and its address is not shown', async () => {
  await using receiver = await httpReceiver();
  const channel = slackChannel('chat', receiver.url, now);
  await channel.send(notice(1), { signal });
  expect(JSON.parse(receiver.posts[0]?.body ?? '')).toEqual({ text: 'prod: web@1 failed: &lt;2 of 3&gt; targets &amp; more' });
  expect(channel.where).toBe(new URL(receiver.url).host);
});

describe('mail', () => {
  const config = (port: number) => ({ host: '127.0.0.1', port, security: 'none' as const, from: 'starling@example.org', to: ['a@example.org', 'b@example.org'] });

  test('is a letter with a subject that says what happened', async () => {
    await using receiver = await mailReceiver();
    expect(await mailChannel('mail', config(receiver.port), undefined, 'acme').send(notice(1), { signal })).toEqual({ kind: 'sent' });
    const letter = receiver.letters[0] ?? '';
    expect(letter).toContain('Subject: [acme] prod: web@1 failed');
    expect(letter).toContain('To: a@example.org, b@example.org');
    expect(letter).toContain('<1.shop.chat@acme.starling>');
  });

  test('that every recipient refuses is not sent again; a server that is away is tried again', async () => {
    await using receiver = await mailReceiver('550 no such person');
    expect(await mailChannel('mail', config(receiver.port), undefined, 'acme').send(notice(1), { signal })).toMatchObject({ kind: 'refused', reason: expect.stringContaining('550') });
    const gone = await mailReceiver();
    await gone[Symbol.asyncDispose]();
    expect(await mailChannel('mail', config(gone.port), undefined, 'acme').send(notice(1), { signal })).toMatchObject({ kind: 'failed' });
  });
});

test('a letter to a server that says nothing holds up nobody who stops', async () => {
  const connected = Promise.withResolvers<void>();
  const server = createSocketServer((socket) => {
    onTestFinished(() => void socket.destroy());
    connected.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const stop = new AbortController();
  const sending = mailChannel('mail', { host: '127.0.0.1', port, security: 'none', from: 'starling@example.org', to: ['a@example.org'] }, undefined, 'acme').send(notice(1), { signal: stop.signal });
  await connected.promise;
  stop.abort(new Error('stopping'));
  await expect(sending).rejects.toThrow('stopping');
});

test('channels are made of the settings, with every problem told', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'channels-'));
  try {
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(directory, name), `${text}\n`);
      return join(directory, name);
    };
    const channels = await openChannels({ hook: { webhook: { url: 'https://example.org/x', secretFile: await file('s', secret) } }, chat: { slack: { urlFile: await file('u', 'https://hooks.example.org/T0/B0') } } }, { org: 'acme', now });
    expect(channels.map(({ name, kind, where }) => [name, kind, where])).toEqual([['hook', 'webhook', 'https://example.org/x'], ['chat', 'slack', 'hooks.example.org']]);
    const broken = openChannels({ none: {}, both: { slack: { urlFile: 'x' }, webhook: { url: 'http://x', secretFile: 'x' } }, bad: { slack: { urlFile: await file('b', 'not a url') } }, lost: { slack: { urlFile: join(directory, 'nothing') } } }, { org: 'acme', now });
    await expect(broken).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(/channels\.none: name exactly one.*\nchannels\.both: name exactly one.*\nchannels\.bad: .*does not hold a URL.*\nchannels\.lost: ENOENT/) });
  } finally {
    await rm(directory, { recursive: true });
  }
});
