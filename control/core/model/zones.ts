// Where a member is: the zone that the roster gives it, which is what the swarm goes by.

import type { Member } from './model.ts';

/** By label, which operators set, before what the machine says of itself. */
export function zoneOf({ labels, attributes }: Pick<Member, 'labels' | 'attributes'>): string {
  return (labels['zone'] ?? attributes['zone'] ?? 'default').slice(0, 64);
}
