// The machines of the fleet: narrowed down by the server, a page at a time, so that ten thousand are no more work than a hundred.

import type { JSX } from 'preact';
import type { Target } from '../../../proto/api/targets.ts';
import { labelsText } from '../fleet/labels.ts';
import { targetStanding } from '../fleet/standing.ts';
import { FilterForm, useFilter, type Filter, type FilterField } from '../parts/filter.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { bytesText, countText } from '../words.ts';

/** As many as somebody looks through before narrowing down. */
const pageTargets = 50;

const environmentsKnown = (names: readonly string[]): readonly FilterField[] => [
  { name: 'name', label: 'Name has', hint: 'prod-eu-0' },
  { name: 'environment', label: 'Environment', known: names },
  { name: 'label', label: 'Labels', hint: 'zone=a,!canary' },
  { name: 'connectivity', label: 'Heard of', choices: [['', 'any time'], ['online', 'just now (online)'], ['stale', 'a while ago (silent)'], ['offline', 'not any more (offline)']] },
  { name: 'role', label: 'Role', choices: [['', 'agents'], ['seed', 'seeds'], ['proxy', 'proxies']] },
  { name: 'revoked', label: 'Revoked', choices: [['', 'left out'], ['true', 'too']] },
];
const names = environmentsKnown([]).map(({ name }) => name);

export function TargetsPage(): JSX.Element {
  const filter = useFilter(names);
  const pages = usePages(JSON.stringify(filter));
  const { reply, problem, pending } = useTargets(filter, pages.cursor);
  const status = useQuery('getStatus', { params: {} }, { pace: 'slow' }).reply;
  const narrowed = Object.keys(filter).length > 0;
  useTitle('Targets');
  return (
    <>
      <div class="title">
        <h1>Targets</h1>
        {status !== undefined && <small>{countText(status.members.agents, 'agent')}, {countText(status.members.seeds, 'seed')}, {countText(status.members.proxies, 'proxy', 'proxies')}; {countText(status.members.online, 'machine')} online</small>}
      </div>
      <FilterForm what="targets" fields={environmentsKnown(status?.environments.map(({ environment }) => environment) ?? [])} />
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="targets" />}
      {reply?.items.length === 0 && (narrowed ? <p>No target is like that. <a href="/targets">Show all</a></p> : <p>No machine has joined yet: <code>starling token create --join --roles agent</code> makes what one needs for it.</p>)}
      {reply !== undefined && reply.items.length > 0 && <TargetTable targets={reply.items} pending={pending} />}
      {reply !== undefined && <Pager pages={pages} size={pageTargets} shown={reply.items.length} next={reply.next} pending={pending} what="targets" />}
    </>
  );
}

/** Of an environment it shows whom that selects, which is agents only; of the fleet, whom the filter names. */
function useTargets({ environment, name, label, connectivity, role, revoked }: Filter, cursor: string | undefined) {
  const page = { limit: pageTargets, ...(cursor === undefined ? {} : { cursor }), ...(name === undefined ? {} : { name }), ...(label === undefined ? {} : { label }), ...(connectivity === undefined ? {} : { connectivity: oneOf(['online', 'stale', 'offline'], connectivity) }) };
  const ofFleet = useQuery('listTargets', environment !== undefined ? undefined : { params: {}, query: { ...page, ...(role === undefined ? {} : { role: oneOf(['seed', 'proxy'], role) }), ...(revoked === undefined ? {} : { revoked: true }) } }, { pace: 'slow', hold: true });
  const ofEnvironment = useQuery('listEnvironmentTargets', environment === undefined ? undefined : { params: { environment }, query: page }, { pace: 'slow', hold: true });
  return environment === undefined ? ofFleet : ofEnvironment;
}

/** The first of the words stands for what an address may say by mistake. */
function oneOf<Word extends string>(words: readonly [Word, ...Word[]], text: string): Word {
  return words.find((one) => one === text) ?? words[0];
}

function addressOfTarget(name: string): string {
  return `/targets/${encodeURIComponent(name)}`;
}

function TargetTable({ targets, pending }: { readonly targets: readonly Target[]; readonly pending: boolean }): JSX.Element {
  return (
    <table class="stacked" aria-busy={pending}>
      <caption class="unseen">targets by name</caption>
      <thead><tr><th scope="col">Target</th><th scope="col">State</th><th scope="col">Runs</th><th scope="col">Doing</th><th scope="col">Environments</th><th scope="col">Labels</th><th scope="col">Last heard</th></tr></thead>
      <tbody>
        {targets.map((target) => (
          <tr key={target.member}>
            <th scope="row"><a href={addressOfTarget(target.revoked ? target.member : target.name)}>{target.name}</a></th>
            <td data-name="state"><Mark {...targetStanding(target)} /></td>
            <td data-name="runs">{target.running.map(({ app, number }) => `${app}@${number}`).join(', ') || <small>nothing</small>}</td>
            <td data-name="doing"><Doing target={target} /></td>
            <td data-name="environments">{target.environments.join(', ')}</td>
            <td data-name="labels"><small>{labelsText(target.labels)}</small></td>
            <td data-name="last heard">{target.lastSeenAt === undefined ? <small>not since the control plane started</small> : <Since at={target.lastSeenAt} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What it is told to change, and how much of it has come. */
export function Doing({ target: { work, fetching } }: { readonly target: Pick<Target, 'work' | 'fetching'> }): JSX.Element | null {
  const going = work.filter(({ settled }) => !settled);
  if (going.length === 0) return null;
  return (
    <>
      {going.map(({ app, deployment, phase }) => {
        const bytes = fetching.find((one) => one.deployment === deployment);
        return <div key={app}><a href={`/deployments/${encodeURIComponent(deployment)}`}>{deployment}</a>: {app} {phase.replaceAll('-', ' ')}{bytes !== undefined && `, ${bytesText(bytes.haveBytes)} of ${bytesText(bytes.totalBytes)}`}</div>;
      })}
    </>
  );
}
