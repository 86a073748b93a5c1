// What the control plane signs and what a member believes of it: both floors together, over real files.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DaemonError } from '../../daemon/errors.ts';
import { openTrust } from '../../daemon/trust/file-trust.ts';
import { advance, advanceRoot, restoreSet, startSet } from '../../daemon/trust/tuf/trusted-set.ts';
import { codeOf, createStage, dayMs, hourMs, revisionOf } from './trust-fixture.ts';

describe('a member', () => {
  test('comes to believe what was published, and only of its own environments', async () => {
    const stage = await createStage();
    await stage.repository.publish('prod', { web: { revision: revisionOf('b'), bytes: 5, number: 2 } });
    const { changed, refused } = await stage.sync();
    expect([changed.toSorted(), refused]).toEqual([['snapshot.json', 'targets.json', 'timestamp.json'], undefined]);
    expect(stage.trust.authorised('dev')).toEqual({ version: 1, revisions: new Map([['web', { revision: revisionOf('a'), bytes: 100, number: 1 }]]), freshness: 'FRESH' });
    expect(stage.trust.authorised('prod')).toBeUndefined();
    await stage.sync(['dev', 'prod']);
    expect(stage.trust.authorised('prod')?.revisions.get('web')?.number).toBe(2);
  });

  test('is sent nothing when it has everything', async () => {
    const stage = await createStage();
    expect(stage.repository.files(stage.trust.versions(), ['dev'])).toEqual({});
  });

  test('goes back to an older revision when that is published', async () => {
    const stage = await createStage();
    for (const number of [2, 3, 1, 2]) {
      await stage.publish('dev', { web: { number, revision: revisionOf(String(number)) } });
      expect(stage.trust.authorised('dev')?.revisions.get('web')?.number).toBe(number);
    }
  });

  test('goes back to an older revision also when it missed the versions between', async () => {
    const stage = await createStage();
    await stage.publish('dev', { web: { number: 5 } });
    await stage.repository.publish('dev', { web: { revision: revisionOf('c'), bytes: 1, number: 3 } });
    await stage.repository.publish('dev', { web: { revision: revisionOf('d'), bytes: 1, number: 4 } });
    expect((await stage.sync()).refused).toBeUndefined();
    expect(stage.trust.authorised('dev')?.revisions.get('web')?.number).toBe(4);
  });

  test('learns from another member what the control plane told that one (threat S13)', async () => {
    const stage = await createStage();
    const neighbour = await openTrust({ dataDir: join(stage.directory, 'neighbour'), pin: stage.repository.rootDigest(), now: () => stage.clock.now });
    await neighbour.pinRoot(Buffer.from(stage.repository.rootFile()));
    expect((await neighbour.update(stage.trust.files(neighbour.versions()))).refused).toBeUndefined();
    expect(neighbour.authorised('dev')).toEqual(stage.trust.authorised('dev'));
    expect(stage.trust.files(neighbour.versions())).toEqual({});
  });

  test('believes nothing of another organisation', async () => {
    const [one, other] = [await createStage(), await createStage()];
    const { changed, refused } = await one.trust.update(other.trust.files({}));
    expect([changed, refused?.code]).toEqual([[], 'METADATA_REFUSED']);
  });

  test('ignores old, cut and unsigned timestamps of a neighbour (threat S13)', async () => {
    const stage = await createStage();
    const old = stage.trust.files({});
    stage.clock.now += hourMs;
    await stage.repository.refresh();
    await stage.sync();
    const held = stage.trust.versions();
    const timestamp = stage.trust.files({})['timestamp.json'] ?? '';
    const unsigned = JSON.parse(timestamp);
    unsigned.signed.version += 1_000_000;
    const offers = [
      [old, 'ROLLBACK_REFUSED'],
      [{ 'timestamp.json': timestamp.slice(0, 200) }, 'METADATA_REFUSED'],
      [{ 'timestamp.json': JSON.stringify(unsigned) }, 'METADATA_REFUSED'],
      [{ 'timestamp.json': '' }, 'METADATA_REFUSED'],
    ] as const;
    for (const [files, code] of offers) {
      const { changed, refused } = await stage.trust.update(files);
      expect([changed, refused?.code]).toEqual([[], code]);
      expect(stage.trust.versions()).toEqual(held);
      expect(stage.trust.authorised('dev')?.freshness).toBe('FRESH');
    }
  });
});

