// Files that people write: every problem is named with its place.

import Type from 'typebox';
import { describe, expect, test } from 'vitest';
import { readDocument } from '../../proto/document.ts';
import { ProtocolError } from '../../proto/errors.ts';

const Schema = Type.Object(
  {
    dataDir: Type.Optional(Type.String()),
    stop: Type.Optional(Type.Union([Type.Literal('leave'), Type.Literal('stop')])),
    kind: Type.Optional(Type.Literal('Agent')),
    listen: Type.Optional(Type.Object({ address: Type.String() }, { additionalProperties: false })),
    http: Type.Optional(Type.Object({ host: Type.Optional(Type.String()), port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })) }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

function problemsOf(text: string): string[] {
  try {
    readDocument(text, 'agent.yaml', Schema);
  } catch (error) {
    if (error instanceof ProtocolError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('readDocument()', () => {
  test('answers with the value', () => {
    expect(readDocument('dataDir: /var/lib\nhttp: { port: 80 }\n', 'agent.yaml', Schema)).toEqual({ dataDir: '/var/lib', http: { port: 80 } });
  });

  test('takes an empty file for an empty document', () => {
    expect(readDocument('', 'agent.yaml', Schema)).toEqual({});
  });

  test('names an unknown key with its line, its column and what was probably meant', () => {
    expect(problemsOf('dataDir: /a\nhttp:\n  prot: 80\n')).toEqual(["agent.yaml:3:3: unknown key 'prot'; did you mean 'port'?"]);
  });

  test('lists the known keys when nothing is near', () => {
    expect(problemsOf('banana: 1\n')[0]).toContain("unknown key 'banana'; known are dataDir, stop, kind, listen, http");
  });

  test('names the words that a value may be, or the only one', () => {
    expect(problemsOf('stop: halt\nkind: Agnet\n')).toEqual(["agent.yaml:1:1: 'stop' must be one of leave, stop", "agent.yaml:2:1: 'kind' must be 'Agent'"]);
  });

  test('says that a key is missing, unless it was mistyped', () => {
    expect(problemsOf('listen: {}\n')).toEqual(["agent.yaml:1:1: 'address' is missing in 'listen'"]);
    expect(problemsOf('listen: { adress: x }\n')).toEqual(["agent.yaml:1:11: unknown key 'adress'; did you mean 'address'?"]);
  });

  test('reports every problem at once', () => {
    expect(problemsOf('dataDri: /a\nhttp: { port: 99999 }\n')).toHaveLength(2);
  });

  test('follows an alias, but not a multitude of them', () => {
    expect(readDocument('dataDir: &a /x\nhttp: { host: *a }\n', 'agent.yaml', Schema)).toEqual({ dataDir: '/x', http: { host: '/x' } });
    const laughs = ['a: &a [x, x]', ...Array.from({ length: 9 }, (_, at) => `b${at}: &b${at} [${Array.from({ length: 9 }, () => (at === 0 ? '*a' : `*b${at - 1}`)).join(', ')}]`)];
    expect(problemsOf(laughs.join('\n'))[0]).toContain('an alias in it cannot be followed');
  });

  test('refuses a duplicate key and broken YAML with their place', () => {
    expect(problemsOf('dataDir: a\ndataDir: b\n')[0]).toMatch(/^agent\.yaml:2:1: /);
    expect(problemsOf('http: {\n')[0]).toMatch(/^agent\.yaml:\d+:\d+: /);
  });
});
