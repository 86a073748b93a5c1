// What an edit of a promotion means for the pipeline as a whole: the same pipeline with this one promotion changed. Pure.

import type { ApplyPipelineBody, Pipeline } from '../../../proto/api/pipelines.ts';
import type { EdgeSpec, PipelineSpec } from '../../../proto/pipeline.ts';

/** What of a promotion can be edited here. */
export interface EdgeWish {
  readonly auto: boolean;
  readonly soakMs: number;
  readonly windows: readonly string[];
  readonly after: readonly string[];
}

/** As it is now. */
export function wishOf({ auto, soakMs = 0, windows, after }: EdgeSpec): EdgeWish {
  return { auto, soakMs, windows, after };
}

/** What the form begins with; undefined when the pipeline has no such promotion. */
export function edgeOf(spec: PipelineSpec, edge: string): EdgeSpec | undefined {
  return spec.edges.find((one) => one.edge === edge);
}

/** Everything that an apply takes, with one promotion changed. Lists keep the order in which the file has them. */
export function editedPipeline({ project, spec, apps, environments, builds }: Pipeline, edge: string, wish: EdgeWish): ApplyPipelineBody {
  const edges = spec.edges.map((one) => (one.edge === edge ? editedEdge(one, wish, spec) : one));
  return { project, spec: { ...spec, edges }, apps, environments: environments.map(({ config, ...place }) => ({ ...place, config: { ...config, batches: [...config.batches] } })), builds };
}

function editedEdge({ soakMs: _soakMs, ...edge }: EdgeSpec, { auto, soakMs, windows, after }: EdgeWish, spec: PipelineSpec): EdgeSpec {
  const environments = spec.stages.flatMap((stage) => stage.environments.map(({ environment }) => environment));
  return {
    ...edge,
    auto,
    ...(soakMs > 0 ? { soakMs } : {}),
    windows: spec.windows.map(({ window }) => window).filter((window) => windows.includes(window)),
    after: environments.filter((environment) => after.includes(environment)),
  };
}

const factors = { s: 1_000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration as people write it: `90`, `90min`, `1h 30m`, `2 d`; a bare number is minutes. Undefined: it is none. */
export function readDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 0;
  if (/^\d+$/.test(trimmed)) return Number(trimmed) * factors.min;
  if (!/^(?:\d+(?:\.\d+)?\s*(?:min|[smhd])\s*)+$/.test(trimmed)) return undefined;
  let ms = 0;
  for (const [, count = '0', unit = 's'] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(min|[smhd])/g)) ms += Number(count) * (unit === 's' ? factors.s : unit === 'h' ? factors.h : unit === 'd' ? factors.d : factors.min);
  return Math.round(ms);
}

/** A duration to the millisecond as {@link readDuration} reads it: what is not touched stays what it is. Nothing of none. */
export function writeDuration(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const unit of ['d', 'h', 'min'] as const) {
    const count = Math.floor(rest / factors[unit]);
    if (count > 0) parts.push(`${count} ${unit}`);
    rest -= count * factors[unit];
  }
  if (rest > 0) parts.push(`${rest / factors.s} s`);
  return parts.join(' ');
}
