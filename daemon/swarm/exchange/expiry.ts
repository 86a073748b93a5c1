// Certificates that run out while their member is connected. Those that have run out before are refused in the greeting.

import { limits } from '../../../proto/limits.ts';
import type { Clock } from '../../clock.ts';
import type { Neighbour } from '../network.ts';

const checkMs = 60_000;

/** Closes neighbours whose certificate has expired; they greet again with the one that they have by then. Until the signal fires, then rejects. */
export async function closeExpired({ clock, neighbours, signal }: { readonly clock: Clock; readonly neighbours: ReadonlyMap<string, Neighbour>; readonly signal: AbortSignal }): Promise<never> {
  for (;;) {
    await clock.wait(checkMs, { signal });
    for (const neighbour of neighbours.values()) {
      if (neighbour.certificate.notAfter * 1000 + limits.clockSkewMs < clock.now()) neighbour.close('revoked');
    }
  }
}
