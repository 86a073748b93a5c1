// The targets of a deployment: squares by batch, and the same as a table. The server gives a page at a time, so that ten thousand are
// looked at page by page and never all at once.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Deployment, DeploymentTarget } from '../../../proto/api/deployments.ts';
import { Icon } from '../parts/icons.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { bytesText } from '../words.ts';
import { heatOf, lanes, legendOf, troubles, type Trouble as Failure } from './heat.ts';

/** As many as a page of the API holds. */
const pageTargets = 500;
/** Reasons shown, and names of each: the table has all. */
const troublesMax = 5;
const namesMax = 6;

export function Targets({ deployment: { deployment, targets: first, progress: { total, byPhase } } }: { readonly deployment: Deployment }): JSX.Element {
  const pages = usePages(deployment);
  const { cursor } = pages;
  // The deployment itself says what is on the first page; where there is one page, nothing else is asked.
  const { reply, problem, pending } = useQuery('listDeploymentTargets', total <= pageTargets ? undefined : { params: { deployment }, query: { limit: pageTargets, ...(cursor === undefined ? {} : { cursor }) } }, { hold: true });
  const [asTable, setAsTable] = useState(false);
  const targets = reply?.items ?? (cursor === undefined ? first : []);
  return (
    <section aria-label="targets">
      <div class="title">
        <h2>Targets</h2>
        <ul class="legend">
          {legendOf(byPhase).map(({ tone, letter, text, targets: count }) => <li key={text}><span class={`square ${tone}`} aria-hidden="true">{letter}</span> {count} {text}</li>)}
        </ul>
        <div class="views" role="group" aria-label="targets shown as">
          <button type="button" class="quiet" aria-pressed={!asTable} onClick={() => setAsTable(false)}>squares</button>
          <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(true)}>table</button>
        </div>
      </div>
      <Trouble problem={problem} />
      {troubles(targets).slice(0, troublesMax).map((failure) => <FailureNotice key={`${failure.phase} ${failure.code ?? ''} ${failure.detail ?? ''}`} failure={failure} />)}
      {asTable ? <TargetTable targets={targets} /> : <Squares targets={targets} />}
      {total > pageTargets && <Pager pages={pages} size={pageTargets} shown={targets.length} next={reply?.next} pending={pending} total={total} what="targets" />}
    </section>
  );
}

function Squares({ targets }: { readonly targets: readonly DeploymentTarget[] }): JSX.Element {
  return (
    <ol class="lanes">
      {lanes(targets).map(({ batch, targets: lane }) => (
        <li key={batch}>
          <h3>batch {batch + 1}</h3>
          <ul class="squares">
            {lane.map(({ member, name, phase }) => {
              const { tone, letter, text } = heatOf(phase);
              return <li key={member} class={`square ${tone}`} title={`${name}: ${text}`}><span aria-hidden="true">{letter}</span><span class="unseen">{name}: {text}</span></li>;
            })}
          </ul>
        </li>
      ))}
    </ol>
  );
}

function TargetTable({ targets }: { readonly targets: readonly DeploymentTarget[] }): JSX.Element {
  return (
    <div class="wide" tabIndex={0} role="group" aria-label="table of targets">
      <table>
        <thead><tr><th scope="col">Target</th><th scope="col">Batch</th><th scope="col">Phase</th><th scope="col">Fetched</th><th scope="col">Last heard</th><th scope="col">What it says</th></tr></thead>
        <tbody>
          {targets.map(({ member, name, batch, phase, transfer, fetching, reportedAt, code = '', detail = '', refused }) => (
            <tr key={member}>
              <th scope="row"><a href={`/targets/${encodeURIComponent(member)}`}>{name}</a></th>
              <td>{batch + 1}</td>
              <td>{heatOf(phase).text}</td>
              <td>{fetching !== undefined ? `${bytesText(fetching.haveBytes)} of ${bytesText(fetching.totalBytes)}` : transfer === undefined ? '' : `${bytesText(transfer.peerBytes)} from peers, ${bytesText(transfer.originBytes)} from origin`}</td>
              <td>{reportedAt === undefined ? 'nothing yet' : <Since at={reportedAt} />}</td>
              <td>{code} {detail}{refused !== undefined && <> refuses order {refused.order} ({refused.code}): {refused.detail}</>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Why targets failed, first of all. What a hook wrote came from the machine: it is shown as text and as nothing else. */
function FailureNotice({ failure: { phase, code, detail, targets, output, advice } }: { readonly failure: Failure }): JSX.Element {
  const shown = targets.slice(0, namesMax).join(', ');
  return (
    <div class="trouble">
      <p><Icon name="alert" /> <strong>{shown}</strong>{targets.length > namesMax && ` and ${targets.length - namesMax} more`} {heatOf(phase).text}{code !== undefined && ` (${code})`}{detail !== undefined && `: ${detail}`}</p>
      {advice !== undefined && <p>{advice}</p>}
      {output !== undefined && <pre tabIndex={0} aria-label={`what ${targets[0] ?? 'it'} wrote`}>{output}</pre>}
    </div>
  );
}
