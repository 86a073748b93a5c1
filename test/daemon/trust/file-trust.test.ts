// What a member keeps of its trust: the pinned root, the newest generation, and nothing of what was refused.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrust } from '../../../daemon/trust/file-trust.ts';
import type { Trust } from '../../../daemon/trust/trust.ts';
import { codeOf, createStage, hourMs, revisionOf, temporaryDirectory } from '../../contract/trust-fixture.ts';
import { key, newKey, rootFile, start, world } from './tuf/forge.ts';

const firstRoot = rootFile({ version: 1 });
const pin = createHash('sha256').update(firstRoot).digest('hex');

async function pinned(dataDir: string, text: string = firstRoot): Promise<Trust> {
  const trust = await openTrust({ dataDir, pin: createHash('sha256').update(text).digest('hex'), now: () => start });
  await trust.pinRoot(Buffer.from(text));
  return trust;
}

describe('pinRoot()', () => {
  test('takes the root that the token names, for good', async () => {
    const dataDir = await temporaryDirectory();
    const trust = await openTrust({ dataDir, pin, now: () => start });
    expect([trust.isPinned(), trust.versions(), trust.freshness()]).toEqual([false, {}, 'STALE']);
    expect(await codeOf(() => trust.update(world()))).toBe('WRONG_TRUST_ROOT');
    await trust.pinRoot(Buffer.from(firstRoot));
    expect([trust.isPinned(), trust.versions()]).toEqual([true, { root: 1 }]);
    // From now on the pin is on the disk, and an agent is started without a token.
    const again = await openTrust({ dataDir, pin: undefined, now: () => start });
    expect(again.versions()).toEqual({ root: 1 });
    expect(await codeOf(() => openTrust({ dataDir, pin: 'f'.repeat(64), now: () => start }))).toBe('WRONG_TRUST_ROOT');
  });

  test('refuses another root and names both digests', async () => {
    const dataDir = await temporaryDirectory();
    const trust = await openTrust({ dataDir, pin, now: () => start });
    const other = rootFile({ version: 1, keys: { root: [newKey()] } });
    const digest = createHash('sha256').update(other).digest('hex');
    await expect(trust.pinRoot(Buffer.from(other))).rejects.toThrow(`the control plane's trust root is ${digest}, expected ${pin}`);
    expect((await openTrust({ dataDir, pin, now: () => start })).isPinned()).toBe(false);
  });

  test('refuses any root when none is expected', async () => {
    const trust = await openTrust({ dataDir: await temporaryDirectory(), pin: undefined, now: () => start });
    expect(await codeOf(() => trust.pinRoot(Buffer.from(firstRoot)))).toBe('WRONG_TRUST_ROOT');
  });

  test('refuses a root that is pinned and yet no root', async () => {
    const dataDir = await temporaryDirectory();
    expect(await codeOf(() => pinned(dataDir, 'hello'))).toBe('METADATA_REFUSED');
    expect(await codeOf(() => pinned(dataDir, rootFile({ version: 1, signers: [newKey()] })))).toBe('METADATA_REFUSED');
  });
});

