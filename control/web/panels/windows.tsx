// The time windows of an environment: whether they let anything start now, which does not, and the next times at which they do. What they
// are is the pipeline's file; this only shows it.

import type { JSX } from 'preact';
import type { EnvironmentWindows } from '../../../proto/api/windows.ts';
import { Icon } from '../parts/icons.tsx';
import { Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { spanText, timeText, untilText } from '../words.ts';

/** Openings shown: a night and the next days. */
const openingsMax = 4;
const whyTexts: Readonly<Record<EnvironmentWindows['holds'][number]['why'], string>> = { denied: 'forbids it now', closed: 'is not open now', jitter: 'opens a little later for this environment', 'used-up': 'was used up' };

export function WindowsOf({ environment }: { readonly environment: string }): JSX.Element {
  const { now } = useUi();
  const { reply, problem } = useQuery('getEnvironmentWindows', { params: { environment } }, { wakes: ({ changesAt }) => [changesAt] });
  return (
    <>
      <h3>Windows of {environment}</h3>
      <Trouble problem={problem} />
      {reply?.windows.length === 0 && <p>None: anything may start at any time.</p>}
      {reply !== undefined && reply.windows.length > 0 && (
        <>
          <p>
            <Icon name="window" /> <strong>{reply.open ? 'Open now' : 'Closed now'}</strong> ({reply.windows.join(', ')})
            {reply.changesAt !== undefined && `; ${reply.open ? 'closes' : 'opens'} ${untilText(reply.changesAt, now())}`}
          </p>
          <ul>
            {reply.holds.map(({ window, why, until }) => <li key={window}>{window} {whyTexts[why]}{until !== undefined && `, until ${timeText(until, now())}`}</li>)}
          </ul>
          <p>{reply.openings.length === 0 ? 'It does not open within 400 days.' : 'Open next:'}</p>
          <ul>{reply.openings.slice(0, openingsMax).map(({ from, to }) => <li key={from}>{from <= now() ? 'now' : timeText(from, now())}{to === undefined ? '' : `, for ${spanText(to - Math.max(from, now()))}`}</li>)}</ul>
        </>
      )}
    </>
  );
}
