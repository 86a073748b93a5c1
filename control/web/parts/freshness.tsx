// How fresh what is shown is, always in sight: somebody who decides by an old picture must know that it is old.

import type { JSX } from 'preact';
import { useUi } from '../ui.ts';

export function FreshnessBadge(): JSX.Element {
  const { live } = useUi();
  const state = live.freshness.value;
  const since = state.kind === 'stale' ? new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' }).format(state.since) : '';
  const text = { live: 'live', connecting: 'connecting', reconnecting: 'reconnecting', stale: `stale since ${since}` }[state.kind];
  return <span class={`freshness ${state.kind}`} role="status">{text}</span>;
}
