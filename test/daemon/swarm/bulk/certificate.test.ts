// Certificates with libp2p keys: ours against an X.509 library that is not ours, both ways, and everything that the specification says to refuse.

import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { BasicConstraintsExtension, Extension, X509CertificateGenerator, X509Certificate as Parsed } from '@peculiar/x509';
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DaemonError } from '../../../../daemon/errors.ts';
import { makeBulkCertificate, provenPeer } from '../../../../daemon/swarm/bulk/certificate.ts';
import { element, tags } from '../../../../daemon/swarm/bulk/der.ts';

const now = Date.now();
const oid = '1.3.6.1.4.1.53594.1.1';
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;
const idOf = (key: PrivateKey): string => peerIdFromPrivateKey(key).toString();

interface Bent {
  /** Signs the certificate's key; the named key when left out. */
  readonly signer?: PrivateKey;
  readonly named?: PrivateKey;
  readonly prefix?: string;
  readonly extensions?: readonly Extension[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly tail?: Uint8Array;
  readonly isCritical?: boolean;
}

/** A certificate by the other library, as the specification says unless it is bent. */
async function theirs(key: PrivateKey, bent: Bent = {}): Promise<Buffer> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  const signature = await (bent.signer ?? key).sign(Buffer.concat([Buffer.from(bent.prefix ?? 'libp2p-tls-handshake:'), spki]));
  const value = element(tags.sequence, element(tags.octetString, publicKeyToProtobuf((bent.named ?? key).publicKey)), element(tags.octetString, signature), bent.tail ?? new Uint8Array(0));
  const made = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=peer',
    notBefore: bent.notBefore ?? new Date(now - 60_000),
    notAfter: bent.notAfter ?? new Date(now + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [...(bent.extensions ?? [new Extension(oid, bent.isCritical ?? false, value)])],
  });
  return Buffer.from(made.rawData);
}

describe('a certificate of ours', () => {
  test('proves the peer id, and is what another library takes for a certificate signed by itself', async () => {
    const key = await generateKeyPair('Ed25519');
    const der = derOf((await makeBulkCertificate(key, now)).cert);
    expect(await provenPeer([der], now)).toBe(idOf(key));
    const parsed = new Parsed(der);
    expect(await parsed.isSelfSigned()).toBe(true);
    expect(await parsed.verify({ date: new Date(now) })).toBe(true);
    expect(parsed.extensions.map(({ type, critical }) => [type, critical])).toEqual([[oid, false]]);
  });

  test('has another key each time, and does not carry the member\'s', async () => {
    const key = await generateKeyPair('Ed25519');
    const [first, second] = [await makeBulkCertificate(key, now), await makeBulkCertificate(key, now)];
    expect(first.key).not.toBe(second.key);
    expect(new Parsed(derOf(first.cert)).serialNumber).not.toBe(new Parsed(derOf(second.cert)).serialNumber);
  });
});

describe('provenPeer()', () => {
  test.each(['Ed25519', 'secp256k1'] as const)('takes a certificate of another implementation with a key of %s', async (type) => {
    const key = type === 'Ed25519' ? await generateKeyPair('Ed25519') : await generateKeyPair('secp256k1');
    expect(await provenPeer([await theirs(key)], now)).toBe(idOf(key));
    expect(await provenPeer([await theirs(key, { isCritical: true })], now)).toBe(idOf(key));
  });

  test('refuses what the specification says to refuse', async () => {
    const [key, other] = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')];
    const cases: readonly (readonly [string, Bent])[] = [
      ['the extension of another key', { signer: other }],
      ['the name of another key', { named: other }],
      ['a signature over something else', { prefix: 'libp2p-tls-handshake' }],
      ['not valid yet', { notBefore: new Date(now + 60_000) }],
      ['not valid any more', { notAfter: new Date(now - 1_000) }],
      ['no extension', { extensions: [] }],
      ['an unknown critical extension', { extensions: [new BasicConstraintsExtension(true, undefined, true)] }],
      ['an extension that is nothing', { extensions: [new Extension(oid, false, new Uint8Array(0))] }],
      ['a third part in the extension', { tail: element(tags.octetString, Uint8Array.of(1)) }],
    ];
    for (const [what, bent] of cases) await expect(provenPeer([await theirs(key, bent)], now), what).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    await expect(provenPeer([await theirs(await generateKeyPair('ECDSA'))], now)).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    const good = await theirs(key);
    await expect(provenPeer([], now)).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    await expect(provenPeer([good, await theirs(key)], now)).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    await expect(provenPeer([Buffer.alloc(9_000)], now)).rejects.toMatchObject({ code: 'PEER_REFUSED' });
  });

  test('refuses a critical extension beside the right one', async () => {
    const key = await generateKeyPair('Ed25519');
    const der = derOf((await makeBulkCertificate(key, now)).cert);
    const right = new Parsed(der).extensions[0];
    if (right === undefined) throw new Error('it has one');
    // Signed by another key than the certificate's, so that would be refused too: the critical one is what is named.
    await expect(provenPeer([await theirs(key, { extensions: [right, new BasicConstraintsExtension(true, undefined, true)] })], now)).rejects.toThrow(/critical/);
  });

  test('refuses a certificate that is signed by another key than its own', async () => {
    const key = await generateKeyPair('Ed25519');
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const others = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const signature = await key.sign(Buffer.concat([Buffer.from('libp2p-tls-handshake:'), Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey))]));
    const value = element(tags.sequence, element(tags.octetString, publicKeyToProtobuf(key.publicKey)), element(tags.octetString, signature));
    const made = await X509CertificateGenerator.create({
      serialNumber: '01', subject: 'CN=peer', issuer: 'CN=peer', notBefore: new Date(now - 60_000), notAfter: new Date(now + 60_000),
      signingAlgorithm: algorithm, publicKey: keys.publicKey, signingKey: others.privateKey, extensions: [new Extension(oid, false, value)],
    });
    await expect(provenPeer([Buffer.from(made.rawData)], now)).rejects.toThrow(/its own key/);
  });

  test('gives no other error, and no other member, for a certificate with a byte changed', async () => {
    const key = await generateKeyPair('Ed25519');
    const der = derOf((await makeBulkCertificate(key, now)).cert);
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const found = await provenPeer([changed], now).catch((error: unknown) => error);
        expect(found instanceof DaemonError && found.code === 'PEER_REFUSED').toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
