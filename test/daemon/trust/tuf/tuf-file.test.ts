// What is refused before anybody asks who signed it: sizes, shapes and two ways of writing the same thing.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { depthMax, parseStrictJson } from '../../../../daemon/trust/strict-json.ts';
import { readRoot, readSnapshot, readTargets, readTimestamp } from '../../../../daemon/trust/tuf/tuf-file.ts';
import { limits } from '../../../../proto/limits.ts';
import { at, codeOf, key, newKey, rootFile, signFile, start, world } from './forge.ts';

describe('parseStrictJson()', () => {
  test('reads what JSON.stringify writes of whole numbers', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 5 }, fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null), fc.array(tie('any')), fc.dictionary(fc.string(), tie('any'))),
    })).any.filter((one) => !JSON.stringify(one).includes('__proto__') && !JSON.stringify(one).includes('-0'));
    fc.assert(fc.property(value, fc.constantFrom(undefined, 2), (one, indent) => {
      const text = JSON.stringify(one, undefined, indent);
      expect(parseStrictJson('it', text, 1e6)).toEqual(JSON.parse(text));
    }));
  });

  test('gives a value or our own error for any text', () => {
    const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', '1', '-', '.', 'e', 'a', ' ', '\\u0041', '\ud800', 'true', '__proto__'));
    fc.assert(fc.property(pieces, (list) => {
      expect(['METADATA_REFUSED', undefined]).toContain(codeOf(() => parseStrictJson('it', list.join(''), 1e6)));
    }), { numRuns: 2000 });
  });

  test.each([
    ['a key twice', '{"a":1,"a":2}'],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['a key twice, with space before the colon', `{"a":1,"a"${' '.repeat(100)}:2}`],
    ['a key twice, deep inside', '[{"x":{"a":1,"b":[],"a":2}}]'],
    ['__proto__', '{"__proto__":{}}'],
    ['__proto__, escaped', '{"__\\u0070roto__":{}}'],
    ['a fraction', '[1.5]'],
    ['an exponent', '[1e3]'],
    ['a number too large', '[9007199254740992]'],
    ['minus zero', '[-0]'],
    ['a lone surrogate', '["\\ud800"]'],
    ['nothing', ''],
    ['half of it', '{"a":'],
    ['two values', '{} {}'],
    ['a byte order mark', '\ufeff{}'],
  ])('refuses %s', (_what, text) => {
    expect(codeOf(() => parseStrictJson('it', text, 1000))).toBe('METADATA_REFUSED');
  });

  test('accepts the same key in two objects', () => {
    expect(parseStrictJson('it', '[{"a":1},{"a":{"a":2}}]', 100)).toEqual([{ a: 1 }, { a: { a: 2 } }]);
  });

  test('refuses what is nested deeper than the bound, and a megabyte of brackets', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(codeOf(() => parseStrictJson('it', nested(depthMax), 1000))).toBeUndefined();
    expect(codeOf(() => parseStrictJson('it', nested(depthMax + 1), 1000))).toBe('METADATA_REFUSED');
    expect(codeOf(() => parseStrictJson('it', '['.repeat(1 << 20), 1 << 21))).toBe('METADATA_REFUSED');
  });
});

describe('size (threat M6)', () => {
  const readers = { root: readRoot, timestamp: readTimestamp, snapshot: readSnapshot, targets: readTargets };
  test.each([
    ['root', limits.rootBytesMax],
    ['timestamp', limits.timestampBytesMax],
    ['snapshot', limits.snapshotBytesMax],
    ['targets', limits.targetsBytesMax],
  ] as const)('of a %s file is checked before it is parsed', (kind, bytesMax) => {
    // Not JSON at all: had it been parsed, the message would say so.
    const read = readers[kind];
    expect(() => read('it', 'x'.repeat(bytesMax + 1))).toThrow(`it has ${bytesMax + 1} bytes, at most ${bytesMax} are allowed`);
    expect(() => read('it', 'é'.repeat(bytesMax / 2 + 1))).toThrow('bytes, at most');
    expect(() => read('it', 'x'.repeat(bytesMax))).toThrow('is not JSON');
  });
});

