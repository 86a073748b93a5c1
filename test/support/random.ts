// Seeded randomness for simulations: the same seed gives the same history.

import { seeded as draws } from '../../bench/fleet/random.ts';

export interface Random {
  /** In [0, 1). */
  readonly next: () => number;
  /** An integer in [0, below). */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly [T, ...T[]]): T;
}

/** The mulberry32 generator of the benchmarks: good enough to choose what goes wrong. */
export function seeded(seed: number): Random {
  const next = draws(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, chance: (probability) => next() < probability, pick: (values) => values[below(values.length)] ?? values[0] };
}
