// libp2p's settings, each with its reason: bounds that hold against strangers and slow-lorises (trust.md, section 7), windows that both sides must share,
// and nothing that runs by itself.

import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { tcp } from '@libp2p/tcp';
import type { Libp2pOptions } from 'libp2p';
import { limits } from '../../../proto/limits.ts';
import { joinedWrites } from './joined-writes.ts';
import { noiseCrypto } from './noise-crypto.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Settings by how many members come: agents have a few neighbours, origins the whole fleet, often from behind one address. */
export function libp2pOptions({ listen, origin }: { readonly listen: readonly string[]; readonly origin: boolean }): Libp2pOptions {
  return {
    addresses: { listen: [...listen] },
    // Idle connections live by yamux's keep-alive; the socket's own limit only has to be longer.
    transports: [tcp({ inboundSocketInactivityTimeout: 5 * 60_000, outboundSocketInactivityTimeout: 5 * 60_000, maxConnections: origin ? 8_192 : 256 })],
    connectionEncrypters: [joinedWrites(noise({ crypto: noiseCrypto }))],
    streamMuxers: [
      yamux({
        // One greeting and one exchange are all that is ever opened; the rest is room for what is closing.
        maxInboundStreams: 16,
        maxOutboundStreams: 16,
        enableKeepAlive: true,
        keepAliveInterval: 60_000,
        streamOptions: {
          // A sender starts from its own setting: every member must have the same.
          initialStreamWindowSize: 1 * MiB,
          // What a neighbour that does not read can make us hold, with the backlog of network.ts: under 8 MiB.
          maxStreamWindowSize: 4 * MiB,
          // Above the window, so that a reader that pauses is never cut off.
          maxReadBufferLength: 8 * MiB,
        },
      }),
    ],
    connectionManager: {
      maxConnections: origin ? 4_096 : 64,
      // With the default of 10 two idle connections a second keep everybody out.
      maxIncomingPendingConnections: 256,
      inboundUpgradeTimeout: 3_000,
      inboundConnectionThreshold: origin ? 200 : 20,
      inboundStreamProtocolNegotiationTimeout: limits.helloTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: limits.helloTimeoutMs,
      dialTimeout: 10_000,
      addressDialTimeout: 5_000,
      maxPeerAddrsToDial: 8,
      // Whom to dial and when is exchange/dialler.ts's.
      reconnectRetries: 0,
    },
    // A stream and a ping every 10 s for each connection: four times the idle cost for what yamux does already.
    connectionMonitor: { enabled: false },
  };
}
