// The swarm: how the newest deployments travelled, how far a revision has spread, which zone feeds which, and what each machine sent and got.

import type { JSX } from 'preact';
import type { Coverage, MapMember, SwarmMap } from '../../../proto/api/swarm.ts';
import { deploymentStanding, type Tone } from '../attention.ts';
import { FilterForm, useFilter } from '../parts/filter.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { sharesOf } from '../swarm/account.ts';
import { Feeders, Shares } from '../swarm/parts.tsx';
import { bytesText, countText } from '../words.ts';

/** Deployments shown: those of a day that somebody may still ask about. */
const deploymentsMax = 10;
const pageMembers = 50;
/** Links between zones: the thickest. */
const linksMax = 20;

export function SwarmPage(): JSX.Element {
  const pages = usePages('map');
  const { reply: map, problem, pending } = useQuery('getSwarmMap', { params: {}, query: { limit: pageMembers, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'slow', hold: true });
  useTitle('Swarm');
  return (
    <>
      <h1>Swarm</h1>
      <Deployments />
      <Spread />
      <Trouble problem={problem} />
      {map === undefined && problem === undefined && <Loading what="the map" />}
      {map !== undefined && <Zones map={map} />}
      {map !== undefined && (
        <section aria-label="machines">
          <h2>Machines</h2>
          {map.items.length === 0 ? <p>None has joined yet: <code>starling token create --join</code> makes what one needs for it.</p> : <MemberTable members={map.items} pending={pending} />}
          <Pager pages={pages} size={pageMembers} shown={map.items.length} next={map.next} pending={pending} what="machines" />
        </section>
      )}
    </>
  );
}

function Deployments(): JSX.Element {
  const { reply, problem } = useQuery('listDeployments', { params: {}, query: { limit: deploymentsMax } }, { pace: 'slow' });
  return (
    <section aria-label="newest deployments">
      <h2>Newest deployments</h2>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing was deployed yet.</p>}
      <ul class="travelled">
        {reply?.items.map((one) => (
          <li key={one.deployment} class="card">
            <p><a href={`/deployments/${encodeURIComponent(one.deployment)}/receipt`}>{one.app}@{one.number} to {one.environment}</a> <Mark {...deploymentStanding(one)} /> <small><Since at={one.startedAt} /></small></p>
            <Shares shares={sharesOf(one.progress.transfer)} what={`bytes of ${one.deployment}`} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const spreadFields = [
  { name: 'revision', label: 'Revision', hint: 'web@latest' },
  { name: 'environment', label: 'Only of environment', hint: 'prod' },
] as const;

/** How far one revision is: asked for when somebody names one. */
function Spread(): JSX.Element {
  const { revision, environment } = useFilter(['revision', 'environment']);
  const { reply, problem } = useQuery('getSwarmCoverage', revision === undefined ? undefined : { params: {}, query: { revision, limit: 500, ...(environment === undefined ? {} : { environment }) } }, { pace: 'slow' });
  return (
    <section aria-label="how far a revision has spread">
      <h2>How far a revision has spread</h2>
      <FilterForm what="what has spread" fields={spreadFields} />
      <Trouble problem={problem} />
      {reply !== undefined && <CoverageText coverage={reply} />}
    </section>
  );
}

function CoverageText({ coverage: { app, number, targets, holding, fetching, seeds, copiesMin, items, next } }: { readonly coverage: Coverage }): JSX.Element {
  return (
    <>
      <p class="progress">
        <progress value={holding} max={Math.max(1, targets)} aria-label="targets that hold every chunk" />
        <span><strong>{app}@{number}</strong>: {holding} of {countText(targets, 'target')} hold every chunk{fetching > 0 && `, ${fetching} fetching`}; {countText(seeds, 'seed')}; at least {countText(copiesMin, 'copy', 'copies')} in each zone</span>
      </p>
      {items.length > 0 && (
        <table class="stacked">
          <caption class="unseen">zones</caption>
          <thead><tr><th scope="col">Zone</th><th scope="col">Targets</th><th scope="col">Holding</th><th scope="col">Fetching</th><th scope="col">Copies</th></tr></thead>
          <tbody>{items.map((one) => <tr key={one.zone}><th scope="row">{one.zone}</th><td data-name="targets">{one.targets}</td><td data-name="holding">{one.holding}</td><td data-name="fetching">{one.fetching}</td><td data-name="copies">{one.copies}{one.copies === 0 && <> <Mark tone="bad" text="none" /></>}</td></tr>)}</tbody>
        </table>
      )}
      {next !== undefined && <p>There are more zones: <code>starling swarm coverage</code> has all.</p>}
    </>
  );
}

function Zones({ map: { zones, links } }: { readonly map: SwarmMap }): JSX.Element {
  const between = links.filter(({ from, to }) => from !== to);
  return (
    <section aria-label="zones">
      <h2>Zones</h2>
      <ul class="zones">{zones.map(({ zone, agents, seeds, online }) => <li key={zone} class="card"><strong>{zone}</strong> {countText(agents, 'agent')}, {countText(seeds, 'seed')} <Mark tone={online === 0 ? 'bad' : online < agents ? 'waiting' : 'well'} text={`${online} online`} /></li>)}</ul>
      {between.length > 0 && (
        <>
          <h3>Between zones, in the newest deployments</h3>
          <ul>{between.slice(0, linksMax).map(({ from, to, bytes }) => <li key={`${from} ${to}`}>{from} → {to}: {bytesText(bytes)}</li>)}</ul>
          {between.length > linksMax && <p>and {between.length - linksMax} more</p>}
        </>
      )}
    </section>
  );
}

const heard: Readonly<Record<MapMember['connectivity'], { readonly tone: Tone; readonly text: string }>> = { online: { tone: 'well', text: 'online' }, stale: { tone: 'waiting', text: 'silent' }, offline: { tone: 'bad', text: 'offline' } };

function MemberTable({ members, pending }: { readonly members: readonly MapMember[]; readonly pending: boolean }): JSX.Element {
  return (
    <table class="stacked" aria-busy={pending}>
      <caption class="unseen">machines by zone and name</caption>
      <thead><tr><th scope="col">Machine</th><th scope="col">Zone</th><th scope="col">State</th><th scope="col">Line up / down</th><th scope="col">Fetching</th><th scope="col">Fed</th><th scope="col">Fed by</th></tr></thead>
      <tbody>
        {members.map(({ member, name, roles, zone, connectivity, rates, fetching, fed, from }) => (
          <tr key={member}>
            <th scope="row"><a href={`/targets/${encodeURIComponent(member)}`}>{name}</a>{!roles.includes('agent') && <small> {roles.join(', ')}</small>}</th>
            <td data-name="zone">{zone}</td>
            <td data-name="state"><Mark {...heard[connectivity]} /></td>
            <td data-name="line">{rates.send === undefined && rates.receive === undefined ? <small>not declared</small> : `${rateText(rates.send)} / ${rateText(rates.receive)}`}</td>
            <td data-name="fetching">{fetching !== undefined && `${bytesText(fetching.haveBytes)} of ${bytesText(fetching.totalBytes)}`}</td>
            <td data-name="fed">{fed.targets > 0 && `${bytesText(fed.bytes)} to ${countText(fed.targets, 'target')}`}</td>
            <td data-name="fed by"><Feeders from={from} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function rateText(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? '?' : `${bytesText(bytesPerSecond)}/s`;
}
