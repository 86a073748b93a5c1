// Identifiers: sha2-256, written as a CID for people and APIs, as lower-case hex inside the programs.
// Hashing itself is in the shells (node:crypto); here is only the form.

import { base32 } from 'multiformats/bases/base32';
import { CID } from 'multiformats/cid';
import * as multihash from 'multiformats/hashes/digest';
import { ProtocolError } from './errors.ts';

/** A sha2-256 digest as 64 lower-case hexadecimal digits: the key of maps and the form in journals. */
export type Digest = string;

/** A CIDv1 in base32, as people and APIs see an identifier. */
export type Cid = string;

/** What an identifier names: `raw` bytes (chunks, files, tree indexes) or a `dag-cbor` document (revisions). */
export type Codec = 'raw' | 'dag-cbor';

const codecCodes = { raw: 0x55, 'dag-cbor': 0x71 } as const;
const sha256Code = 0x12;
const hexPattern = /^[0-9a-f]{64}$/;

/** Length of a digest in bytes. */
export const digestBytes = 32;

/** Whether `text` has the form of a {@link Digest}. */
export function isDigest(text: string): boolean {
  return hexPattern.test(text);
}

/** The digest held in 32 bytes. @throws {ProtocolError} MALFORMED when there are not exactly 32. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.length !== digestBytes) {
    throw new ProtocolError('MALFORMED', `a digest has ${digestBytes} bytes, not ${bytes.length}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** @throws {ProtocolError} MALFORMED when it is not 64 hexadecimal digits. */
export function checkDigest(digest: Digest): void {
  if (!isDigest(digest)) throw new ProtocolError('MALFORMED', `'${digest}' is not a sha2-256 digest of 64 hexadecimal digits`);
}

/** The 32 bytes of a digest. @throws {ProtocolError} MALFORMED when it is not 64 hexadecimal digits. */
export function digestToBytes(digest: Digest): Uint8Array {
  checkDigest(digest);
  return Buffer.from(digest, 'hex');
}

/** The CID that names what hashes to `digest`. */
export function cidOf(digest: Digest, codec: Codec): Cid {
  return CID.createV1(codecCodes[codec], multihash.create(sha256Code, digestToBytes(digest))).toString(base32);
}

/** The digest inside a CID. @throws {ProtocolError} MALFORMED when it is no CIDv1 with sha2-256. */
export function digestOfCid(cid: Cid): Digest {
  let parsed: CID;
  try {
    parsed = CID.parse(cid, base32);
  } catch (cause) {
    throw new ProtocolError('MALFORMED', `'${cid}' is not a CID in base32`, { cause });
  }
  if (parsed.version !== 1 || parsed.multihash.code !== sha256Code) {
    throw new ProtocolError('MALFORMED', `'${cid}' is not a CIDv1 with sha2-256`);
  }
  return digestFromBytes(parsed.multihash.digest);
}
