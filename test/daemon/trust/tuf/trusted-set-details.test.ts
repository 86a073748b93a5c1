// The client workflow of TUF, continued: what is held already, what is announced by version alone, and the keys of statements.

import { describe, expect, test } from 'vitest';
import { keyIdOf } from '../../../../daemon/trust/identity/identity.ts';
import { freshnessOf } from '../../../../daemon/trust/freshness.ts';
import { readStatementKeys } from '../../../../daemon/trust/statements/statement-keys.ts';
import { advance, currentRole, startSet } from '../../../../daemon/trust/tuf/trusted-set.ts';
import { believing, codeOf, dayMs, described, hourMs, key, newKey, rootFile, start, withRoots, world } from './forge.ts';

const startRoot = () => startSet('1.root.json', rootFile({ version: 1 }));

describe('what is held already', () => {
  test('nothing: the first group needs a timestamp', () => {
    const { 'timestamp.json': _left, ...rest } = world();
    expect(codeOf(() => advance(startRoot(), rest, start))).toBe('METADATA_REFUSED');
  });

  test('an expired timestamp vouches for nothing new, whether it comes again or not', () => {
    const files = world();
    const { 'env-dev.json': role = '', ...rest } = files;
    const set = advance(startRoot(), rest, start);
    const later = start + 25 * hourMs;
    expect(codeOf(() => advance(set, { 'env-dev.json': role }, start + hourMs))).toBeUndefined();
    expect(codeOf(() => advance(set, { 'env-dev.json': role }, later))).toBe('METADATA_EXPIRED');
    expect(codeOf(() => advance(set, files, later))).toBe('METADATA_EXPIRED');
  });

  test('an expired snapshot is not carried on by a newer timestamp', () => {
    const later = start + 31 * dayMs;
    const { 'timestamp.json': timestamp = '' } = world({ timestamp: 2, expires: { timestamp: later + hourMs } });
    expect(() => advance(believing(), { 'timestamp.json': timestamp }, later)).toThrow('snapshot.json expired');
  });

  test('an expired role of an environment is stale, the others are not', () => {
    const set = believing(world({ expires: { dev: start + hourMs } }));
    const times = { now: start + 2 * hourMs, floor: start };
    expect([freshnessOf(set, times), freshnessOf(set, times, 'dev'), freshnessOf(set, times, 'prod')]).toEqual(['FRESH', 'STALE', 'FRESH']);
  });

  test('targets, keys and roles stay under a root that takes nothing from them', () => {
    const set = believing();
    const next = withRoots(set, rootFile({ version: 2 }));
    expect([next.targets, next.keys, next.roles, next.timestamp]).toEqual([set.targets, set.keys, set.roles, set.timestamp]);
  });

  test('a key that joins the timestamp role counts as a rotation, so that nobody is left locked out', () => {
    const second = newKey();
    const set = believing(world(), rootFile({ version: 1 }));
    const next = withRoots(set, rootFile({ version: 2, keys: { timestamp: [key('timestamp'), second] } }));
    expect([next.timestamp, next.snapshot]).toEqual([undefined, undefined]);
  });
});

describe('files announced by version alone', () => {
  test('are taken at that version', () => {
    expect(currentRole(advance(startRoot(), world({ bare: true }), start), 'dev')?.file.version).toBe(1);
  });

  test.each(['snapshot', 'targets', 'dev'] as const)('are refused at another: %s', (name) => {
    expect(() => advance(startRoot(), world({ bare: true, announced: { [name]: 2 } }), start)).toThrow('has version 1, announced was 2');
  });

  test('are refused at another length, by another hash, and by a hash that nobody checks', () => {
    const { 'snapshot.json': snapshot = '', ...rest } = world();
    const { length, hashes } = described(snapshot, 1);
    const announcing = (meta: object) => {
      const forged = world({ lay: { timestamp: { meta: { 'snapshot.json': { version: 1, ...meta } } } } });
      return { ...rest, 'snapshot.json': snapshot, 'timestamp.json': forged['timestamp.json'] ?? '' };
    };
    const outcome = (meta: object) => codeOf(() => advance(startRoot(), announcing(meta), start));
    expect([outcome({ length, hashes }), outcome({ length }), outcome({ hashes }), outcome({ hashes: { ...hashes, sha512: 'x' } })]).toEqual([undefined, undefined, undefined, undefined]);
    expect([outcome({ length: length + 1 }), outcome({ hashes: { sha256: '0'.repeat(64) } }), outcome({ hashes: { sha512: 'x' } })]).toEqual([
      'METADATA_REFUSED', 'METADATA_REFUSED', 'METADATA_REFUSED',
    ]);
  });
});

