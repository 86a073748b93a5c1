// Certificates that carry a libp2p key, by the libp2p TLS specification (libp2p/specs, tls/tls.md): a fresh ECDSA P-256 key signs itself, and an
// extension holds the libp2p public key with its signature over that key. What a proven peer id is good for is decided in port.ts.

import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { DaemonError } from '../../errors.ts';
import { contentOf, element, elementsOf, objectIdentifier, partsOf, tags } from './der.ts';

/** A key and its certificate, both PEM. The key is secret. */
export interface BulkCertificate {
  readonly key: string;
  readonly cert: string;
}

const oids = {
  libp2pKey: '1.3.6.1.4.1.53594.1.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
} as const;
const signaturePrefix = Buffer.from('libp2p-tls-handshake:');
/** Clocks may differ: it has been valid for a while already, and outlives the process that made it. */
const validBeforeMs = 24 * 60 * 60_000;
const validAfterMs = 50 * 365 * 24 * 60 * 60_000;
const serialBytes = 16;
const versionThree = Uint8Array.of(2);
/** A certificate with an RSA key of 4096 bits has about 2,000. */
const certificateBytesMax = 8 * 1024;

/** A certificate over a new key, for the life of the process. `now` is in milliseconds since 1970. */
export async function makeBulkCertificate(identity: PrivateKey, now: number): Promise<BulkCertificate> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const signature = await identity.sign(Buffer.concat([signaturePrefix, spki]));
  const signedKey = element(tags.sequence, element(tags.octetString, publicKeyToProtobuf(identity.publicKey)), element(tags.octetString, signature));
  const algorithm = element(tags.sequence, objectIdentifier(oids.ecdsaWithSha256));
  const name = element(tags.sequence, element(tags.set, element(tags.sequence, objectIdentifier(oids.commonName), element(tags.utf8String, Buffer.from('starling')))));
  // Positive, and different for each key.
  const serial = createHash('sha256').update(spki).digest().subarray(0, serialBytes);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const extension = element(tags.sequence, objectIdentifier(oids.libp2pKey), element(tags.octetString, signedKey));
  const content = element(
    tags.sequence,
    element(tags.version, element(tags.integer, versionThree)),
    element(tags.integer, serial),
    algorithm,
    name,
    element(tags.sequence, timeOf(now - validBeforeMs), timeOf(now + validAfterMs)),
    name,
    spki,
    element(tags.extensions, element(tags.sequence, extension)),
  );
  const self = sign('sha256', content, privateKey);
  const der = element(tags.sequence, content, algorithm, element(tags.bitString, Uint8Array.of(0), self));
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: new X509Certificate(der).toString() };
}

/**
 * The peer id that a certificate proves. `chain` is what the other side presented, the leaf first.
 * @throws {DaemonError} PEER_REFUSED when the specification says to abort: not one certificate, not valid now, not signed by its own key, a critical
 * extension that is not known, no libp2p key, or a signature that is not that key's.
 */
export async function provenPeer(chain: readonly Uint8Array[], now: number): Promise<string> {
  const [der] = chain;
  if (der === undefined || chain.length !== 1) throw new DaemonError('PEER_REFUSED', `a chain of ${chain.length} certificates was presented, not of one`);
  if (der.length > certificateBytesMax) throw new DaemonError('PEER_REFUSED', `a certificate has ${der.length} bytes, at most ${certificateBytesMax} are read`);
  const { spki, libp2pKey } = checked(der, now);
  const [keyElement, signatureElement, ...rest] = partsOf(elementsOf(libp2pKey)[0], tags.sequence);
  if (rest.length > 0) throw new DaemonError('PEER_REFUSED', 'the libp2p key of a certificate has more parts than key and signature');
  const [keyBytes, signature] = [contentOf(keyElement, tags.octetString), contentOf(signatureElement, tags.octetString)];
  try {
    const publicKey = publicKeyFromProtobuf(keyBytes);
    if (await publicKey.verify(Buffer.concat([signaturePrefix, spki]), signature)) return peerIdFromPublicKey(publicKey).toString();
  } catch (cause) {
    throw new DaemonError('PEER_REFUSED', 'the libp2p key of a certificate is none, or of a kind that members do not have', { cause });
  }
  throw new DaemonError('PEER_REFUSED', 'a certificate is not signed by the libp2p key that it names');
}

/** What X.509 says about it, and the extension that libp2p adds. */
function checked(der: Uint8Array, now: number): { readonly spki: Uint8Array; readonly libp2pKey: Uint8Array } {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch (cause) {
    throw new DaemonError('PEER_REFUSED', 'a certificate cannot be read', { cause });
  }
  if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) {
    throw new DaemonError('PEER_REFUSED', `a certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, which is not now`);
  }
  if (!isSelfSigned(certificate)) throw new DaemonError('PEER_REFUSED', 'a certificate is not signed by its own key');
  let libp2pKey: Uint8Array | undefined;
  const { spki, extensions } = takenApart(der);
  for (const { oid, critical, value } of extensions) {
    if (oid.equals(objectIdentifier(oids.libp2pKey))) libp2pKey = value;
    else if (critical) throw new DaemonError('PEER_REFUSED', 'a certificate has a critical extension that is not known here');
  }
  if (libp2pKey === undefined) throw new DaemonError('PEER_REFUSED', 'a certificate carries no libp2p key');
  return { spki, libp2pKey };
}

function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

interface Extension {
  readonly oid: Buffer;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** What node:crypto does not show: the public key as it was signed, and extensions. The seventh field of a certificate of version 3 is the key. */
function takenApart(der: Uint8Array): { readonly spki: Uint8Array; readonly extensions: readonly Extension[] } {
  const [content] = partsOf(elementsOf(der)[0], tags.sequence);
  const fields = partsOf(content, tags.sequence);
  const spki = element(tags.sequence, contentOf(fields[6], tags.sequence));
  const wrapped = fields.find(({ tag }) => tag === tags.extensions);
  if (wrapped === undefined) return { spki, extensions: [] };
  const extensions = partsOf(elementsOf(wrapped.content)[0], tags.sequence).map((extension) => {
    const parts = partsOf(extension, tags.sequence);
    const critical = parts.length === 3 && contentOf(parts[1], tags.boolean)[0] !== 0;
    return { oid: element(tags.oid, contentOf(parts[0], tags.oid)), critical, value: contentOf(parts.at(-1), tags.octetString) };
  });
  return { spki, extensions };
}

/** To the second; with two digits of the year as long as RFC 5280, section 4.1.2.5, wants that. */
function timeOf(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return digits < '2050' ? element(tags.utcTime, Buffer.from(digits.slice(2))) : element(tags.generalizedTime, Buffer.from(digits));
}
