// How far the content of a set has spread in an environment, from what its targets reported: what the gate of replication
// asks, and what a prefetch works towards.

import type { CoverageSpec } from '../../../proto/pipeline.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { State } from '../model/model.ts';
import { revisionOf } from '../model/select.ts';
import type { Coverage } from '../model/select.ts';
import { spreadOf } from './swarm.ts';

/** Coverage of one set as it is reported, with how many copies each zone could have at all. */
export interface Spreading extends Coverage {
  /** Whole copies that are possible in the zone that has fewest places for them. */
  readonly placesPerZoneMin: number;
}

/** How far these revisions have spread over the targets of an environment; the worst of them counts. */
export function spreading(state: State, environment: string, members: SetMembers): Spreading {
  const all = Object.entries(members).map(([app, revision]): Spreading => {
    const record = revisionOf(state, app, revision);
    if (record === undefined) return { coverage: 0, copiesPerZoneMin: 0, placesPerZoneMin: 0 };
    const { zones, targets, holding, seeds } = spreadOf(state, record, environment);
    const used = zones.filter((zone) => zone.targets > 0);
    const seedsIn = (zone: (typeof used)[number]): number => Math.min(seeds, zone.copies - zone.holding);
    return {
      coverage: targets === 0 ? 1 : holding / targets,
      copiesPerZoneMin: Math.min(...used.map((zone) => zone.copies)),
      placesPerZoneMin: Math.min(...used.map((zone) => zone.targets + seedsIn(zone))),
    };
  });
  const least = (pick: (one: Spreading) => number): number => Math.min(1e9, ...all.map(pick));
  return { coverage: Math.min(1, least((one) => one.coverage)), copiesPerZoneMin: least((one) => one.copiesPerZoneMin), placesPerZoneMin: least((one) => one.placesPerZoneMin) };
}

/** Whether that is enough. A zone cannot hold more copies than it has machines, so that a small one does not hold everything for ever. */
export function isEnough(seen: Coverage & Partial<Spreading>, wanted: CoverageSpec): boolean {
  const copies = Math.min(wanted.minCopiesPerZone, seen.placesPerZoneMin ?? wanted.minCopiesPerZone);
  return seen.coverage >= wanted.coverage && seen.copiesPerZoneMin >= copies;
}
