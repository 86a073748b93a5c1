// The client workflow of TUF: what makes the next trusted set, and every way in which files are refused.

import { describe, expect, test } from 'vitest';
import { tufKeyJson } from '../../../../control/trust/keys.ts';
import { advance, advanceRoot, currentRole, startSet } from '../../../../daemon/trust/tuf/trusted-set.ts';
import { at, believing, codeOf, dayMs, described, hourMs, key, newKey, rootFile, sha256, signFile, start, timestampFile, withRoots, world } from './forge.ts';

describe('advance()', () => {
  test('believes files that fit together', () => {
    const set = believing(world({ revisions: { web: { digest: 'b'.repeat(64), number: 7 } } }));
    expect(currentRole(set, 'dev')?.revisions.get('web')).toEqual({ revision: 'b'.repeat(64), bytes: 100, number: 7, highest: 7, downgrade: false });
  });

  test('takes a new timestamp alone', () => {
    const set = believing();
    const next = advance(set, { 'timestamp.json': world({ timestamp: 2 })['timestamp.json'] ?? '' }, start + hourMs);
    expect([next.timestamp?.version, next.snapshot]).toEqual([2, set.snapshot]);
  });

  test.each(['timestamp.json', 'snapshot.json', 'targets.json', 'env-dev.json', 'trust/keys.json'])('wants the same group with %s absent only if it is held', (name) => {
    const next = world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, revisions: { api: {} } });
    const { [name]: _left, ...rest } = next;
    const set = believing();
    const outcome = codeOf(() => advance(set, rest, start));
    const optional = name === 'env-dev.json' || name === 'trust/keys.json';
    // Without timestamp the old one is held, and the rest contradicts nothing that it names.
    expect(outcome).toBe(optional || name === 'timestamp.json' ? undefined : 'METADATA_REFUSED');
  });

  test('does not use a role that the snapshot has left behind, and keeps it for comparison', () => {
    const { 'env-dev.json': _withheld, ...rest } = world({ timestamp: 2, snapshot: 2, dev: 2, revisions: { web: { number: 2 } } });
    const set = advance(believing(), rest, start);
    expect(currentRole(set, 'dev')).toBeUndefined();
    expect(set.roles.get('env-dev')?.file.version).toBe(1);
  });
});

describe('rollback (threat M2)', () => {
  const held = believing(world({ timestamp: 5, snapshot: 5, targets: 5, dev: 5 }));

  test('refuses an older timestamp', () => {
    expect(codeOf(() => advance(held, world({ timestamp: 4, snapshot: 5, targets: 5, dev: 5 }), start))).toBe('ROLLBACK_REFUSED');
  });

  test('takes the same timestamp version for nothing new, whatever it holds', () => {
    const set = advance(held, { 'timestamp.json': world({ timestamp: 5, snapshot: 6, targets: 6 })['timestamp.json'] ?? '' }, start);
    expect(set).toEqual(held);
  });

  test.each([
    ['snapshot', { timestamp: 6, snapshot: 4, targets: 5, dev: 5 }],
    ['targets', { timestamp: 6, snapshot: 6, targets: 4, dev: 5 }],
    ["an environment's role", { timestamp: 6, snapshot: 6, targets: 5, dev: 4 }],
  ])('refuses a newer timestamp over an older %s', (_what, versions) => {
    expect(codeOf(() => advance(held, world(versions), start))).toBe('ROLLBACK_REFUSED');
  });

  test('refuses a snapshot that no longer lists a file', () => {
    const next = world({ timestamp: 6, snapshot: 6, targets: 5, dev: 5 });
    const body = { _type: 'snapshot', spec_version: '1.0.34', version: 6, expires: at(start + dayMs), meta: { 'targets.json': described(next['targets.json'] ?? '', 5) } };
    const snapshot = signFile(body, key('snapshot'));
    const timestamp = timestampFile({ _type: 'timestamp', spec_version: '1.0.34', version: 6, expires: at(start + dayMs) }, described(snapshot, 6), [key('timestamp')]);
    expect(codeOf(() => advance(held, { ...next, 'snapshot.json': snapshot, 'timestamp.json': timestamp }, start))).toBe('ROLLBACK_REFUSED');
  });
});

describe('freeze (threat M3)', () => {
  test.each(['timestamp', 'snapshot', 'targets', 'dev'] as const)('refuses an expired %s', (name) => {
    const files = world({ expires: { [name]: start } });
    expect(codeOf(() => advance(startSet('1.root.json', rootFile({ version: 1 })), files, start))).toBe('METADATA_EXPIRED');
  });

  test('refuses everything under an expired root, and walks on from it', () => {
    const set = startSet('1.root.json', rootFile({ version: 1, expires: start - dayMs }));
    expect(codeOf(() => advance(set, world(), start))).toBe('METADATA_EXPIRED');
    const next = withRoots(set, rootFile({ version: 2 }));
    expect(codeOf(() => advance(next, world(), start))).toBeUndefined();
  });
});

