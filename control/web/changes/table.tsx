// How far changes are, as a table: rows are check-ins, columns are environments from left to right. Which changes is the caller's.

import type { JSX } from 'preact';
import type { ChangeProgress, Changes } from '../../../proto/api/history.ts';
import type { Tone } from '../attention.ts';
import { addressWith } from '../parts/filter.tsx';
import { Mark, Since } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { agoText } from '../words.ts';

type Cell = ChangeProgress['cells'][number];
export const cellTones: Readonly<Record<Cell['state'], Tone>> = { absent: 'off', waiting: 'waiting', deploying: 'busy', there: 'well', failed: 'bad', 'rolled-back': 'bad' };

/** The state of a cell in words. */
export function cellText({ state, percent }: Pick<Cell, 'state' | 'percent'>): string {
  return state === 'absent' ? 'not there' : state === 'deploying' && percent !== undefined ? `deploying ${percent} %` : state.replace('-', ' ');
}

export function ChangesTable({ changes: { columns, items }, pending = false }: { readonly changes: Pick<Changes, 'columns' | 'items'>; readonly pending?: boolean }): JSX.Element {
  return (
    <div class="wide timeline" tabIndex={0} role="group" aria-label="table of changes">
      <table aria-busy={pending}>
        <thead><tr><th scope="col">Change</th>{columns.map(({ environment }) => <th key={environment} scope="col">{environment}</th>)}</tr></thead>
        <tbody>{items.map((item) => <ChangeRow key={`${item.app} ${item.revision} ${item.commit ?? ''}`} item={item} columns={columns.map(({ environment }) => environment)} />)}</tbody>
      </table>
    </div>
  );
}

/** Where the way of a commit, or of a revision, is told in full. */
export function addressOfTrace(of: string): string {
  return addressWith('/trace', { of });
}

/** A commit that changed several applications is one row, with how far each of them is. */
function ChangeRow({ item, columns }: { readonly item: ChangeProgress; readonly columns: readonly string[] }): JSX.Element {
  const { message, author, at, commit, app: first, number: of, also = [] } = item;
  const parts = [item, ...also];
  const what = parts.map(({ app, number }) => `${app}@${number}`).join(' + ');
  const word = message.split('\n', 1)[0] ?? '';
  return (
    <tr>
      <th scope="row">
        <a href={addressOfTrace(commit ?? `${first}@${of}`)}>{word || what}</a>
        <small> {word !== '' && `${what}, `}{commit !== undefined && <><code>{commit.slice(0, 10)}</code>, </>}{author}, <Since at={at} /></small>
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
  const { state, since, reason, deployment, promotion } = cell;
  const mark = <Mark tone={cellTones[state]} text={cellText(cell)} />;
  const address = deployment !== undefined ? `/deployments/${encodeURIComponent(deployment)}` : promotion === undefined ? undefined : `/promotions/${encodeURIComponent(promotion)}`;
  return (
    <div title={reason}>
      {app !== undefined && <small>{app} </small>}
      {address === undefined ? mark : <a href={address}>{mark}</a>}
      {since !== undefined && state !== 'absent' && <small> {agoText(since, now())}</small>}
    </div>
  );
}
