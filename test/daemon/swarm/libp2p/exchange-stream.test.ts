// Every test of exchange.test.ts again, with nothing but the libp2p stream between members.

import { fixture } from '../swarm-fixture.ts';

fixture.bulk = 'off';
await import('../exchange/exchange.test.ts');
