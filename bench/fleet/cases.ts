// The scenes of P14 by name: what goes wrong in them, and how well a fleet must do all the same. The numbers of the hosts are in scenes.ts.

import type { Scene } from './scenes.ts';

/** A scene, whatever the size of its fleet. */
export interface Case {
  readonly name: string;
  readonly scene: Omit<Scene, 'agents'>;
  /** The last completion over the fluid bound, at most. */
  readonly boundGoal?: number;
  /** The last completion over that of the same fleet without the bad ones, at most. */
  readonly honestGoal?: number;
  /** Copies that leave the origin, at most. */
  readonly originGoal?: number;
}

const byzantine = ['corrupt', 'tainted', 'boastful', 'silent', 'dawdling'] as const;

export const cases: readonly Case[] = [
  { name: 'honest', scene: {}, boundGoal: 1.09, originGoal: 1.01 },
  { name: 'four zones', scene: { zones: 4, crossMs: 5 } },
  { name: 'a third at a tenth of the rate', scene: { slow: { share: 1 / 3, rate: 0.1 } } },
  { name: 'a tenth dies on the way', scene: { dying: 0.1 } },
  { name: 'a tenth of the announcements is lost', scene: { lostHaves: 0.1 } },
  { name: 'the origin dies when each piece has left once', scene: { originDiesAfterOne: true }, originGoal: 1.01 },
  { name: 'three in ten lie about what they hold', scene: { bad: { share: 0.3, behaviours: ['boastful', 'silent'] } }, honestGoal: 2 },
  { name: 'three in ten send wrong bytes', scene: { bad: { share: 0.3, behaviours: ['corrupt', 'tainted'] } }, honestGoal: 2 },
  { name: 'three in ten are bad in all ways', scene: { bad: { share: 0.3, behaviours: byzantine } }, honestGoal: 2 },
  { name: 'a third is a slow loris', scene: { bad: { share: 1 / 3, behaviours: ['dawdling'] } }, honestGoal: 1.5 },
  { name: 'pieces of 1 MiB, an origin no faster than an agent', scene: { originUp: 5_000, down: 5_000, chunkBytes: 1024 * 1024 }, originGoal: 1.01 },
  { name: 'two zones, a border of half a line', scene: { zones: 2, crossMs: 20, border: 2_500 } },
  { name: 'two zones with an origin each, a border of half a line', scene: { zones: 2, origins: [0, 1], crossMs: 20, border: 2_500 }, originGoal: 2.01 },
  { name: 'a quarter takes no part', scene: { idle: 0.25 }, boundGoal: 1.09, originGoal: 1.01 },
  { name: 'newcomers, long absent and half-lost among older revisions', scene: { special: among }, originGoal: 0.15 },
];

/** Most lack an eighth; some begin late with nothing, some hold a tenth only, some lost half of what they had. */
function among(index: number, random: () => number): { readonly holds: readonly number[]; readonly wantsAt?: number } {
  const ordinals = Array.from({ length: 256 }, (_, ordinal) => ordinal);
  const old = ordinals.filter((ordinal) => ordinal % 8 !== 0);
  switch (index % 20) {
    case 0:
      return { holds: [], wantsAt: 2_000 };
    case 1:
      return { holds: old.filter((ordinal) => ordinal % 10 === 1) };
    case 2:
      return { holds: old.filter(() => random() < 0.5) };
    default:
      return { holds: old };
  }
}