describe('a flipped bit (threat M1)', () => {
  test.each([
    ['timestamp.json', 1], ['timestamp.json', 0x20], ['snapshot.json', 1], ['snapshot.json', 0x20], ['targets.json', 1], ['targets.json', 0x20],
    ['env-dev.json', 1], ['env-dev.json', 0x20], ['trust/keys.json', 1], ['trust/keys.json', 0x20],
  ])('in any byte of %s is refused (mask %i)', { timeout: 60_000 }, async (name, mask) => {
    const stage = await createStage();
    const files = stage.repository.files({}, 'all');
    const set = startSet('1.root.json', stage.repository.rootFile());
    const whole = files[name] ?? '';
    let refusals = 0;
    for (const text of flips(whole, mask)) {
      try {
        advance(set, { ...files, [name]: text }, stage.clock.now);
      } catch (error) {
        if (!(error instanceof DaemonError)) throw error;
        refusals += 1;
      }
    }
    expect(refusals).toBe(Buffer.byteLength(whole));
  });

  test.each([1, 0x20])('in any byte of a root is refused (mask %i)', { timeout: 60_000 }, async (mask) => {
    const stage = await createStage();
    const set = startSet('1.root.json', stage.repository.rootFile());
    stage.clock.now += 200 * dayMs;
    await stage.repository.refresh();
    const root = stage.repository.files({ root: 1 }, [])['2.root.json'] ?? '';
    let refusals = 0;
    for (const text of flips(root, mask)) {
      try {
        advanceRoot(set, '2.root.json', text);
      } catch (error) {
        if (!(error instanceof DaemonError)) throw error;
        refusals += 1;
      }
    }
    expect(refusals).toBe(Buffer.byteLength(root));
  });

  test('in any byte of an order, a certificate or a roster is refused', { timeout: 60_000 }, async () => {
    const stage = await createStage();
    const { repository, trust, identity } = stage;
    const audience = { member: identity.member, environments: ['dev'] };
    const statements = [
      [repository.signOrder(stage.order()), async (text: string) => await trust.verifyOrder(text, audience)],
      [repository.signCertificate(stage.certificate()), async (text: string) => await trust.verifyCertificate(text, identity.member)],
      [repository.signRoster({ epoch: 1, members: [], revoked: [] }), async (text: string) => await trust.verifyRoster(text)],
    ] as const;
    for (const [compact, verify] of statements) {
      expect(await codeOf(() => verify(compact))).toBeUndefined();
      for (const mask of [1, 0x20]) {
        for (const text of flips(compact, mask)) expect(await codeOf(() => verify(text))).toBe('STATEMENT_REFUSED');
      }
    }
  });

  test('on the disk of a member is noticed at the next start', async () => {
    const stage = await createStage();
    const path = join(stage.directory, 'agent/trust/metadata.json');
    const text = await readFile(path, 'utf8');
    const at = text.indexOf(revisionOf('a'));
    await writeFile(path, `${text.slice(0, at)}b${text.slice(at + 1)}`);
    expect(await codeOf(() => stage.reopenTrust())).toBe('CORRUPT_STATE');
  });

  function* flips(text: string, mask: number): Iterable<string> {
    const bytes = Buffer.from(text);
    for (let index = 0; index < bytes.length; index += 1) {
      const flipped = Buffer.from(bytes);
      flipped[index] = (bytes[index] ?? 0) ^ mask;
      yield flipped.toString('utf8');
    }
  }
});

