// Becoming a member, and proving to be one with each request: made by the daemon, checked by the control plane.

import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peerIdFromString } from '@libp2p/peer-id';
import { describe, expect, test } from 'vitest';
import { memberIdOf, verifyEnrolment } from '../../control/trust/enrolment.ts';
import { signCompact } from '../../control/trust/jws.ts';
import { publicKeyOf } from '../../control/trust/keys.ts';
import { createRequestVerifier, noncesPerMemberMax } from '../../control/trust/member-request.ts';
import { createJoinToken } from '../../control/trust/tokens.ts';
import { enrolmentProof, parseJoinToken } from '../../daemon/trust/identity/enrolment.ts';
import { createIdentity } from '../../daemon/trust/identity/identity.ts';
import { createRequestSigner } from '../../daemon/trust/identity/member-request.ts';
import type { EnrolRequest } from '../../proto/fleet.ts';
import { codeOf, temporaryDirectory } from './trust-fixture.ts';

const random = (length: number) => randomBytes(length);
const start = Date.UTC(2026, 0, 1);

describe('an identity', () => {
  test('is made once, is its owner\'s alone, and is a libp2p peer id', async () => {
    const directory = await temporaryDirectory();
    const identity = await createIdentity(directory);
    expect(await createIdentity(directory)).toMatchObject({ member: identity.member, publicKey: identity.publicKey });
    expect((await stat(join(directory, 'identity.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, 'identity.key'))).toEqual(Buffer.from(identity.seed));
    expect(peerIdFromString(identity.member).type).toBe('Ed25519');
    expect(memberIdOf(identity.publicKey)).toBe(identity.member);
  });

  test('that is damaged is not replaced', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'identity.key'), 'short');
    expect(await codeOf(() => createIdentity(directory))).toBe('CORRUPT_STATE');
  });
});

describe('an enrolment', () => {
  async function enrolment() {
    const identity = await createIdentity(await temporaryDirectory());
    const { text, secretDigest } = createJoinToken('ab'.repeat(32), random);
    const request = enrolmentProof(identity, parseJoinToken(text), 'nonce-nonce-nonce', { name: 'web-1', roles: ['agent'], attributes: { os: 'linux' } });
    return { identity, request, secretDigest, token: parseJoinToken(text) };
  }

  test('is proven without the secret', async () => {
    const { request, secretDigest, token } = await enrolment();
    expect(await codeOf(() => verifyEnrolment(request, secretDigest))).toBeUndefined();
    expect(JSON.stringify(request)).not.toContain(token.secret);
    // Members carry it through JSON, whose key order means nothing.
    const reordered = Object.fromEntries(Object.entries(request).toReversed()) as unknown as EnrolRequest;
    expect(await codeOf(() => verifyEnrolment(reordered, secretDigest))).toBeUndefined();
  });

  test.each<[string, Partial<EnrolRequest>]>([
    ['another token', { tokenId: 'other' }],
    ['another nonce', { nonce: 'nonce-nonce-other' }],
    ['another name', { name: 'web-2' }],
    ['more roles', { roles: ['agent', 'seed'] }],
    ['other attributes', { attributes: {} }],
    ['another member', { member: '12D3KooWother' }],
    ['another key', { publicKey: '0'.repeat(64) }],
    ['another mac', { mac: '0'.repeat(64) }],
    ['half a mac', { mac: '00' }],
    ['no mac', { mac: '' }],
    ['another signature', { signature: 'A'.repeat(86) }],
    ['no signature', { signature: '' }],
  ])('with %s is refused', async (_what, change) => {
    const { request, secretDigest } = await enrolment();
    expect(await codeOf(() => verifyEnrolment({ ...request, ...change }, secretDigest))).toBe('UNAUTHENTICATED');
  });

  test('with another secret, or of another member with the right secret, is refused', async () => {
    const [one, other] = [await enrolment(), await enrolment()];
    expect(await codeOf(() => verifyEnrolment(one.request, other.secretDigest))).toBe('UNAUTHENTICATED');
    const stolen = enrolmentProof({ ...other.identity, member: one.identity.member, publicKey: one.identity.publicKey }, one.token, 'nonce-nonce-nonce', one.request);
    expect(await codeOf(() => verifyEnrolment(stolen, one.secretDigest))).toBe('UNAUTHENTICATED');
    const mixed = enrolmentProof({ ...other.identity, member: one.identity.member }, one.token, 'nonce-nonce-nonce', one.request);
    expect(await codeOf(() => verifyEnrolment(mixed, one.secretDigest))).toBe('UNAUTHENTICATED');
  });
});

describe('a member request', () => {
  const request = { method: 'POST', path: '/agent/v1/sync?x=1', body: createHash('sha256').update('{}').digest('hex') };

  async function conversation() {
    const identity = await createIdentity(await temporaryDirectory());
    const clock = { now: start };
    const now = () => clock.now;
    const members = new Map([[identity.member, identity.publicKey]]);
    const verifier = createRequestVerifier({ publicKeyOf: (member) => members.get(member), now });
    return { identity, clock, members, verifier, sign: createRequestSigner(identity, { now, random }) };
  }

  test('is proven once', async () => {
    const { identity, verifier, sign } = await conversation();
    const header = await sign(request);
    expect(await verifier.verify(header, request)).toMatchObject({ member: identity.member });
    expect(await codeOf(() => verifier.verify(header, request))).toBe('UNAUTHENTICATED');
    expect(await verifier.verify(await sign(request), request)).toMatchObject({ member: identity.member });
  });

  test('is proven once even when it comes twice at the same time', async () => {
    const { verifier, sign } = await conversation();
    const header = await sign(request);
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, async () => await verifier.verify(header, request)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  });

  test('of somebody revoked while it is being verified is refused', async () => {
    const { members, verifier, sign } = await conversation();
    const verified = verifier.verify(await sign(request), request);
    members.clear();
    await expect(verified).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test.each([
    ['method', { method: 'GET' }],
    ['path', { path: '/agent/v1/sync' }],
    ['body', { body: createHash('sha256').update('[]').digest('hex') }],
  ])('with another %s is refused', async (_what, change) => {
    const { verifier, sign } = await conversation();
    expect(await codeOf(async () => verifier.verify(await sign(request), { ...request, ...change }))).toBe('UNAUTHENTICATED');
  });

  test.each([[-61_000, 'UNAUTHENTICATED'], [-59_000, undefined], [59_000, undefined], [61_000, 'UNAUTHENTICATED']])('%i ms from now: %s', async (offset, code) => {
    const { clock, verifier, sign } = await conversation();
    const header = await sign(request);
    clock.now += offset;
    expect(await codeOf(() => verifier.verify(header, request))).toBe(code);
  });

  test('of a member that is no longer one is refused, and so is another key in its name', async () => {
    const { identity, members, verifier, sign } = await conversation();
    const impostor = { ...(await createIdentity(await temporaryDirectory())), member: identity.member };
    const forged = await createRequestSigner(impostor, { now: () => start, random })(request);
    expect(await codeOf(() => verifier.verify(forged, request))).toBe('UNAUTHENTICATED');
    const disguised = await createRequestSigner({ ...impostor, keyId: identity.keyId }, { now: () => start, random })(request);
    expect(await codeOf(() => verifier.verify(disguised, request))).toBe('UNAUTHENTICATED');
    members.clear();
    expect(await codeOf(async () => verifier.verify(await sign(request), request))).toBe('UNAUTHENTICATED');
  });

  test('in any byte another is refused', async () => {
    const { verifier, sign } = await conversation();
    const bytes = Buffer.from(await sign(request));
    for (let index = 0; index < bytes.length; index += 1) {
      const flipped = Buffer.from(bytes);
      flipped[index] = (bytes[index] ?? 0) ^ 1;
      expect(await codeOf(() => verifier.verify(flipped.toString(), request))).toBe('UNAUTHENTICATED');
    }
  });

  test('with a field that nobody knows, or without a nonce, is refused', async () => {
    const { identity, verifier } = await conversation();
    const statement = { member: identity.member, ...request, issuedAt: start / 1000, nonce: 'n'.repeat(22) };
    const signer = { id: identity.keyId, publicHex: identity.publicKey, publicKey: publicKeyOf(identity.publicKey), sign: (bytes: Uint8Array) => identity.sign(bytes) };
    const { nonce: _nonce, ...rest } = statement;
    expect(await codeOf(() => verifier.verify(`Starling ${signCompact('request', { ...statement, admin: true }, signer)}`, request))).toBe('UNAUTHENTICATED');
    expect(await codeOf(() => verifier.verify(`Starling ${signCompact('request', rest, signer)}`, request))).toBe('UNAUTHENTICATED');
    expect(await codeOf(() => verifier.verify(`Starling ${signCompact('request', statement, signer)}`, request))).toBeUndefined();
  });

  test.each([undefined, '', 'Starling', 'Starling ', 'Bearer x', 'Starling a.b.c', `Starling ${'x'.repeat(9000)}`])('that is none is refused (%#)', async (header) => {
    const { verifier } = await conversation();
    expect(await codeOf(() => verifier.verify(header, request))).toBe('UNAUTHENTICATED');
  });

  test('is remembered within bounds: too many of one member are refused, not forgotten', async () => {
    const { clock, verifier, sign } = await conversation();
    const first = await sign(request);
    await verifier.verify(first, request);
    for (let count = 1; count < noncesPerMemberMax; count += 1) await verifier.verify(await sign(request), request);
    expect(await codeOf(async () => verifier.verify(await sign(request), request))).toBe('TOO_MANY_REQUESTS');
    expect(await codeOf(() => verifier.verify(first, request))).toBe('UNAUTHENTICATED');
    clock.now += 121_000;
    expect(await verifier.verify(await sign(request), request)).toMatchObject({ method: 'POST' });
    expect(await codeOf(() => verifier.verify(first, request))).toBe('UNAUTHENTICATED');
  });
});