describe('the keys of statements', () => {
  const info = (text: string) => {
    const { version: _version, ...rest } = described(text, 1);
    return rest;
  };
  const whole = world();
  const keysContent = whole['trust/keys.json'] ?? '';

  test.each<[string, object]>([
    ['no target', {}],
    ['a target without sha256', { 'trust/keys.json': { length: keysContent.length, hashes: {} } }],
    ['a target with another hash', { 'trust/keys.json': { ...info(keysContent), hashes: { sha256: '0'.repeat(64) } } }],
    ['a target of another length', { 'trust/keys.json': { ...info(keysContent), length: 1 } }],
  ])('are wanted: %s is refused', (_what, targets) => {
    expect(codeOf(() => advance(startRoot(), world({ lay: { targets: { targets } } }), start))).toBe('METADATA_REFUSED');
  });

  test('are wanted: the file itself', () => {
    const { 'trust/keys.json': _left, ...rest } = whole;
    expect(codeOf(() => advance(startRoot(), rest, start))).toBe('METADATA_REFUSED');
  });

  test('are replaced when the targets role names others, and only by those', () => {
    const other = JSON.stringify({ ...JSON.parse(keysContent), org: 'new' });
    const next = world({ timestamp: 2, snapshot: 2, targets: 2, lay: { targets: { targets: { 'trust/keys.json': info(other) } } } });
    expect(advance(believing(), { ...next, 'trust/keys.json': other }, start).keys?.org).toBe('new');
    expect(codeOf(() => advance(believing(), next, start))).toBe('METADATA_REFUSED');
  });

  test.each<[string, (keys: { org: string; orders: Record<string, object>; extra?: number; membership?: object }) => void]>([
    ['an unknown field', (keys) => { keys.extra = 1; }],
    ['no membership', (keys) => { delete keys.membership; }],
    ['no key for orders', (keys) => { keys.orders = {}; }],
    ['a key under another id', (keys) => { keys.orders = { ['0'.repeat(64)]: Object.values(keys.orders)[0] ?? {} }; }],
    ['another key type', (keys) => { for (const one of Object.values(keys.orders)) Object.assign(one, { keytype: 'rsa' }); }],
    ['an empty organisation', (keys) => { keys.org = ''; }],
  ])('with %s are refused', (_what, change) => {
    const keys = JSON.parse(keysContent);
    change(keys);
    expect(codeOf(() => readStatementKeys(JSON.stringify(keys)))).toBe('METADATA_REFUSED');
  });
});

describe('delegations', () => {
  test('to a role that the snapshot does not list, with its file, are refused', () => {
    const files = world({ lay: { snapshot: { meta: { 'targets.json': described(world()['targets.json'] ?? '', 1) } } } });
    expect(() => advance(startRoot(), files, start)).toThrow('env-dev.json is not listed in the snapshot');
    const { 'env-dev.json': _left, ...rest } = files;
    expect(currentRole(advance(startRoot(), rest, start), 'dev')).toBeUndefined();
  });

  test('by the role of an environment are refused', () => {
    const delegations = { keys: {}, roles: [] };
    expect(() => believing(world({ lay: { dev: { delegations } } }))).toThrow('env-dev.json delegates further');
  });

  test('to hash bins, and with keys under other ids, are refused', () => {
    const bins = { keys: {}, succinct_roles: { keyids: [], threshold: 1, bit_length: 4, name_prefix: 'bin' } };
    expect(() => believing(world({ lay: { targets: { delegations: bins } } }))).toThrow('hash bins');
    const keys = { ['0'.repeat(64)]: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: key('dev').publicHex } } };
    expect(() => believing(world({ lay: { targets: { delegations: { keys, roles: [] } } } }))).toThrow('which is not the sha256 of that key');
    expect(keyIdOf(key('dev').publicHex)).toBe(key('dev').id);
  });

  test('of other kinds are left alone', () => {
    const other = { name: 'membership', keyids: [key('dev').id], threshold: 1, terminating: false, paths: ['trust/members/*'] };
    expect(codeOf(() => believing(world({ delegation: other })))).toBe('METADATA_REFUSED');
    const { 'env-dev.json': _left, ...rest } = world({ delegation: other });
    expect(believing(rest).roles.size).toBe(0);
  });

  test.each(['../x.json', 'x', 'X.json', 'a/b.json'])('a snapshot that lists %s is refused', (name) => {
    expect(() => believing(world({ lay: { snapshot: { meta: { [name]: { version: 1 } } } } }))).toThrow('lists a file');
  });
});