describe('freshness', () => {
  test('goes from fresh over aging to stale, and back with a new timestamp (threat M3)', async () => {
    const stage = await createStage();
    const start = stage.clock.now;
    const seen = [0, 11, 13, 23, 25].map((hours) => {
      stage.clock.now = start + hours * hourMs;
      return stage.trust.freshness();
    });
    expect(seen).toEqual(['FRESH', 'FRESH', 'AGING', 'AGING', 'STALE']);
    const audience = { member: stage.identity.member, environments: ['dev'] };
    const tried = async (action: 'activate' | 'prefetch' | 'rollback' | 'cancel') =>
      await codeOf(() => stage.trust.verifyOrder(stage.repository.signOrder(stage.order({ action })), audience));
    expect([await tried('activate'), await tried('prefetch'), await tried('rollback'), await tried('cancel')]).toEqual([
      'METADATA_EXPIRED', 'METADATA_EXPIRED', undefined, undefined,
    ]);
    await stage.repository.refresh();
    expect((await stage.sync()).refused).toBeUndefined();
    expect([stage.trust.freshness(), await tried('activate')]).toEqual(['FRESH', undefined]);
  });

  test('keeps files that have expired, and takes no other expired ones', async () => {
    const stage = await createStage();
    await stage.repository.publish('dev', { web: { revision: revisionOf('b'), bytes: 1, number: 2 } });
    const withheld = stage.repository.files(stage.trust.versions(), ['dev']);
    stage.clock.now += 25 * hourMs;
    expect((await stage.trust.update(withheld)).refused?.code).toBe('METADATA_EXPIRED');
    expect(stage.trust.authorised('dev')).toMatchObject({ version: 1, freshness: 'STALE' });
  });

  test('is suspect when the clock goes back, also after a restart (threat M16)', async () => {
    const stage = await createStage();
    const before = stage.clock.now;
    const order = stage.repository.signOrder(stage.order());
    stage.clock.now -= 365 * dayMs;
    expect(stage.trust.freshness()).toBe('CLOCK_SUSPECT');
    await stage.reopenTrust();
    expect(stage.trust.freshness()).toBe('CLOCK_SUSPECT');
    const audience = { member: stage.identity.member, environments: ['dev'] };
    expect(await codeOf(() => stage.trust.verifyOrder(order, audience))).toBe('CLOCK_SUSPECT');
    stage.clock.now = before;
    expect(stage.trust.freshness()).toBe('FRESH');
  });

  test('is suspect when the clock goes back behind an hour that it had seen itself', async () => {
    const stage = await createStage();
    stage.clock.now += 30 * hourMs;
    await stage.trust.update({});
    stage.clock.now -= 10 * hourMs;
    await stage.reopenTrust();
    // By the clock alone the timestamp, good for 24 hours, would be 20 hours old.
    expect(stage.trust.freshness()).toBe('CLOCK_SUSPECT');
  });

  test('recovers from a clock that was years ahead, with the next timestamp', async () => {
    const stage = await createStage();
    const right = stage.clock.now + hourMs;
    stage.clock.now += 10 * 365 * dayMs;
    await stage.trust.update({});
    expect(stage.trust.freshness()).toBe('STALE');
    stage.clock.now = right;
    expect(stage.trust.freshness()).toBe('CLOCK_SUSPECT');
    await stage.repository.refresh();
    await stage.sync();
    expect(stage.trust.freshness()).toBe('FRESH');
  });

  test('does not revive an expired certificate by a clock that went back (threat M16)', async () => {
    const stage = await createStage();
    const certificate = stage.repository.signCertificate(stage.certificate());
    stage.clock.now += 8 * dayMs;
    await stage.repository.refresh();
    await stage.sync();
    stage.clock.now -= 2 * dayMs;
    expect(await codeOf(() => stage.trust.verifyCertificate(certificate, stage.identity.member))).toBe('STATEMENT_REFUSED');
  });
});

test('a member that was off for two years walks to the newest root', async () => {
  const stage = await createStage();
  for (let step = 0; step < 4; step += 1) {
    stage.clock.now += 190 * dayMs;
    await stage.repository.refresh();
  }
  expect((await stage.sync()).refused).toBeUndefined();
  expect([stage.trust.versions()['root'], stage.trust.freshness()]).toEqual([5, 'FRESH']);
  const files = stage.trust.files({});
  expect(restoreSet('5.root.json', files['5.root.json'] ?? '', files).root.version).toBe(5);
});