describe('mix-and-match (threat M4)', () => {
  const before = world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, revisions: { web: { number: 2 } } });
  const after = world({ timestamp: 3, snapshot: 3, targets: 3, dev: 3, revisions: { web: { number: 3 } } });

  test.each(['snapshot.json', 'targets.json', 'env-dev.json'])('refuses the %s of one moment among the files of another', (name) => {
    for (const [one, other] of [[before, after], [after, before]] as const) {
      const mixed = { ...one, [name]: other[name] ?? '' };
      expect(codeOf(() => advance(startSet('1.root.json', rootFile({ version: 1 })), mixed, start))).toBe('METADATA_REFUSED');
    }
  });

  test('refuses a file with the right name, key and version and another content', () => {
    const twin = world({ timestamp: 3, snapshot: 3, targets: 3, dev: 3, revisions: { web: { number: 4 } } });
    expect(codeOf(() => advance(believing(), { ...after, 'env-dev.json': twin['env-dev.json'] ?? '' }, start))).toBe('METADATA_REFUSED');
  });
});

describe('fast-forward (threat M5)', () => {
  const huge = Number.MAX_SAFE_INTEGER;
  const attacked = believing(world({ timestamp: huge, snapshot: huge, targets: huge, dev: huge }));

  test('locks out honest files until timestamp or snapshot keys are rotated', () => {
    expect(codeOf(() => advance(attacked, world({ timestamp: 2 }), start))).toBe('ROLLBACK_REFUSED');
    const unrotated = withRoots(attacked, rootFile({ version: 2 }));
    expect(codeOf(() => advance(unrotated, world({ timestamp: 2 }), start))).toBe('ROLLBACK_REFUSED');
  });

  test.each(['timestamp', 'snapshot'] as const)('recovers when the %s key is rotated', (role) => {
    const fresh = newKey();
    const rotated = withRoots(attacked, rootFile({ version: 2, keys: { [role]: [fresh] } }));
    const set = advance(rotated, world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, signers: { [role]: [fresh] } }), start);
    expect(currentRole(set, 'dev')?.file.version).toBe(2);
  });
});

describe('keys', () => {
  test.each(['timestamp', 'snapshot', 'targets', 'dev'] as const)('refuses a %s file signed by another key', (name) => {
    const files = world({ signers: { [name]: [newKey()] } });
    expect(codeOf(() => believing(files))).toBe('METADATA_REFUSED');
  });

  test('no longer believes a role whose key was taken from it', () => {
    const other = newKey();
    const swapped = world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, devKey: other, signers: { dev: [other] } });
    const { 'env-dev.json': _withheld, ...rest } = swapped;
    expect(advance(believing(), rest, start).roles.size).toBe(0);
    expect(currentRole(advance(believing(), swapped, start), 'dev')?.file.version).toBe(2);
    expect(codeOf(() => advance(believing(), world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, devKey: other }), start))).toBe('METADATA_REFUSED');
  });

  test('does not let a stolen key that named a huge number lock out the key that follows it (threat M5)', () => {
    const stolen = believing(world({ revisions: { web: { number: 9, custom: { highest: Number.MAX_SAFE_INTEGER } } } }));
    const other = newKey();
    const next = world({ timestamp: 2, snapshot: 2, targets: 2, dev: 2, devKey: other, signers: { dev: [other] }, revisions: { web: { number: 3 } } });
    expect(currentRole(advance(stolen, next, start), 'dev')?.revisions.get('web')?.number).toBe(3);
  });

  test('drops targets when the root takes the targets key away', () => {
    const set = withRoots(believing(), rootFile({ version: 2, keys: { targets: [newKey()] } }));
    expect([set.targets, set.keys, set.roles.size]).toEqual([undefined, undefined, 0]);
  });
});

