// How far each change is, newest first: rows are check-ins, columns are environments in the order of the pipeline.

import type { JSX } from 'preact';
import type { ChangeProgress } from '../../../proto/api/history.ts';
import type { Tone } from '../attention.ts';
import { Mark, Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { agoText } from '../words.ts';

/** Check-ins shown: those of a busy day. */
const shownMax = 25;

type Cell = ChangeProgress['cells'][number];
const cellTones: Readonly<Record<Cell['state'], Tone>> = { absent: 'off', waiting: 'waiting', deploying: 'busy', there: 'well', failed: 'bad', 'rolled-back': 'bad' };

export function Timeline({ pipeline }: { readonly pipeline: string }): JSX.Element {
  const { reply, problem } = useQuery('listPipelineChanges', { params: { pipeline }, query: { limit: shownMax } }, { wakes: ({ items }) => items.flatMap(({ cells }) => cells.map(({ until }) => until)) });
  return (
    <section aria-label="release timeline" class="timeline">
      <h2>Changes, newest first</h2>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing was pushed yet.</p>}
      {reply !== undefined && reply.items.length > 0 && (
        <div class="wide" tabIndex={0} role="group" aria-label="table of changes">
          <table>
            <thead><tr><th scope="col">Change</th>{reply.columns.map(({ environment }) => <th key={environment} scope="col">{environment}</th>)}</tr></thead>
            <tbody>{reply.items.map((item) => <ChangeRow key={`${item.app} ${item.revision} ${item.commit ?? ''}`} item={item} columns={reply.columns.map(({ environment }) => environment)} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** A commit that changed several applications is one row, with how far each of them is. */
function ChangeRow({ item, columns }: { readonly item: ChangeProgress; readonly columns: readonly string[] }): JSX.Element {
  const { message, author, at, commit, also = [] } = item;
  const parts = [item, ...also];
  return (
    <tr>
      <th scope="row">
        {message.split('\n', 1)[0] || 'no word on it'}
        <small> {parts.map(({ app, number }) => `${app}@${number}`).join(' + ')}{commit !== undefined && <>, <code>{commit.slice(0, 10)}</code></>}, {author}, <Since at={at} /></small>
      </th>
      {columns.map((environment) => (
        <td key={environment}>
          {parts.flatMap(({ app, cells }) => {
            const cell = cells.find((one) => one.environment === environment);
            return cell === undefined ? [] : [<CellOf key={app} cell={cell} app={parts.length === 1 ? undefined : app} />];
          })}
        </td>
      ))}
    </tr>
  );
}

function CellOf({ cell, app }: { readonly cell: Cell; readonly app: string | undefined }): JSX.Element {
  const { now } = useUi();
  const { state, since, percent, reason, deployment, promotion } = cell;
  const text = state === 'absent' ? 'not there' : state === 'deploying' && percent !== undefined ? `deploying ${percent} %` : state.replace('-', ' ');
  const mark = <Mark tone={cellTones[state]} text={text} />;
  const address = deployment !== undefined ? `/deployments/${encodeURIComponent(deployment)}` : promotion === undefined ? undefined : `/promotions/${encodeURIComponent(promotion)}`;
  return (
    <div title={reason}>
      {app !== undefined && <small>{app} </small>}
      {address === undefined ? mark : <a href={address}>{mark}</a>}
      {since !== undefined && state !== 'absent' && <small> {agoText(since, now())}</small>}
    </div>
  );
}
