// A member as the scheduler knows it. Its certificate is read in libp2p/admission.ts.

import type { Certificate } from '../../proto/statement.ts';
import { isOrigin } from '../core/roster/neighbours.ts';
import type { PeerInfo } from '../core/schedule/state/swarm-events.ts';

/** What of a certificate, or of a roster's entry, the scheduler goes by. */
export function peerOf(member: string, { roles, environments }: Pick<Certificate, 'roles' | 'environments'>): PeerInfo {
  return { member, origin: isOrigin({ roles }), environments };
}
