// Delta sets that tests share: three golden ones, and a generator of others.

import fc from 'fast-check';
import { type DeltaSegment, type DeltaSet, deltaFormat, partLengths, payloadBytes } from '../../proto/delta-set.ts';
import type { OrdinalRange } from '../../proto/exchange.ts';
import { digestOf } from './fixtures.ts';

/** The set of these segments, with made-up digests of its parts. */
export function deltaSetOf(index: DeltaSet['index'], segments: readonly DeltaSegment[]): DeltaSet {
  const parts = partLengths(payloadBytes({ index, segments })).map((length, ordinal) => ({ id: digestOf(`part ${ordinal}`), length }));
  return { format: deltaFormat, from: digestOf('from'), to: digestOf('to'), index, segments, parts };
}

/** An index alone; one segment of each codec over several parts; an outline. */
export const goldenDeltaSets: readonly DeltaSet[] = [
  deltaSetOf({ codec: 'zstd-dict', length: 3_100 }, []),
  deltaSetOf({ codec: 'zstd-dict', length: 70_000 }, [
    { codec: 'zstd-dict', base: [{ from: 40, to: 60 }, { from: 0, to: 2 }, { from: 300, to: 301 }], out: [{ from: 3, to: 4 }, { from: 5, to: 20 }], length: 400_000 },
    { codec: 'zstd', base: [], out: [{ from: 4, to: 5 }, { from: 20, to: 21 }], length: 9_000 },
    { codec: 'bsdiff', base: [{ from: 280, to: 310 }], out: [{ from: 400, to: 412 }], length: 60_000 },
  ]),
  deltaSetOf({ codec: 'zstd-outline', length: 210 }, [{ codec: 'zstd-dict', base: [{ from: 7, to: 9 }], out: [{ from: 7, to: 8 }], length: 31 }]),
];

interface Step {
  readonly gap: number;
  readonly count: number;
}
const step: fc.Arbitrary<Step> = fc.record({ gap: fc.nat(300), count: fc.integer({ min: 1, max: 40 }) });

/** Ranges that ascend from `begin` without touching. */
function ascending(begin: number, steps: readonly Step[]): readonly OrdinalRange[] {
  let end = begin - 1;
  return steps.map(({ gap, count }) => {
    const from = end + 1 + gap;
    end = from + count;
    return { from, to: end };
  });
}

const base = fc
  .array(fc.record({ from: fc.nat(5_000), count: fc.integer({ min: 1, max: 50 }) }), { minLength: 1, maxLength: 6 })
  .map((ranges) => ranges.map(({ from, count }) => ({ from, to: from + count })))
  .map((ranges) => ranges.filter(({ from }, position) => position === 0 || ranges[position - 1]?.to !== from));

const draft = fc.record({
  codec: fc.constantFrom('zstd' as const, 'zstd-dict' as const, 'bsdiff' as const),
  base,
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  length: fc.integer({ min: 1, max: 900_000 }),
});

/** Any set of a few segments. */
export const anyDeltaSet: fc.Arbitrary<DeltaSet> = fc
  .record({
    index: fc.option(fc.record({ codec: fc.constantFrom('zstd-dict' as const, 'zstd-outline' as const), length: fc.integer({ min: 1, max: 600_000 }) }), { nil: undefined }),
    drafts: fc.array(draft, { minLength: 1, maxLength: 8 }),
  })
  .map(({ index, drafts }) => {
    let end = 0;
    const segments = drafts.map(({ codec, length, steps, ...rest }): DeltaSegment => {
      const out = ascending(end + 1, steps);
      end = out.at(-1)?.to ?? end;
      return { codec, base: codec === 'zstd' ? [] : rest.base, out, length };
    });
    return deltaSetOf(index, segments);
  });
