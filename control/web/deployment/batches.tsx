// The batches of a deployment as lanes: which is under way, which bakes until when, which failed.

import type { JSX } from 'preact';
import type { Batch } from '../../../proto/api/deployments.ts';
import type { Tone } from '../attention.ts';
import { Mark } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { spanText, untilText } from '../words.ts';

const batchTones: Readonly<Record<Batch['phase'], Tone>> = { pending: 'off', running: 'busy', baking: 'waiting', succeeded: 'well', failed: 'bad', skipped: 'off' };

export function Batches({ batches }: { readonly batches: readonly Batch[] }): JSX.Element {
  const { now } = useUi();
  return (
    <ol class="batches" aria-label="batches">
      {batches.map(({ index, name, canary, phase, targets, startedAt, bakeUntil, finishedAt }) => (
        <li key={index} class={phase}>
          <strong>{index + 1}. {name ?? 'batch'}{canary === true && ' (canary)'}</strong> <small>{targets} {targets === 1 ? 'target' : 'targets'}</small> <Mark tone={batchTones[phase]} text={phase} />
          {phase === 'baking' && bakeUntil !== undefined && <small> until {untilText(bakeUntil, now())}</small>}
          {startedAt !== undefined && finishedAt !== undefined && <small> took {spanText(finishedAt - startedAt)}</small>}
        </li>
      ))}
    </ol>
  );
}
