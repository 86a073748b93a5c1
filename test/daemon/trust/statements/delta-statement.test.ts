// The statement about a delta set: whose word counts, and for what.

import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDeltaStatement, signDeltaStatement } from '../../../../daemon/trust/statements/delta-statement.ts';
import { createIdentity, type Identity } from '../../../../daemon/trust/identity/identity.ts';
import { statementTypes, type Roster } from '../../../../proto/statement.ts';
import { codeOf } from '../../../contract/trust-fixture.ts';

let directories: string[];
let seed: Identity;
let agent: Identity;
let roster: Roster;
beforeAll(async () => {
  directories = await Promise.all([0, 1].map(async () => await mkdtemp(join(tmpdir(), 'starling-trust-'))));
  const made = await Promise.all(directories.map(async (directory) => await createIdentity(directory)));
  [seed, agent] = [made[0] ?? seed, made[1] ?? agent];
  const entry = (member: string, role: 'seed' | 'agent') => ({ member, roles: [role], addresses: [], environments: ['prod'], zone: 'a' });
  roster = { epoch: 1, members: [entry(seed.member, 'seed'), entry(agent.member, 'agent')], revoked: [] };
});
afterAll(async () => await Promise.all(directories.map(async (directory) => await rm(directory, { recursive: true }))));

const descriptor = Uint8Array.of(1, 2, 3);
const about = () => ({ from: 'a'.repeat(64), to: 'b'.repeat(64), set: hash('sha256', descriptor), bytes: 7 });
const refused = async (compact: string, bytes = descriptor, whose: Roster | undefined = roster) => await codeOf(async () => await openDeltaStatement(compact, bytes, whose));

test('an origin of the roster is believed', async () => {
  expect(await openDeltaStatement(signDeltaStatement(seed, about()), descriptor, roster)).toEqual({ member: seed.member, ...about() });
});

test('nobody else is: an agent, one who is barred, one whom the roster does not name', async () => {
  expect(await refused(signDeltaStatement(agent, about()))).toBe('STATEMENT_REFUSED');
  expect(await refused(signDeltaStatement(seed, about()), descriptor, { ...roster, revoked: [seed.member] })).toBe('STATEMENT_REFUSED');
  expect(await refused(signDeltaStatement(seed, about()), descriptor, { ...roster, members: [] })).toBe('STATEMENT_REFUSED');
  expect(await codeOf(async () => await openDeltaStatement(signDeltaStatement(seed, about()), descriptor, undefined))).toBe('STATEMENT_REFUSED');
});

test('the name of an origin over the signature of another counts for nothing', async () => {
  expect(await refused(signDeltaStatement({ ...agent, member: seed.member }, about()))).toBe('STATEMENT_REFUSED');
  expect(await refused(signDeltaStatement({ ...agent, member: seed.member, keyId: seed.keyId }, about()))).toBe('STATEMENT_REFUSED');
});

test('it counts for one descriptor, and any change of it or of another kind of statement is refused', async () => {
  const compact = signDeltaStatement(seed, about());
  expect(await refused(compact, Uint8Array.of(1, 2, 4))).toBe('STATEMENT_REFUSED');
  for (const changed of [compact.slice(0, -1), `${compact}A`, compact.replace('.', '..'), '', 'a.b.c', 'x'.repeat(3000)]) expect(await refused(changed), changed).toBe('STATEMENT_REFUSED');
  const header = (typ: string) => Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: seed.keyId, typ })).toString('base64url');
  const signed = (typ: string): string => {
    const text = `${header(typ)}.${compact.split('.')[1] ?? ''}`;
    return `${text}.${seed.sign(Buffer.from(text)).toString('base64url')}`;
  };
  expect(await refused(signed(statementTypes.delta))).toBeUndefined();
  expect(await refused(signed(statementTypes.request))).toBe('STATEMENT_REFUSED');
});
