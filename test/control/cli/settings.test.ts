// Which control plane and which token: the order of flags, variables and contexts, and what a broken configuration is told.

import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clientConfigPath, resolveEndpoint, writeClientConfig } from '../../../control/cli/settings.ts';

let home: string;
const world = (environment: Record<string, string> = {}) => ({ environment, home, directory: home });

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'starling-home-'));
  await writeFile(join(home, 'a.token'), 'token-a\n');
  await writeFile(join(home, 'b.token'), 'token-b\n');
});
afterEach(async () => await rm(home, { recursive: true }));

async function config(text: string): Promise<void> {
  await mkdir(join(home, '.config/starling'), { recursive: true });
  await writeFile(join(home, '.config/starling/config.yaml'), text);
}

describe('resolveEndpoint()', () => {
  test('prefers flags to variables to the current context', async () => {
    await writeClientConfig(world(), { current: 'prod', contexts: { prod: { url: 'https://prod.example', tokenFile: join(home, 'a.token') } } });
    expect(await resolveEndpoint(world(), {})).toMatchObject({ url: 'https://prod.example', token: 'token-a', tokenFrom: expect.stringMatching(/a\.token$/) });
    expect(await resolveEndpoint(world({ STARLING_TOKEN_FILE: 'b.token' }), {})).toMatchObject({ url: 'https://prod.example', token: 'token-b', tokenFrom: expect.stringMatching(/b\.token$/) });
    expect(await resolveEndpoint(world({ STARLING_URL: 'https://other.example', STARLING_TOKEN: 'x' }), {})).toEqual({ url: 'https://other.example', token: 'x', tokenFrom: 'the variable STARLING_TOKEN' });
    expect(await resolveEndpoint(world({ STARLING_URL: 'https://other.example', STARLING_TOKEN: 'x' }), { url: 'http://flag.example/', tokenFile: 'b.token' })).toMatchObject({ url: 'http://flag.example', token: 'token-b' });
  });

  test("does not send a context's token to another control plane", async () => {
    await writeClientConfig(world(), { current: 'prod', contexts: { prod: { url: 'https://prod.example', tokenFile: join(home, 'a.token') } } });
    await expect(resolveEndpoint(world(), { url: 'https://evil.example' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('says how to get a token when there is none', async () => {
    await expect(resolveEndpoint(world(), {})).rejects.toThrow(/no token for http:\/\/127\.0\.0\.1:7400: set STARLING_TOKEN_FILE/);
  });

  test.each(['ftp://x', 'nonsense', 'https://x/path', 'https://user:secret@x'])('refuses %s as a URL', async (url) => {
    await expect(resolveEndpoint(world({ STARLING_TOKEN: 'x' }), { url })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('names line and column of an unknown key, and the key that was meant', async () => {
    await config('current: prod\ncontexts:\n  prod:\n    url: https://prod.example\n    tokenfile: x\n');
    await expect(resolveEndpoint(world(), {})).rejects.toThrow(`${clientConfigPath(world())}:5:5: unknown key 'tokenfile'; did you mean 'tokenFile'?`);
  });

  test('names the contexts that there are', async () => {
    await config('contexts:\n  prod: { url: "https://prod.example" }\n');
    await expect(resolveEndpoint(world(), { context: 'test' })).rejects.toThrow(/no context 'test' .*; it has prod/);
  });

  test.each([['a missing file', 'c.token', undefined], ['an empty file', 'empty.token', ' \n'], ['a large file', 'large.token', 'x'.repeat(5000)]])('refuses %s as a token', async (_what, name, content) => {
    if (content !== undefined) await writeFile(join(home, name), content);
    await expect(resolveEndpoint(world(), { tokenFile: name })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('refuses a token that would break the header', async () => {
    await expect(resolveEndpoint(world({ STARLING_TOKEN: 'a\r\nx-evil: 1' }), {})).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('writeClientConfig()', () => {
  test('makes a file that only its owner reads, also over one that others could', async () => {
    await config('contexts: {}\n');
    const path = await writeClientConfig(world(), { current: 'a', contexts: { a: { url: 'https://a.example' } } });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toContain('https://a.example');
  });

  test('honours XDG_CONFIG_HOME', () => {
    expect(clientConfigPath(world({ XDG_CONFIG_HOME: '/elsewhere' }))).toBe('/elsewhere/starling/config.yaml');
  });
});
