// Compact statements as the control plane reads them: which texts count, and that each statement has one text only.

import { canonicalize } from 'json-canonicalize';
import { describe, expect, test } from 'vitest';
import { openCompact, signCompact } from '../../../control/trust/jws.ts';
import { statementTypes } from '../../../proto/statement.ts';
import { newKey } from '../../daemon/trust/tuf/forge.ts';

const signer = newKey();
const payload = { said: 'this' };
const compact = signCompact('grant', payload, signer);
const open = (text: string, bytesMax = 1000) => openCompact('grant', text, bytesMax, (kid) => (kid === signer.id ? signer.publicKey : undefined));
const encode = (value: object) => Buffer.from(canonicalize(value)).toString('base64url');

function signedWith(header: object, body: object | string = payload): string {
  const text = `${encode(header)}.${typeof body === 'string' ? Buffer.from(body).toString('base64url') : encode(body)}`;
  return `${text}.${signer.sign(Buffer.from(text)).toString('base64url')}`;
}

describe('openCompact()', () => {
  const header = { alg: 'EdDSA', kid: signer.id, typ: statementTypes.grant };

  test('gives back what signCompact() signed, which is always the same text', () => {
    expect(open(compact)).toEqual({ payload });
    expect(signCompact('grant', { ...payload }, signer)).toBe(compact);
    expect(signedWith(header)).toBe(compact);
  });

  test.each<[string, object]>([
    ['another type', { ...header, typ: statementTypes.order }],
    ['no type', { alg: 'EdDSA', kid: signer.id }],
    ['another algorithm', { ...header, alg: 'none' }],
    ['a critical extension', { ...header, crit: ['exp'] }],
    ['a key of its own', { ...header, jwk: {} }],
    ['a key id that is no text', { ...header, kid: 1 }],
    ['no key id', { alg: 'EdDSA', typ: statementTypes.grant }],
  ])('refuses a header with %s', (_what, wrong) => {
    expect(open(signedWith(wrong))).toMatch(/^has a header other than/);
  });

  test('refuses a key that it does not know', () => {
    expect(open(signCompact('grant', payload, newKey()))).toBe('names a key that is not known here');
  });

  test('refuses a fourth part, a missing one, and none at all', () => {
    for (const text of [`${compact}.x`, `${compact}.`, compact.slice(0, compact.lastIndexOf('.')), '', '.', '..']) expect(typeof open(text)).toBe('string');
    expect(open(`${compact}.x`)).toBe('does not have the three parts of a compact JWS');
  });

  test('refuses another text of the same signature', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = compact.slice(0, -1) + letters.charAt(letters.indexOf(compact.slice(-1)) + 1);
    expect(open(twin)).toBe('has a signature that is not canonical base64url');
    expect(open(`${compact}=`)).toBe('has a signature that is not canonical base64url');
  });

  test('refuses more bytes than allowed before it looks at them', () => {
    expect(open('x'.repeat(1001))).toBe('is 1001 bytes long, at most 1000 are allowed');
  });

  test.each(['[]', '1', 'null', 'not json', ''])('refuses the payload %j', (text) => {
    expect(typeof open(signedWith(header, text))).toBe('string');
  });
});