describe('thresholds (threat M8)', () => {
  const [a, b] = [newKey(), newKey()];

  test('counts two keys as two', () => {
    expect(codeOf(() => startSet('1.root.json', rootFile({ version: 1, keys: { root: [a, b] }, threshold: 2 })))).toBeUndefined();
    expect(codeOf(() => startSet('1.root.json', rootFile({ version: 1, keys: { root: [a, b] }, threshold: 2, signers: [a] })))).toBe('METADATA_REFUSED');
  });

  test('refuses one key under two ids', () => {
    const root = JSON.parse(rootFile({ version: 1, keys: { root: [a, b] }, threshold: 2 })).signed;
    const alias = 'f'.repeat(64);
    root.keys[alias] = tufKeyJson(a.publicHex);
    root.roles.root.keyids = [a.id, alias];
    const text = JSON.parse(signFile(root, a));
    text.signatures.push({ ...text.signatures[0], keyid: alias });
    expect(codeOf(() => startSet('1.root.json', JSON.stringify(text)))).toBe('METADATA_REFUSED');
  });

  test('refuses one key made two by an extra field', () => {
    const root = JSON.parse(rootFile({ version: 1, keys: { root: [a, b] }, threshold: 2 })).signed;
    const disguised = { ...tufKeyJson(a.publicHex), note: 'another' };
    const alias = sha256(`{"keytype":"ed25519","keyval":{"public":"${a.publicHex}"},"note":"another","scheme":"ed25519"}`);
    root.keys[alias] = disguised;
    root.roles.root.keyids = [a.id, alias];
    const text = JSON.parse(signFile(root, a));
    text.signatures.push({ ...text.signatures[0], keyid: alias });
    expect(codeOf(() => startSet('1.root.json', JSON.stringify(text)))).toBe('METADATA_REFUSED');
  });

  test('refuses one signature given twice', () => {
    const text = JSON.parse(rootFile({ version: 1, keys: { root: [a, b] }, threshold: 2, signers: [a] }));
    text.signatures.push(text.signatures[0]);
    expect(codeOf(() => startSet('1.root.json', JSON.stringify(text)))).toBe('METADATA_REFUSED');
  });
});

describe('advanceRoot() (threat M9)', () => {
  const old = newKey();
  const fresh = newKey();
  const set = startSet('1.root.json', rootFile({ version: 1, keys: { root: [old] } }));

  test('wants the thresholds of the old and of the new keys', () => {
    const signedBy = (...signers: (typeof old)[]) => rootFile({ version: 2, keys: { root: [fresh] }, signers });
    expect(codeOf(() => advanceRoot(set, '2.root.json', signedBy(old, fresh)))).toBeUndefined();
    expect(codeOf(() => advanceRoot(set, '2.root.json', signedBy(old)))).toBe('METADATA_REFUSED');
    expect(codeOf(() => advanceRoot(set, '2.root.json', signedBy(fresh)))).toBe('METADATA_REFUSED');
  });

  test.each([1, 3])('refuses version %i after version 1', (version) => {
    expect(codeOf(() => advanceRoot(set, '2.root.json', rootFile({ version, keys: { root: [old] } })))).toBe('ROLLBACK_REFUSED');
  });
});

describe('roles of environments', () => {
  test.each([
    ['paths of another environment', { paths: ['env/prod/*'] }],
    ['paths of every environment', { paths: ['env/*/*'] }],
    ['a path too many', { paths: ['env/dev/*', 'trust/*'] }],
    ['a role that does not end the search', { terminating: false }],
    ['hash prefixes', { paths: undefined, path_hash_prefixes: ['00'] }],
    ['a name that is a path', { name: '../env-dev' }],
    ['a threshold of none', { threshold: 0 }],
    ['a threshold above its keys', { threshold: 2 }],
  ])('refuses a delegation with %s', (_what, delegation) => {
    expect(codeOf(() => believing(world({ delegation })))).toBe('METADATA_REFUSED');
  });

  test.each([
    ['a path of another environment (threat M15)', { web: { path: 'env/prod/web.revision' } }],
    ["another application's path", { web: { path: 'env/dev/api.revision' } }],
    ['no number', { web: { custom: { number: 'one' } } }],
    ['a name that is a path', { '../web': {} }],
    ['something that is not a digest', { web: { digest: 'z'.repeat(64) } }],
  ])('refuses a target with %s', (_what, revisions) => {
    expect(codeOf(() => believing(world({ revisions })))).toBe('METADATA_REFUSED');
  });

  test('refuses a lower number unless the role says that it is meant (threat M13)', () => {
    const held = believing(world({ revisions: { web: { number: 5 } } }));
    const next = (custom: object) => world({ timestamp: 2, snapshot: 2, dev: 2, revisions: { web: { number: 4, custom } } });
    expect(codeOf(() => advance(held, next({}), start))).toBe('ROLLBACK_REFUSED');
    expect(codeOf(() => advance(held, next({ highest: 5 }), start))).toBe('ROLLBACK_REFUSED');
    expect(codeOf(() => advance(held, next({ highest: 5, downgrade: true }), start))).toBeUndefined();
  });

  test('refuses the file of a role that nobody delegates to', () => {
    expect(codeOf(() => believing({ ...world(), 'env-prod.json': world()['env-dev.json'] ?? '' }))).toBe('METADATA_REFUSED');
  });
});
