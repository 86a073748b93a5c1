// Ordinals as ranges, as messages and delta sets name them.

import type { OrdinalRange } from './exchange.ts';

/** Ranges that stand for these ordinals in this order, the fewest; ascending ordinals make ascending, disjoint ranges that do not touch. */
export function rangesOf(ordinals: readonly number[]): OrdinalRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const ordinal of ordinals) {
    const last = ranges.at(-1);
    if (last?.to === ordinal) last.to += 1;
    else ranges.push({ from: ordinal, to: ordinal + 1 });
  }
  return ranges;
}
