// Orders, certificates, grants and rosters: which of them a member acts upon.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalize } from 'json-canonicalize';
import { describe, expect, test } from 'vitest';
import { signCompact } from '../../control/trust/jws.ts';
import { openKeyring, type SigningKey } from '../../control/trust/keys.ts';
import { orderTargetsMax } from '../../control/core/effects.ts';
import { openTrust } from '../../daemon/trust/file-trust.ts';
import { createIdentity } from '../../daemon/trust/identity/identity.ts';
import { limits } from '../../proto/limits.ts';
import { RosterMemberSchema, RosterSchema } from '../../proto/statement.ts';
import { newKey } from '../daemon/trust/tuf/forge.ts';
import { codeOf, createStage, hourMs, revisionOf, type Stage } from './trust-fixture.ts';

const minute = 60;
/** When the story of every stage begins, in seconds. */
const now = Date.UTC(2026, 0, 1) / 1000;

async function ownKey(stage: Stage, name: 'membership' | 'orders' | 'targets'): Promise<SigningKey> {
  return await (await openKeyring(join(stage.directory, 'control/keys')))(name);
}

describe('a certificate', () => {
  test('of this member counts', async () => {
    const stage = await createStage();
    const found = await stage.trust.verifyCertificate(stage.repository.signCertificate(stage.certificate()), stage.identity.member);
    expect(found).toEqual(stage.certificate());
  });

  test("is refused when another key presents it (threat S2)", async () => {
    const stage = await createStage();
    const thief = await createIdentity(join(stage.directory, 'thief'));
    expect(await codeOf(() => stage.trust.verifyCertificate(stage.repository.signCertificate(stage.certificate()), thief.member))).toBe('STATEMENT_REFUSED');
  });

  test.each<[string, object]>([
    ['another organisation', { org: 'other' }],
    ['another member', { member: '12D3KooWother' }],
    ['an end that is past', { notAfter: now - 11 * minute }],
    ['a beginning that is to come', { notBefore: now + 11 * minute }],
    ['no end', { notAfter: undefined }],
    ['an end beyond all dates', { notAfter: 1e15 }],
    ['an instant as text', { notBefore: '0' }],
    ['no role', { roles: [] }],
    ['a role that does not exist', { roles: ['admin'] }],
    ['serial 0', { serial: 0 }],
    ['an environment that is a path', { environments: ['../prod'] }],
    ['a field that nobody knows', { admin: true }],
  ])('with %s is refused (threat S3)', async (_what, change) => {
    const stage = await createStage();
    const payload: object = { ...stage.certificate(), ...change };
    const compact = signCompact('certificate', JSON.parse(JSON.stringify(payload)), await ownKey(stage, 'membership'));
    expect(await codeOf(() => stage.trust.verifyCertificate(compact, stage.identity.member))).toBe('STATEMENT_REFUSED');
  });

  test('counts as long as the clocks differ by no more than ten minutes', async () => {
    const stage = await createStage();
    const compact = stage.repository.signCertificate(stage.certificate({ notBefore: now + 9 * minute, notAfter: now + 10 * minute }));
    expect(await codeOf(() => stage.trust.verifyCertificate(compact, stage.identity.member))).toBeUndefined();
  });

  test.each<[string, 'membership' | 'orders' | 'targets' | 'stranger']>([
    ['the orders key', 'orders'],
    ['a key that signs metadata', 'targets'],
    ["a stranger's key", 'stranger'],
  ])('signed by %s is refused', async (_what, name) => {
    const stage = await createStage();
    const signer = name === 'stranger' ? newKey() : await ownKey(stage, name);
    expect(await codeOf(() => stage.trust.verifyCertificate(signCompact('certificate', stage.certificate(), signer), stage.identity.member))).toBe('STATEMENT_REFUSED');
  });

  test.each<[string, (header: Record<string, unknown>) => object]>([
    ['another type', (header) => ({ ...header, typ: 'starling-roster+jws' })],
    ['a type in other letters', (header) => ({ ...header, typ: 'STARLING-CERTIFICATE+JWS' })],
    ['no type', ({ typ: _typ, ...header }) => header],
    ['no algorithm', (header) => ({ ...header, alg: 'none' })],
    ['another algorithm', (header) => ({ ...header, alg: 'HS256' })],
    ['a critical extension', (header) => ({ ...header, crit: ['b64'], b64: true })],
    ['a key of its own', (header) => ({ ...header, jwk: {} })],
    ['no key id', ({ kid: _kid, ...header }) => header],
  ])('whose header has %s is refused', async (_what, change) => {
    const stage = await createStage();
    const signer = await ownKey(stage, 'membership');
    const [header = '', payload = ''] = stage.repository.signCertificate(stage.certificate()).split('.');
    const changed = Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(header, 'base64url').toString())))).toString('base64url');
    const compact = `${changed}.${payload}.${signer.sign(Buffer.from(`${changed}.${payload}`)).toString('base64url')}`;
    expect(await codeOf(() => stage.trust.verifyCertificate(compact, stage.identity.member))).toBe('STATEMENT_REFUSED');
  });

  test('in the place of another statement is refused', async () => {
    const stage = await createStage();
    const certificate = stage.repository.signCertificate(stage.certificate());
    expect(await codeOf(() => stage.trust.verifyRoster(certificate))).toBe('STATEMENT_REFUSED');
    const grant = stage.repository.signGrant({ id: 'grant-0001', project: 'p', app: 'web', user: 'u', notBefore: now, notAfter: now + minute });
    expect(await codeOf(() => stage.trust.verifyGrant(grant))).toBeUndefined();
    expect(await codeOf(() => stage.trust.verifyOrder(grant, { member: stage.identity.member, environments: ['dev'] }))).toBe('STATEMENT_REFUSED');
  });

  test('is one text only: its signature cannot be written in another way', async () => {
    const stage = await createStage();
    const compact = stage.repository.signCertificate(stage.certificate());
    // The last letter of 64 bytes in base64url carries two bits; the letter after it carries the same two.
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = compact.slice(0, -1) + letters.charAt(letters.indexOf(compact.slice(-1)) + 1);
    const signature = (text: string) => Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url');
    expect(signature(twin)).toEqual(signature(compact));
    await expect(stage.trust.verifyCertificate(twin, stage.identity.member)).rejects.toThrow('not canonical base64url');
  });

  test('of more bytes than allowed is not even opened', async () => {
    const stage = await createStage();
    await expect(stage.trust.verifyCertificate('x'.repeat(70_000), stage.identity.member)).rejects.toThrow('has 70000 bytes, at most 65536 are allowed');
  });

  test.each(['', '.', '..', 'a.b.c', '…', 'x'.repeat(70_000)])('that is no statement at all is refused (%#)', async (text) => {
    const stage = await createStage();
    expect(await codeOf(() => stage.trust.verifyCertificate(text, stage.identity.member))).toBe('STATEMENT_REFUSED');
  });
});

