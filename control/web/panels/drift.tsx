// The machines of an environment that are not as it has them: which lack its set, which are not healthy, which were changed by somebody; and what is
// being done about each.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { driftStanding, driftText } from '../fleet/standing.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';

const pageDrifts = 25;

/** Asked only when somebody opens it: it compares every machine. */
export function DriftOf({ environment }: { readonly environment: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  const pages = usePages(environment);
  const { reply, problem, pending } = useQuery('listDrift', open ? { params: { environment }, query: { limit: pageDrifts, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } } : undefined, { pace: 'slow', hold: true });
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Machines that are not as they should be</summary>
      <Trouble problem={problem} />
      {open && reply === undefined && problem === undefined && <Loading what="machines" />}
      {reply?.items.length === 0 && <p>None: every machine runs what {environment} runs, healthy and unchanged.</p>}
      <ul class="places">
        {reply?.items.map((one) => (
          <li key={`${one.member} ${one.app}`}>
            <a href={`/targets/${encodeURIComponent(one.name)}`}>{one.name}</a> <Mark {...driftStanding(one)} /> {driftText(one)}{one.deployment !== undefined && <>: <a href={`/deployments/${encodeURIComponent(one.deployment)}`}>{one.deployment}</a></>}
          </li>
        ))}
      </ul>
      {reply !== undefined && <Pager pages={pages} size={pageDrifts} shown={reply.items.length} next={reply.next} pending={pending} what={`machines of ${environment}`} />}
    </details>
  );
}