describe('update()', () => {
  test('walks at most 256 roots at once, and the rest the next time (threat M9)', { timeout: 60_000 }, async () => {
    const dataDir = await temporaryDirectory();
    const trust = await pinned(dataDir);
    // Each root hands over to another key, so that none can be left out.
    const rootKey = (version: number) => (version === 1 ? key('root') : key(`root-${version}`));
    const chain = Object.fromEntries(
      Array.from({ length: 299 }, (_, index) => index + 2).map((version) => [
        `${version}.root.json`,
        rootFile({ version, keys: { root: [rootKey(version)] }, signers: [rootKey(version - 1), rootKey(version)] }),
      ]),
    );
    const first = await trust.update({ ...chain, ...world() });
    expect([first.changed.length, first.refused?.code, trust.versions()]).toEqual([256, 'METADATA_REFUSED', { root: 257 }]);
    const second = await trust.update({ ...chain, ...world() });
    expect([second.refused, trust.versions()['root'], trust.versions()['env-dev']]).toEqual([undefined, 300, 1]);
    const again = await openTrust({ dataDir, pin, now: () => start });
    expect(again.versions()).toEqual(trust.versions());
    // What is kept for neighbours is bounded too.
    expect(Object.keys(again.files({})).filter((name) => name.endsWith('.root.json'))).toHaveLength(256);
  });

  test('stops at a root that is missing or signed by itself alone, and keeps those before it (threat M9)', async () => {
    const [second, third] = [newKey(), newKey()];
    const roots = {
      '2.root.json': rootFile({ version: 2, keys: { root: [second] }, signers: [key('root'), second] }),
      '3.root.json': rootFile({ version: 3, keys: { root: [third] }, signers: [third] }),
    };
    const trust = await pinned(await temporaryDirectory());
    expect((await trust.update({ '3.root.json': roots['3.root.json'] })).changed).toEqual([]);
    const { changed, refused } = await trust.update({ ...roots, ...world() });
    expect([changed, refused?.code, trust.versions()]).toEqual([['2.root.json'], 'METADATA_REFUSED', { root: 2 }]);
  });

  test('keeps what a fast-forward attack left behind recoverable, also over a restart (threat M5)', async () => {
    const dataDir = await temporaryDirectory();
    const huge = Number.MAX_SAFE_INTEGER;
    const trust = await pinned(dataDir);
    await trust.update(world({ timestamp: huge, snapshot: huge, targets: huge, dev: huge }));
    expect((await trust.update(world({ timestamp: 2 }))).refused?.code).toBe('ROLLBACK_REFUSED');
    const fresh = newKey();
    await trust.update({ '2.root.json': rootFile({ version: 2, keys: { timestamp: [fresh] } }) });
    const again = await openTrust({ dataDir, pin, now: () => start });
    expect([again.versions()['timestamp'], again.versions()['env-dev'], again.authorised('dev')]).toEqual([undefined, undefined, undefined]);
    await again.update(world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, signers: { timestamp: [fresh] } }));
    expect(again.authorised('dev')?.version).toBe(2);
  });

  test('asks again for a role that the snapshot has left behind, and remembers its numbers over a restart', async () => {
    const dataDir = await temporaryDirectory();
    const trust = await pinned(dataDir);
    await trust.update(world({ revisions: { web: { number: 5 } } }));
    const next = world({ timestamp: 2, snapshot: 2, dev: 2, revisions: { web: { number: 4 } } });
    const { 'env-dev.json': role = '', ...rest } = next;
    await trust.update(rest);
    const again = await openTrust({ dataDir, pin, now: () => start });
    expect([again.authorised('dev'), again.versions()['env-dev']]).toEqual([undefined, undefined]);
    expect((await again.update({ 'env-dev.json': role })).refused?.code).toBe('ROLLBACK_REFUSED');
  });

  test('refuses whole groups of garbage and stays as it is', async () => {
    const trust = await pinned(await temporaryDirectory());
    await trust.update(world());
    const held = trust.versions();
    for (const name of ['2.root.json', 'timestamp.json', 'env-prod.json']) {
      for (const text of ['', '{', '[]', '{"signed":{},"signatures":[]}', '\u0000', JSON.stringify({ signed: null, signatures: [] })]) {
        const { changed, refused } = await trust.update({ [name]: text });
        expect([changed, refused?.code]).toEqual([[], 'METADATA_REFUSED']);
      }
    }
    expect((await trust.update({ 'who-knows.json': '{}', '../x.root.json': '{}' })).changed).toEqual([]);
    expect(trust.versions()).toEqual(held);
  });

  test('changes nothing when the disk refuses', async () => {
    const dataDir = await temporaryDirectory();
    const trust = await pinned(dataDir);
    await rm(join(dataDir, 'trust'), { recursive: true });
    expect(await codeOf(() => trust.update(world()))).toBe('STORAGE_FAILED');
    expect(trust.authorised('dev')).toBeUndefined();
    await mkdir(join(dataDir, 'trust'));
    expect((await trust.update(world())).refused).toBeUndefined();
    expect((await openTrust({ dataDir, pin, now: () => start })).authorised('dev')?.version).toBe(1);
  });
});

describe('after a crash', () => {
  test('a draft that was never finished is not read', async () => {
    const stage = await createStage();
    const directory = join(stage.directory, 'agent/trust');
    for (const name of ['metadata.json', 'memory.json', 'roster.jws']) await writeFile(join(directory, `${name}.tmp`), '{"format":');
    const held = stage.trust.versions();
    await stage.reopenTrust();
    expect(stage.trust.versions()).toEqual(held);
    stage.clock.now += hourMs;
    await stage.repository.refresh();
    expect((await stage.sync()).changed).toEqual(['timestamp.json']);
  });

  test('between the two files of an update, the newer metadata stands with the older memory', async () => {
    const stage = await createStage();
    const path = join(stage.directory, 'agent/trust/memory.json');
    const memory = await readFile(path);
    stage.clock.now += hourMs;
    await stage.repository.refresh();
    await stage.publish('dev', { web: { revision: revisionOf('b'), number: 2 } });
    await writeFile(path, memory);
    stage.clock.now -= hourMs;
    await stage.reopenTrust();
    expect(stage.trust.authorised('dev')?.version).toBe(2);
    // The floor comes from the timestamp as well as from memory.
    expect(stage.trust.freshness()).toBe('CLOCK_SUSPECT');
  });

  test.each(['metadata.json', 'memory.json'])('a damaged %s is named, with what to do', async (name) => {
    const stage = await createStage();
    await stage.trust.acceptOrder(stage.order());
    const path = join(stage.directory, 'agent/trust', name);
    const text = await readFile(path, 'utf8');
    for (const damaged of ['', text.slice(0, -5), '{}', '[]']) {
      await writeFile(path, damaged);
      await expect(stage.reopenTrust()).rejects.toThrow(`${path} is damaged`);
    }
  });
});