test('an order, a grant or a roster with a field that nobody knows is refused', async () => {
  const stage = await createStage();
  const [orders, membership] = [await ownKey(stage, 'orders'), await ownKey(stage, 'membership')];
  const audience = { member: stage.identity.member, environments: ['dev'] };
  const order = signCompact('order', { ...stage.order(), force: true }, orders);
  expect(await codeOf(() => stage.trust.verifyOrder(order, audience))).toBe('STATEMENT_REFUSED');
  const grant = signCompact('grant', { id: 'grant-0001', project: 'p', app: 'web', user: 'u', notBefore: now, notAfter: now + minute, force: true }, orders);
  expect(await codeOf(() => stage.trust.verifyGrant(grant))).toBe('STATEMENT_REFUSED');
  expect(await codeOf(() => stage.repository.verifyGrant(grant))).toBe('UNAUTHENTICATED');
  const roster = signCompact('roster', { epoch: 1, members: [], revoked: [], force: true }, membership);
  expect(await codeOf(() => stage.trust.verifyRoster(roster))).toBe('STATEMENT_REFUSED');
});

describe('an order', () => {
  const audience = (stage: Stage) => ({ member: stage.identity.member, environments: ['dev'] });

  test.each<[string, object, string]>([
    ['for other members', { targets: ['12D3KooWother'] }, 'ORDER_REFUSED'],
    ['for another environment (threat M15)', { environment: 'prod' }, 'ORDER_REFUSED'],
    ['for an application that the role does not name', { app: 'api' }, 'ORDER_REFUSED'],
    ['for a revision that the role does not authorise', { revision: revisionOf('b') }, 'ORDER_REFUSED'],
    ['to roll back to a revision that the role does not authorise', { action: 'rollback', revision: revisionOf('b') }, 'ORDER_REFUSED'],
    ['with another number', { revisionNumber: 2 }, 'ORDER_REFUSED'],
    ['by a role version that is not held', { roleVersion: 2 }, 'ORDER_REFUSED'],
    ['that is over', { notAfter: now - 11 * minute }, 'STATEMENT_REFUSED'],
    ['that is to come', { notBefore: now + 11 * minute }, 'STATEMENT_REFUSED'],
  ])('%s is refused', async (_what, change, code) => {
    const stage = await createStage();
    const compact = stage.repository.signOrder(stage.order(change));
    expect(await codeOf(() => stage.trust.verifyOrder(compact, audience(stage)))).toBe(code);
  });

  test('for an environment that the member is not in is refused, whatever its role says (threat M15)', async () => {
    const stage = await createStage();
    await expect(stage.trust.verifyOrder(stage.repository.signOrder(stage.order()), { ...audience(stage), environments: ['prod'] })).rejects.toThrow(
      'is for an environment that this member is not in',
    );
  });

  test('for an environment without a role is refused', async () => {
    const stage = await createStage();
    const compact = stage.repository.signOrder(stage.order({ environment: 'stage' }));
    expect(await codeOf(() => stage.trust.verifyOrder(compact, { ...audience(stage), environments: ['stage'] }))).toBe('ORDER_REFUSED');
  });

  test('is refused again once the role has moved on', async () => {
    const stage = await createStage();
    const compact = stage.repository.signOrder(stage.order());
    await stage.publish('dev', { web: { revision: revisionOf('b'), number: 2 } });
    expect(await codeOf(() => stage.trust.verifyOrder(compact, audience(stage)))).toBe('ORDER_REFUSED');
  });

  test('by an older version of the role counts while the role still names its revision', async () => {
    const stage = await createStage();
    await stage.publish('dev', { web: {}, api: {} });
    expect(await codeOf(() => stage.trust.verifyOrder(stage.repository.signOrder(stage.order()), audience(stage)))).toBeUndefined();
  });

  test('is accepted once, and not again after a restart', async () => {
    const stage = await createStage();
    const order = await stage.trust.verifyOrder(stage.repository.signOrder(stage.order({ seq: 7 })), audience(stage));
    await stage.trust.acceptOrder(order);
    expect(await codeOf(() => stage.trust.acceptOrder(order))).toBe('ROLLBACK_REFUSED');
    await stage.reopenTrust();
    expect([stage.trust.seqSeen(), stage.trust.acceptedOrders()]).toEqual([{ dev: 7 }, [order]]);
    for (const seq of [1, 6, 7]) expect(await codeOf(() => stage.trust.acceptOrder(stage.order({ seq })))).toBe('ROLLBACK_REFUSED');
    await stage.trust.acceptOrder(stage.order({ seq: 8, action: 'rollback' }));
    await stage.trust.acceptOrder(stage.order({ seq: 9, app: 'api' }));
    expect(stage.trust.acceptedOrders().map(({ app, seq }) => [app, seq])).toEqual([['web', 8], ['api', 9]]);
  });

  test('is accepted once also when it comes twice at the same time', async () => {
    const stage = await createStage();
    const outcomes = await Promise.all(Array.from({ length: 10 }, async () => await codeOf(() => stage.trust.acceptOrder(stage.order()))));
    expect(outcomes.filter((code) => code === undefined)).toHaveLength(1);
  });

  test('for as many members as one is signed for, with as much to check as there can be, is taken and outlives a restart', async () => {
    const stage = await createStage();
    const { member } = stage.identity;
    const targets = [member, ...Array.from({ length: orderTargetsMax - 1 }, (_, index) => `${member.slice(0, -3)}${String(index).padStart(3, '0')}`)];
    const checks = Array.from({ length: limits.orderChecksMax }, (_, index) => ({ name: `${'n'.repeat(62)}${String(index).padStart(2, '0')}`, path: `/${'p'.repeat(255)}`, port: 65_535, status: 599, intervalMs: 150, successes: 100, timeoutMs: 3_599_999 }));
    const order = await stage.trust.verifyOrder(stage.repository.signOrder(stage.order({ targets, checks })), audience(stage));
    await stage.trust.acceptOrder(order);
    await stage.reopenTrust();
    expect(stage.trust.acceptedOrders()).toEqual([expect.objectContaining({ checks })]);
  });

  test('for so many members that nobody would read it is not signed', async () => {
    const stage = await createStage();
    const targets = Array.from({ length: 2000 }, (_, index) => `${stage.identity.member}${index}`);
    expect(await codeOf(() => stage.repository.signOrder(stage.order({ targets })))).toBe('SIGNING_FAILED');
    expect(await codeOf(() => stage.repository.signOrder(stage.order({ targets: [] })))).toBe('SIGNING_FAILED');
  });
});

