// The cipher of libp2p's channel: the runtime's for frames of every length. For short ones its package takes one in WebAssembly, which is done in 2 µs rather
// than 20; but the engine for that takes 2 MiB of an agent that rests (P10 in bench/README.md), and a fleet is as fast without (P1).

import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { defaultCrypto, nodeCrypto } from '@chainsafe/libp2p-noise/crypto';

export const noiseCrypto: ICryptoInterface = { ...defaultCrypto, ...nodeCrypto };
