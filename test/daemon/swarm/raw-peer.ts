// A libp2p node that keeps no rules: strangers, forgers and flooders for the tests of admission. It speaks the frames by hand.

import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createFrameReader, encodeMessage } from '../../../proto/exchange-codec.ts';
import { exchangeProtocol, helloProtocol, type BulkMessage, type ExchangeMessage } from '../../../proto/exchange.ts';
import { encodeHello } from '../../../daemon/swarm/libp2p/admission.ts';
import { libp2pOptions } from '../../../daemon/swarm/libp2p/options.ts';
import { identityOf } from './swarm-fixture.ts';

export interface RawPeer {
  readonly member: string;
  readonly node: Libp2p;
  connect(address: string): Promise<Connection>;
}

export async function openRaw(name: string): Promise<RawPeer> {
  const { seed, member } = await identityOf(name);
  const node = await createLibp2p({ ...libp2pOptions({ listen: [], origin: true }), privateKey: await generateKeyPairFromSeed('Ed25519', seed) });
  return { member, node, connect: async (address) => await node.dial(multiaddr(address), { signal: AbortSignal.timeout(5_000), force: true }) };
}

/** Bytes that a stream brings, and how it ended. */
export interface Heard {
  bytes: number;
  readonly messages: ExchangeMessage[];
  readonly invitations: BulkMessage[];
  ended: string | undefined;
}

export function hear(stream: Stream): Heard {
  const heard: Heard = { bytes: 0, messages: [], invitations: [], ended: undefined };
  const reader = createFrameReader();
  stream.addEventListener('message', ({ data }) => {
    for (const part of data instanceof Uint8Array ? [data] : data) {
      heard.bytes += part.length;
      // It is invited to a bulk channel as everybody is, and does not come unless a test says so.
      for (const message of reader.push(part)) {
        if (message.kind === 'bulk') heard.invitations.push(message);
        else heard.messages.push(message);
      }
    }
  });
  stream.addEventListener('close', () => {
    heard.ended = stream.status;
  });
  return heard;
}

/** Says these bytes in the place of a hello; resolves with what came back until the stream ended. */
export async function greetWith(connection: Connection, bytes: Uint8Array): Promise<{ readonly bytes: number; readonly status: string }> {
  const stream = await connection.newStream(helloProtocol, { signal: AbortSignal.timeout(5_000) });
  let received = 0;
  const ended = new Promise<void>((resolve) => {
    stream.addEventListener('close', () => resolve());
    stream.addEventListener('remoteCloseWrite', () => resolve());
    connection.addEventListener('close', () => resolve());
  });
  stream.addEventListener('message', ({ data }) => {
    received += data.byteLength;
  });
  stream.send(bytes);
  await ended;
  if (stream.status === 'open') await stream.close();
  return { bytes: received, status: stream.status };
}

/** Is admitted with this certificate, and opens the exchange. */
export async function enter(connection: Connection, certificate: string): Promise<Stream> {
  await greetWith(connection, encodeHello({ certificate, epoch: 1 }));
  return await connection.newStream(exchangeProtocol, { signal: AbortSignal.timeout(5_000) });
}

export function say(stream: Stream, message: ExchangeMessage): void {
  stream.send(Buffer.concat(encodeMessage(message)));
}