describe('a roster', () => {
  test('is kept for the next start, and never replaced by an older one', async () => {
    const stage = await createStage();
    const epoch = (number: number) => stage.repository.signRoster({ epoch: number, members: [], revoked: [`m${number}`] });
    await stage.trust.acceptRoster(epoch(5));
    expect(await codeOf(() => stage.trust.acceptRoster(epoch(4)))).toBe('ROLLBACK_REFUSED');
    await stage.reopenTrust();
    expect(stage.trust.roster()?.revoked).toEqual(['m5']);
    expect(await codeOf(() => stage.trust.acceptRoster(epoch(4)))).toBe('ROLLBACK_REFUSED');
    await stage.trust.acceptRoster(epoch(6));
    expect(stage.trust.roster()?.epoch).toBe(6);
  });

  test('that was changed on the disk is forgotten', async () => {
    const stage = await createStage();
    await stage.trust.acceptRoster(stage.repository.signRoster({ epoch: 5, members: [], revoked: [] }));
    const path = join(stage.directory, 'agent/trust/roster.jws');
    await writeFile(path, (await readFile(path, 'utf8')).replace('.', '.A'));
    await stage.reopenTrust();
    expect(stage.trust.roster()).toBeUndefined();
  });

  test('is signed in canonical JSON, as members make it of a change: every field, whatever is in it', async () => {
    const stage = await createStage();
    const member = { zone: 'zü\u2028"\\', roles: ['seed' as const, 'proxy' as const], member: '\u0001m/', environments: ['b', 'a'], addresses: ['/dns4/ä/tcp/1', ''] };
    expect(Object.keys(member).toSorted()).toEqual(Object.keys(RosterMemberSchema.properties).toSorted());
    const roster = { revoked: ['z', '\ud83d\ude00'], members: [member, { ...member, member: 'n' }], epoch: 7 };
    expect(Object.keys(roster).toSorted()).toEqual(Object.keys(RosterSchema.properties).toSorted());
    const [, payload = ''] = stage.repository.signRoster(roster).split('.');
    expect(Buffer.from(payload, 'base64url').toString('utf8')).toBe(canonicalize(roster));
  });

  test('of as many members as it can name is signed, verified and within its bounds', { timeout: 30_000 }, async () => {
    const stage = await createStage();
    const members = Array.from({ length: limits.rosterMembersMax }, (_, index) => ({
      member: `12D3KooW${String(index).padStart(44, '0')}`, addresses: [`/ip4/10.0.${index >> 8}.${index & 255}/tcp/7401`], roles: ['agent' as const], environments: ['prod'], zone: 'eu-a',
    }));
    const compact = stage.repository.signRoster({ epoch: 1, members, revoked: [] });
    expect((await stage.trust.verifyRoster(compact)).members).toHaveLength(limits.rosterMembersMax);
  });
});

