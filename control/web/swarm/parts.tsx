// Parts of the screens about how bytes travelled: a bar of shares with its figures beside it, and who fed whom.

import type { JSX } from 'preact';
import { bytesText } from '../words.ts';
import type { Share } from './account.ts';

/** The bar is for the eye; what it says stands in the list. */
export function Shares({ shares, what }: { readonly shares: readonly Share[]; readonly what: string }): JSX.Element | null {
  if (shares.length === 0) return null;
  return (
    <div class="shares">
      <div class="bar" aria-hidden="true">{shares.map(({ kind, percent }) => <span key={kind} class={kind} style={{ width: `${percent}%` }} />)}</div>
      <ul class="legend" aria-label={what}>
        {shares.map(({ kind, name, bytes, percent }) => <li key={kind}><span class={`square ${kind}`} aria-hidden="true" /> <strong>{bytesText(bytes)}</strong> {name} <small>{percent} %</small></li>)}
      </ul>
    </div>
  );
}

/** Feeders named in a cell; a swarm has more than anybody reads. */
const feedersMax = 4;

export function Feeders({ from }: { readonly from: readonly { readonly member: string; readonly name: string; readonly bytes: number }[] }): JSX.Element | null {
  if (from.length === 0) return null;
  return (
    <>
      {from.slice(0, feedersMax).map(({ member, name, bytes }, at) => <span key={member}>{at > 0 && ', '}<a href={`/targets/${encodeURIComponent(member)}`}>{name}</a> <small>{bytesText(bytes)}</small></span>)}
      {from.length > feedersMax && <small> and {from.length - feedersMax} more</small>}
    </>
  );
}
