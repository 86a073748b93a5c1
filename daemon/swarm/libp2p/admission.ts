// The greeting that decides who is a neighbour: the first stream of a connection, on which both sides show their certificate.
// What a certificate is worth is decided by the verifier that is handed in; what else a connection may do before, in libp2p.ts: nothing.
//
// A hello is a length (u16, big-endian) and JSON: { "certificate": compact JWS, "epoch": of the sender's roster }.

import type { Stream } from '@libp2p/interface';
import { limits } from '../../../proto/limits.ts';
import type { Certificate } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';

export interface Hello {
  /** The sender's membership certificate in compact form. */
  readonly certificate: string;
  /** Epoch of the roster that the sender goes by; -1 before the first. For the log: who is behind. */
  readonly epoch: number;
}

/** Throws when the certificate does not make `peerId` a member; see Trust.verifyCertificate. */
export type VerifyCertificate = (compact: string, peerId: string) => Promise<Certificate>;

const lengthBytes = 2;

/** @throws {DaemonError} PEER_REFUSED when our own certificate is too long to be shown. */
export function encodeHello(hello: Hello): Uint8Array {
  const text = Buffer.from(JSON.stringify({ certificate: hello.certificate, epoch: hello.epoch }));
  if (text.length + lengthBytes > limits.helloBytesMax) {
    throw new DaemonError('PEER_REFUSED', `our hello has ${text.length} bytes, at most ${limits.helloBytesMax - lengthBytes} are allowed: give this member fewer labels or environments`);
  }
  const bytes = Buffer.alloc(lengthBytes + text.length);
  bytes.writeUInt16BE(text.length);
  text.copy(bytes, lengthBytes);
  return bytes;
}

/** @throws {DaemonError} PEER_REFUSED when it is not exactly a hello. */
export function decodeHello(text: string): Hello {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DaemonError('PEER_REFUSED', 'the hello is not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && 'certificate' in value && 'epoch' in value) {
    const { certificate, epoch } = value;
    if (typeof certificate === 'string' && typeof epoch === 'number') return { certificate, epoch };
  }
  throw new DaemonError('PEER_REFUSED', 'the hello has no certificate and epoch');
}

/**
 * The hello that comes on a stream. Listens from the call on, so nothing is missed and nothing piles up.
 * @throws {DaemonError} PEER_REFUSED when it is too long or malformed, PEER_GONE when the stream ends or the signal fires first.
 */
export function readHello(stream: Stream, { signal }: { readonly signal: AbortSignal }): Promise<Hello> {
  const { promise, resolve, reject } = Promise.withResolvers<Hello>();
  const buffer = Buffer.alloc(limits.helloBytesMax);
  let filled = 0;
  const take = (part: Uint8Array): void => {
    if (filled + part.length > buffer.length) throw new DaemonError('PEER_REFUSED', `the hello is longer than ${limits.helloBytesMax} bytes`);
    buffer.set(part, filled);
    filled += part.length;
    if (filled < lengthBytes) return;
    const length = buffer.readUInt16BE();
    if (length + lengthBytes > limits.helloBytesMax || filled > length + lengthBytes) {
      throw new DaemonError('PEER_REFUSED', `the hello is longer than it says, or than ${limits.helloBytesMax} bytes`);
    }
    if (filled === length + lengthBytes) resolve(decodeHello(buffer.toString('utf8', lengthBytes, filled)));
  };
  const onMessage = ({ data }: { readonly data: Uint8Array | Iterable<Uint8Array> }): void => {
    try {
      if (data instanceof Uint8Array) take(data);
      else for (const part of data) take(part);
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const onEnd = (): void => reject(new DaemonError('PEER_GONE', 'the stream ended before the hello'));
  stream.addEventListener('message', onMessage);
  stream.addEventListener('close', onEnd);
  stream.addEventListener('remoteCloseWrite', onEnd);
  signal.addEventListener('abort', onEnd, { once: true });
  if (signal.aborted) onEnd();
  return promise.finally(() => {
    stream.removeEventListener('close', onEnd);
    stream.removeEventListener('remoteCloseWrite', onEnd);
    signal.removeEventListener('abort', onEnd);
  });
}
