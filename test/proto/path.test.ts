// Which paths and links a tree may hold, how paths compare and which collide.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkPath, checkSymlink, collisionKey, comparePaths, pathOrder, quoted } from '../../proto/path.ts';
import { outcome } from './fixtures.ts';

const longest = `${'a'.repeat(255)}/${'b'.repeat(255)}/${'c'.repeat(255)}/${'d'.repeat(255)}`;

describe('checkPath()', () => {
  test.each(['a', 'a/b', '.hidden', '...', 'a..b', 'usr/lib/libc6:amd64.list', 'x\\x2dy.mount', ' ', 'Übersicht/概要 🐦', '-rf', 'ab:c', 'a/C:', longest, 'é'.repeat(127)])(
    'takes %j',
    (path) => expect(outcome(() => checkPath(path))).toEqual({ value: undefined }),
  );

  test.each([
    ['', 'is empty'],
    ['/a', 'is absolute'],
    ['a/', 'has an empty part'],
    ['a//b', 'has an empty part'],
    ['.', "has a part '.'"],
    ['a/./b', "has a part '.'"],
    ['..', "has a part '..'"],
    ['a/../b', "has a part '..'"],
    ['C:', 'drive letter'],
    ['c:\\Windows', 'drive letter'],
    ['a\0b', 'control character'],
    ['a\nb', 'control character'],
    ['a\u007fb', 'control character'],
    ['a\u009bb', 'control character'],
    ['a\ud800b', 'not well-formed'],
    ['u\u0308', 'normalisation form C'],
    ['a'.repeat(256), 'more than 255 bytes'],
    ['é'.repeat(128), 'more than 255 bytes'],
    [`${longest}/x`, 'longer than 1024 bytes'],
    [`${'é'.repeat(100)}/`.repeat(6), 'longer than 1024 bytes'],
    [Array.from({ length: 65 }, () => 'a').join('/'), 'at most 64'],
  ])('refuses %j', (path, rule) => {
    expect(outcome(() => checkPath(path))).toEqual({ code: 'INVALID_PATH' });
    expect(() => checkPath(path)).toThrow(rule);
  });

  test('quotes a hostile path so that neither a terminal nor a log acts on it', () => {
    expect(quoted('\u001b[2J\u009b\u202e\u2028"\ud800')).toBe('"\\u001b[2J\\u009b\\u202e\\u2028\\"\\ud800"');
    expect(quoted('a'.repeat(10_000)).length).toBeLessThan(200);
  });

  test('answers any text with a value or INVALID_PATH', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        expect([{ value: undefined }, { code: 'INVALID_PATH' }]).toContainEqual(outcome(() => checkPath(path)));
      }),
    );
  });
});

describe('checkSymlink()', () => {
  test.each([
    ['a', 'b'],
    ['a', '.'],
    ['a/b', '..'],
    ['a/b', '../c'],
    ['a/b/c', '../../d'],
    ['a', './/b/'],
    ['a/b/c', './.././../x/y/.'],
  ])('takes %j to %j', (path, target) => expect(outcome(() => checkSymlink(path, target))).toEqual({ value: undefined }));

  test.each([
    ['a', '', 'empty target'],
    ['a', '/etc/passwd', 'absolute'],
    ['a', '..', 'outside the tree'],
    ['a/b', '../..', 'outside the tree'],
    ['a/b', '../../a/b', 'outside the tree'],
    ['a/b', '../x/..', "'..' after a name"],
    ['a/b', 'x/../../y', "'..' after a name"],
    // Where x is a link to '.', the disk would be outside.
    ['a', 'x/..', "'..' after a name"],
    ['a', 'x/../../a', "'..' after a name"],
    ['a', 'C:x', 'drive'],
    ['a', 'b\0', 'control character'],
    ['a', '\udfff', 'not well-formed'],
    ['a', 'b'.repeat(1025), 'longer than 1024 bytes'],
  ])('refuses %j to %j', (path, target, rule) => {
    expect(outcome(() => checkSymlink(path, target))).toEqual({ code: 'INVALID_PATH' });
    expect(() => checkSymlink(path, target)).toThrow(rule);
  });
});

describe('collisionKey()', () => {
  test.each([
    ['A/b', 'a/B'],
    ['straße', 'STRASSE'],
    ['ẞ', 'ss'],
    ['\u212a', 'k'],
    ['ſ', 'S'],
    ['ΑΣ', 'ας'],
    ['É', 'e\u0301'],
    ['ﬁ', 'FI'],
    ['İ', 'i\u0307'],
  ])('is the same for %j and %j', (a, b) => expect(collisionKey(a)).toBe(collisionKey(b)));

  test.each([
    ['a', 'b'],
    ['ab', 'a/b'],
    ['e', 'é'],
    ['ı', 'j'],
  ])('differs for %j and %j', (a, b) => expect(collisionKey(a)).not.toBe(collisionKey(b)));
});

describe('comparePaths()', () => {
  test('orders as the UTF-8 bytes do', () => {
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(comparePaths(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    expect(comparePaths('\uffee', '🐦')).toBeLessThan(0);
    expect(comparePaths('🐦', '🐧')).toBeLessThan(0);
  });
});

describe('pathOrder()', () => {
  test.each([
    ['ASCII', fc.string()],
    ['with letters beyond U+FFFF among them', fc.string({ unit: fc.constantFrom('a', '\uffee', '🐦', '🐧') })],
  ])('orders as the UTF-8 bytes do: %s', (_, text) => {
    fc.assert(
      fc.property(fc.array(text), (paths) => {
        const expected = paths.map((path) => Buffer.from(path)).toSorted((a, b) => Buffer.compare(a, b));
        expect(Array.from(pathOrder(paths), (number) => paths[number])).toEqual(expected.map((path) => path.toString()));
      }),
    );
  });
});
