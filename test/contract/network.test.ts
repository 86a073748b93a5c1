// The contract of networks, on both that there are, and on libp2p with and without a bulk channel beside each connection.

import { systemClock } from '../../daemon/clock.ts';
import { openLibp2pNetwork } from '../../daemon/swarm/libp2p/libp2p.ts';
import { createMemoryHub } from '../../daemon/swarm/memory/memory-network.ts';
import { bulkOnLoopback, certificateOf, counts, identityOf, keptLog, loopback, verifyPlain } from '../daemon/swarm/swarm-fixture.ts';
import { networkContract } from './network.ts';

for (const bulk of ['on', 'off'] as const) {
  networkContract(`libp2p with bulk channels ${bulk}`, () => ({
    async open(name) {
      const { seed, member } = await identityOf(name);
      return await openLibp2pNetwork({
        seed,
        listen: [loopback],
        origin: false,
        certificate: () => JSON.stringify(certificateOf(member, name.replace(' ', '-'))),
        verifyCertificate: verifyPlain,
        clock: systemClock,
        metrics: counts(),
        log: keptLog(),
        ...(bulk === 'on' ? { bulk: bulkOnLoopback } : {}),
      });
    },
  }));
}

networkContract('memory', () => {
  const hub = createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 });
  return { open: async (name) => await Promise.resolve(hub.join(name, certificateOf(name, 'member'))) };
});
