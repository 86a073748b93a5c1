// How far each change of a pipeline is, newest first, with environments in the order of the pipeline.

import type { JSX } from 'preact';
import { ChangesTable } from '../changes/table.tsx';
import { Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';

/** Check-ins shown: those of a busy day. */
const shownMax = 25;

export function Timeline({ pipeline }: { readonly pipeline: string }): JSX.Element {
  const { reply, problem } = useQuery('listPipelineChanges', { params: { pipeline }, query: { limit: shownMax } }, { wakes: ({ items }) => items.flatMap(({ cells }) => cells.map(({ until }) => until)) });
  return (
    <section aria-label="release timeline">
      <h2>Changes, newest first</h2>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing was pushed yet.</p>}
      {reply !== undefined && reply.items.length > 0 && <ChangesTable changes={reply} />}
      {reply?.next !== undefined && <p>Older ones are among <a href="/changes?all=yes">all changes</a>.</p>}
    </section>
  );
}