describe('a grant', () => {
  test('is checked by the control plane that signed it, and ends', async () => {
    const stage = await createStage();
    const grant = { id: 'grant-0001', project: 'p', app: 'web', user: 'u', notBefore: now, notAfter: now + 3600 };
    const compact = stage.repository.signGrant(grant);
    expect(stage.repository.verifyGrant(compact)).toEqual(grant);
    const forged = signCompact('grant', grant, newKey());
    expect(await codeOf(() => stage.repository.verifyGrant(forged))).toBe('UNAUTHENTICATED');
    expect(await codeOf(() => stage.repository.verifyGrant(signCompact('order', grant, newKey())))).toBe('UNAUTHENTICATED');
    stage.clock.now += 2 * hourMs;
    expect(await codeOf(() => stage.repository.verifyGrant(compact))).toBe('UNAUTHENTICATED');
    expect(await codeOf(() => stage.trust.verifyGrant(compact))).toBe('STATEMENT_REFUSED');
  });
});

test('no statement counts before the first metadata has come', async () => {
  const stage = await createStage();
  const fresh = await openTrust({ dataDir: join(stage.directory, 'fresh'), pin: stage.repository.rootDigest(), now: () => stage.clock.now });
  expect(await codeOf(() => fresh.verifyCertificate(stage.repository.signCertificate(stage.certificate()), stage.identity.member))).toBe('STATEMENT_REFUSED');
});

test('a new orders key takes over with the next start of the control plane', async () => {
  const stage = await createStage();
  const old = stage.repository.signOrder(stage.order());
  await rm(join(stage.directory, 'control/keys/orders.pem'));
  await stage.reopenRepository();
  await stage.sync();
  const audience = { member: stage.identity.member, environments: ['dev'] };
  expect(await codeOf(() => stage.trust.verifyOrder(old, audience))).toBe('STATEMENT_REFUSED');
  expect(await codeOf(() => stage.trust.verifyOrder(stage.repository.signOrder(stage.order()), audience))).toBeUndefined();
});
