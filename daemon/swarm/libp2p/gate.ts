// Who may be met and where, as libp2p asks it: only members of the roster that are not revoked, in both directions, and only at the addresses that
// the roster gives. Certificates come later, in the greeting.

import type { ConnectionGater } from '@libp2p/interface';
import { CODE_P2P, multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import type { Roster } from '../../../proto/statement.ts';

export interface Gate {
  readonly gater: ConnectionGater;
  setRoster(roster: Roster): void;
  /** Whether the roster names the member and has not revoked it. Nobody before the first roster. */
  admits(member: string): boolean;
  /** Where the member may be dialled; each names the member, so that another one there fails the handshake. */
  addressesOf(member: string): Multiaddr[];
}

/**
 * Addresses that no member has, whatever a roster says: this host as "any", link-local (the metadata services of clouds), multicast.
 * Loopback and private ones are allowed when the roster names them: that is what fleets run on.
 */
const neverDialled = [/^\/ip4\/0\./, /^\/ip4\/169\.254\./, /^\/ip4\/(22[4-9]|23\d|24\d|25[0-5])\./, /^\/ip6\/(::|fe[89ab][0-9a-f]:[^/]*|ff[0-9a-f]{2}:[^/]*)\//i];
const tcpOnly = /^\/(ip4|ip6|dns4|dns6|dns)\/[^/]+\/tcp\/\d+(\/p2p\/[^/]+)?$/;

export function createGate(): Gate {
  let members = new Map<string, Multiaddr[]>();
  const admits = (member: string): boolean => members.has(member);
  return {
    gater: {
      denyDialPeer: (peer) => !admits(peer.toString()),
      denyDialMultiaddr: (address) => !isListed(members, address),
      denyInboundEncryptedConnection: (peer) => !admits(peer.toString()),
      denyOutboundEncryptedConnection: (peer) => !admits(peer.toString()),
    },
    setRoster(roster) {
      const revoked = new Set(roster.revoked);
      members = new Map(
        roster.members.filter(({ member }) => !revoked.has(member)).map(({ member, addresses }) => [member, addresses.flatMap((address) => dialable(address, member))]),
      );
    },
    admits,
    addressesOf: (member) => members.get(member) ?? [],
  };
}

/** The address with the member's id, or nothing when it is malformed, another's, or never to be dialled. */
function dialable(text: string, member: string): readonly Multiaddr[] {
  if (!tcpOnly.test(text) || neverDialled.some((pattern) => pattern.test(text))) return [];
  try {
    const address = multiaddr(text);
    const named = memberOf(address);
    if (named === undefined) return [address.encapsulate(`/p2p/${member}`)];
    return named === member ? [address] : [];
  } catch {
    // A roster from a newer version may hold forms that this one cannot parse; the others count.
    return [];
  }
}

function memberOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value;
}

function isListed(members: ReadonlyMap<string, readonly Multiaddr[]>, address: Multiaddr): boolean {
  const member = memberOf(address);
  if (member !== undefined) return members.get(member)?.some((listed) => listed.equals(address)) ?? false;
  const bare = address.toString();
  return [...members.values()].some((listed) => listed.some((candidate) => candidate.toString().startsWith(`${bare}/p2p/`)));
}