describe('many entries (threat M7)', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, { length: 1, hashes: {} }]));
  const targets = (count: number) => signFile({ _type: 'targets', spec_version: '1.0', version: 1, expires: at(start), targets: many(count) }, key('targets'));

  test('are refused above 500 in a role, before the models see them', () => {
    expect(codeOf(() => readTargets('it', targets(500)))).toBeUndefined();
    expect(codeOf(() => readTargets('it', targets(501)))).toBe('METADATA_REFUSED');
    expect(codeOf(() => readTargets('it', targets(5000)))).toBe('METADATA_REFUSED');
  });

  test('of 100,000 are refused by their size', () => {
    expect(() => readTargets('it', `{"signed":{"targets":${JSON.stringify(many(100_000))}}}`)).toThrow('bytes, at most');
  });

  test('are refused among keys, roles, delegations, meta files and signatures', () => {
    const root = JSON.parse(rootFile({ version: 1 })).signed;
    const keys = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [String(index), {}]));
    expect(() => readRoot('it', signFile({ ...root, keys: { ...root.keys, ...keys } }))).toThrow(/has 50\d keys, at most 500/);
    const meta = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`env-${index}.json`, { version: 1 }]));
    expect(() => readSnapshot('it', signFile({ _type: 'snapshot', spec_version: '1.0', version: 1, expires: at(start), meta }))).toThrow('has 501 meta');
    const roles = Array.from({ length: 501 }, (_, index) => ({ name: `env-${index}`, keyids: [key('dev').id], threshold: 1, terminating: true, paths: [] }));
    const delegating = { _type: 'targets', spec_version: '1.0', version: 1, expires: at(start), targets: {}, delegations: { keys: {}, roles } };
    expect(() => readTargets('it', signFile(delegating))).toThrow('more than 500 roles');
    const signatures = Array.from({ length: 65 }, () => ({ keyid: newKey().id, sig: '0'.repeat(128) }));
    expect(codeOf(() => readRoot('it', JSON.stringify({ signed: root, signatures })))).toBe('METADATA_REFUSED');
  });
});

describe('form', () => {
  const root = () => JSON.parse(rootFile({ version: 1 }));
  const keyOf = (it: ReturnType<typeof root>) => it.signed.keys[it.signed.roles.root.keyids[0]];

  test.each<[string, (text: ReturnType<typeof root>) => void]>([
    ['another key type', (it) => { keyOf(it).keytype = 'rsa'; }],
    ['another scheme', (it) => { keyOf(it).scheme = 'rsassa-pss-sha256'; }],
    ['a key in upper case', (it) => { keyOf(it).keyval.public = keyOf(it).keyval.public.toUpperCase(); }],
    ['a signature in upper case', (it) => { it.signatures[0].sig = `AB${it.signatures[0].sig.slice(2)}`; }],
    ['a short signature', (it) => { it.signatures[0].sig = it.signatures[0].sig.slice(2); }],
    ['something beside what is signed', (it) => { it.note = 1; }],
    ['something inside a signature', (it) => { it.signatures[0].note = 1; }],
    ['version 0', (it) => { it.signed.version = 0; }],
    ['a version as text', (it) => { it.signed.version = '1'; }],
    ['an expiry with a time zone', (it) => { it.signed.expires = '2027-01-01T00:00:00+01:00'; }],
    ['an expiry that is no date', (it) => { it.signed.expires = '2027-13-01T00:00:00Z'; }],
    ['another major specification', (it) => { it.signed.spec_version = '2.0.0'; }],
    ['another type', (it) => { it.signed._type = 'targets'; }],
    ['a role missing', (it) => { delete it.signed.roles.snapshot; }],
    ['a role name that is a path', (it) => { it.signed.roles['../x'] = it.signed.roles.root; }],
    ['keys that are a list', (it) => { it.signed.keys = []; }],
    ['no keys', (it) => { delete it.signed.keys; }],
    ['nothing signed', (it) => { delete it.signed; }],
    ['signatures that are no list', (it) => { it.signatures = {}; }],
  ])('of a root with %s is refused', (_what, change) => {
    const text = root();
    change(text);
    expect(codeOf(() => readRoot('it', JSON.stringify(text)))).toBe('METADATA_REFUSED');
  });

  test('of a timestamp that lists more than the models sign is refused', () => {
    const text = JSON.parse(world()['timestamp.json'] ?? '');
    text.signed.meta['other.json'] = { version: 1 };
    expect(() => readTimestamp('it', JSON.stringify(text))).toThrow('says more than its signatures cover');
  });
});
