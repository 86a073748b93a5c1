// Tokens: what their texts look like, and which texts are refused before any secret is compared.

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createApiToken, createJoinToken, parseToken, secretDigestOf, secretMatches } from '../../../control/trust/tokens.ts';
import { parseJoinToken } from '../../../daemon/trust/identity/enrolment.ts';

const random = (length: number) => randomBytes(length);
const root = 'ab'.repeat(32);

describe('createApiToken()', () => {
  test('makes a text that scanners find, and keeps a digest of its secret', () => {
    const { token, text, secretDigest } = createApiToken(random);
    expect(text).toMatch(/^sta_api_[a-z2-7]{16}_[a-z2-7]{32}_[0-9a-f]{8}$/);
    const parsed = parseToken(text);
    expect(parsed).toMatchObject({ use: 'api', token });
    expect(secretMatches(parsed.secret, secretDigest)).toBe(true);
    expect(secretMatches(`${parsed.secret}x`, secretDigest)).toBe(false);
    expect(secretMatches(parsed.secret, '')).toBe(false);
    expect(text).not.toContain(secretDigest);
  });

  test('never makes the same one twice', () => {
    expect(new Set(Array.from({ length: 100 }, () => createApiToken(random).text)).size).toBe(100);
  });
});

describe('createJoinToken()', () => {
  test('carries the trust root, and both floors read it alike', () => {
    const { token, text, secretDigest } = createJoinToken(root, random);
    const parsed = parseToken(text);
    expect(parsed).toEqual({ use: 'join', token, root, secret: parsed.secret });
    expect(parseJoinToken(` ${text}\n`)).toEqual({ id: token, root, secret: parsed.secret });
    expect(secretDigestOf(parsed.secret)).toBe(secretDigest);
  });
});

describe('parseToken()', () => {
  const { text } = createApiToken((length) => new Uint8Array(length));

  test('notices every letter of an API token that was changed or lost', () => {
    expect(parseToken(text).use).toBe('api');
    for (let index = 0; index < text.length; index += 1) {
      const changed = `${text.slice(0, index)}${text.charAt(index) === 'b' ? 'c' : 'b'}${text.slice(index + 1)}`;
      expect(() => parseToken(changed)).toThrow('this is not a whole token');
      expect(() => parseToken(text.slice(0, index) + text.slice(index + 1))).toThrow('this is not a whole token');
    }
  });

  test.each(['', 'token', 'sta_api_', text.toUpperCase(), ` ${text}`, `${text}\n`, `staj1.${root}.x.y`])('refuses %j without repeating it', (wrong) => {
    expect(() => parseToken(wrong)).toThrow(/^this is not a whole token \((?!.*aaaaaaaa)/);
  });
});
