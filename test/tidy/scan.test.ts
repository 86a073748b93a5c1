// The scanner tells code from comments, strings and regular expressions, and finds every form of import.

import { describe, expect, test } from 'vitest';
import { blank, imports, lineAt } from './scan.ts';

const found = (text: string) => imports(text, blank(text)).map(({ specifier, typeOnly }) => [specifier, typeOnly]);

describe('blank()', () => {
  test.each([
    ['a // b', 'a     '],
    ['a /* b\nc */ d', 'a     \n     d'],
    ["x = 'a\\'b';", "x = '    ';"],
    ['x = "//";', 'x = "  ";'],
    ['x = `a${b}c`;', 'x = ` ${b} `;'],
    ['x = `a${`b${c}`}d` + e;', 'x = ` ${` ${c}`} ` + e;'],
    ['x = `${{ a: 1 }}b`;', 'x = `${{ a: 1 }} `;'],
    ['x = /a"b/g;', 'x = /   /g;'],
    ['x = /[/"]/.test(y);', 'x = /    /.test(y);'],
    ['return /"/;', 'return / /;'],
    ['x = a / b / "c";', 'x = a / b / " ";'],
    ['x = (a) / 2; // "', 'x = (a) / 2;     '],
    ['x = a[0] / 2;', 'x = a[0] / 2;'],
    ['<p>{now()}</p>; Date.now() /* " */', '<p>{now()}</p>; Date.now()        '],
    ['<img src={a} />; b("c")', '<img src={a} />; b(" ")'],
    ['#!/bin/x "\ny', '          \ny'],
  ])('of %j is %j', (text, expected) => {
    expect(blank(text)).toBe(expected);
  });

  test('keeps length and lines, also of a text that ends early', () => {
    for (const text of ['"a', '`a${', '/* a', 'x = /a', "'a\nb", '`a${b}\n']) {
      expect(blank(text)).toHaveLength(text.length);
      expect(blank(text).split('\n')).toHaveLength(text.split('\n').length);
    }
  });
});

describe('imports()', () => {
  test.each([
    ["import { a } from './a.ts';", './a.ts', false],
    ["import {\n  a,\n  type B,\n} from './a.ts';", './a.ts', false],
    ["import a, { b } from 'a';", 'a', false],
    ["import * as a from 'a';", 'a', false],
    ["import type { A } from 'a';", 'a', true],
    ["import type A from 'a';", 'a', true],
    ["import type from 'a';", 'a', false],
    ["import type * as a from 'a';", 'a', true],
    ["import './a.ts';", './a.ts', false],
    ['import "a";', 'a', false],
    ["import{a}from'a';", 'a', false],
    ["import type{A}from'a';", 'a', true],
    ["import a from './a.json' with { type: 'json' };", './a.json', false],
    ["export { a } from 'a';", 'a', false],
    ["export type { A } from 'a';", 'a', true],
    ["export * from 'a';", 'a', false],
    ["export * as a from 'a';", 'a', false],
    ["const a = await import('a');", 'a', false],
    ['const a = import(\n  `a`\n);', 'a', false],
  ])('of %j is %j, type only: %j', (text, specifier, typeOnly) => {
    expect(found(text)).toEqual([[specifier, typeOnly]]);
  });

  test.each([
    "// import { a } from 'a';",
    "/* import 'a'; */",
    "const s = `import 'a'`;",
    'const url = import.meta.url;',
    'export const from = "a";',
    "export type A = 'a';",
    'await import(name);',
    "store.import('a');",
  ])('of %j are none', (text) => {
    expect(found(text)).toEqual([]);
  });

  test('keeps each statement to itself, without semicolons too', () => {
    const text = "export { a }\nimport type { B } from 'b'\nimport 'c'\nexport const d = 1\nimport { e } from 'e'";
    expect(found(text)).toEqual([
      ['b', true],
      ['c', false],
      ['e', false],
    ]);
  });

  test('gives the offset of the statement', () => {
    const text = "// x\n\nimport {\n  a,\n} from 'a';";
    expect(imports(text, blank(text)).map(({ offset }) => lineAt(text, offset))).toEqual([3]);
  });
});
