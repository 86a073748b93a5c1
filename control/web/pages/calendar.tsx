// The next fortnight of each environment: when its windows are open, what freezes, locks or pins it until when, and when what waits may start. Times are the reader's, with those of
// the windows' own zone beside them.

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { agendaOf, daysFrom, placeOf, standingNow, type Fortnight, type Moment } from '../calendar/layout.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';

/** Each asks five questions of its own. */
const pageEnvironments = 10;
/** Lines shown before the rest is folded away. */
const momentsMax = 5;

export function CalendarPage(): JSX.Element {
  const ui = useUi();
  const pages = usePages('environments');
  const { reply, problem, pending } = useQuery('listEnvironments', { params: {}, query: { limit: pageEnvironments, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'asked', hold: true });
  const windows = useQuery('listWindows', { params: {}, query: { limit: 500 } }, { pace: 'asked' });
  const days = daysFrom(ui.now());
  const here = useMemo(() => new Intl.DateTimeFormat().resolvedOptions().timeZone, []);
  const zonesOf = (environment: string): readonly string[] => [...new Set((windows.reply?.items ?? []).filter((one) => one.environments.includes(environment)).map(({ timeZone }) => timeZone))];
  useTitle('Calendar');
  return (
    <>
      <div class="title">
        <h1>Calendar</h1>
        <small>times in {here}, where you are</small>
        <button type="button" class="quiet" onClick={() => ui.live.refresh()}>Look again</button>
      </div>
      <Trouble problem={problem ?? windows.problem} />
      {reply === undefined && problem === undefined && <Loading what="environments" />}
      {reply?.items.length === 0 && <p>There is no environment yet. A pipeline makes some: <code>starling apply -f pipeline.yaml</code></p>}
      <ol class="calendar">{reply?.items.map(({ environment }) => <Row key={environment} environment={environment} days={days} zones={zonesOf(environment)} here={here} />)}</ol>
      {reply !== undefined && <Pager pages={pages} size={pageEnvironments} shown={reply.items.length} next={reply.next} pending={pending} what="environments" />}
    </>
  );
}

interface RowProps {
  readonly environment: string;
  readonly days: readonly number[];
  readonly zones: readonly string[];
  readonly here: string;
}

function Row({ environment, days, zones, here }: RowProps): JSX.Element {
  const { now } = useUi();
  const until = days.at(-1) ?? 0;
  // Openings are worked out anew for each question; locks and freezes are looked up.
  const windows = useQuery('getEnvironmentWindows', { params: { environment }, query: { until } }, { pace: 'asked' });
  const locks = useQuery('listLocks', { params: {}, query: { environment, limit: 100 } }, { pace: 'slow', wakes: ({ items }) => items.map(({ expiresAt }) => expiresAt) });
  const freezes = useQuery('listFreezes', { params: {}, query: { environment, limit: 100 } }, { pace: 'slow', wakes: ({ items }) => items.map(({ until: end }) => end) });
  const pin = useQuery('getPin', { params: { environment } }, { pace: 'slow', wakes: ({ until: end }) => [end] });
  const explanation = useQuery('explainEnvironment', { params: { environment } }, { pace: 'asked' });
  const fortnight: Fortnight = {
    windows: windows.reply,
    locks: locks.reply?.items ?? [],
    freezes: freezes.reply?.items ?? [],
    ...(pin.reply === undefined ? {} : { pin: pin.reply }),
    ...(explanation.reply === undefined ? {} : { explanation: explanation.reply }),
  };
  const agenda = agendaOf(fortnight, { now: now(), days, zones, here });
  return (
    <li class="card">
      <h2><a href={`/environments/${encodeURIComponent(environment)}`}>{environment}</a> <Mark {...standingNow(fortnight)} /></h2>
      <Trouble problem={windows.problem ?? locks.problem ?? freezes.problem ?? pin.problem ?? explanation.problem} />
      <Picture fortnight={fortnight} agenda={agenda} days={days} now={now()} />
      {windows.reply?.windows.length === 0 && agenda.length === 0 && <p><small>No window holds it: anything may start at any time.</small></p>}
      {windows.reply !== undefined && windows.reply.windows.length > 0 && !windows.reply.openings.some(({ from }) => from < until) && <p>Its windows ({windows.reply.windows.join(', ')}) are not open within this fortnight.</p>}
      <Moments moments={agenda.slice(0, momentsMax)} />
      {agenda.length > momentsMax && <details><summary>{agenda.length - momentsMax} more</summary><Moments moments={agenda.slice(momentsMax)} /></details>}
    </li>
  );
}

function Moments({ moments }: { readonly moments: readonly Moment[] }): JSX.Element {
  return <ul>{moments.map(({ kind, from, text, there }, at) => <li key={`${kind} ${from} ${at}`}>{text}{there !== undefined && <small> ({there})</small>}</li>)}</ul>;
}

/** Decoration: the same stands in the list below it. */
function Picture({ fortnight: { windows }, agenda, days, now }: { readonly fortnight: Fortnight; readonly agenda: readonly Moment[]; readonly days: readonly number[]; readonly now: number }): JSX.Element {
  const always = windows !== undefined && windows.windows.length === 0;
  const lanes = [
    { kind: 'open', spans: always ? [{ from: days[0] ?? 0 }] : agenda.filter(({ kind }) => kind === 'open') },
    { kind: 'freeze', spans: agenda.filter(({ kind }) => kind === 'freeze') },
    { kind: 'pin', spans: agenda.filter(({ kind }) => kind === 'pin') },
    { kind: 'lock', spans: agenda.filter(({ kind }) => kind === 'lock') },
  ].filter(({ kind, spans }) => kind === 'open' || spans.length > 0);
  const today = placeOf({ from: days[0] ?? 0, to: now }, days);
  return (
    <div class="fortnight" aria-hidden="true">
      <div class="days">{days.slice(0, -1).map((day) => <span key={day}><small class="weekday">{new Intl.DateTimeFormat('en-GB', { weekday: 'short' }).format(day)} </small>{new Date(day).getDate()}</span>)}</div>
      <div class="lanes-of">
        {lanes.map(({ kind, spans }) => (
          <div key={kind} class="lane">
            {spans.map((span, at) => {
              const place = placeOf(span, days);
              return place === undefined ? null : <span key={`${span.from} ${at}`} class={kind} style={{ left: `${place.left}%`, width: `${place.width}%` }} />;
            })}
          </div>
        ))}
        {today !== undefined && <span class="now" style={{ left: `${today.width}%` }} />}
      </div>
    </div>
  );
}
