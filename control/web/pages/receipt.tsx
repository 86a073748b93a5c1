// The receipt of a deployment: how long its bytes took beside how long they had to, where they came from, who fed whom, and what held up the last.

import type { JSX } from 'preact';
import { useRoute } from 'preact-iso';
import type { Receipt, ReceiptTarget } from '../../../proto/api/swarm.ts';
import { deploymentStanding } from '../attention.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Cli, Loading, Mark, Row, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { causeText, copiesText, paceOf, sharesOf } from '../swarm/account.ts';
import { Feeders, Shares } from '../swarm/parts.tsx';
import { bytesText, commandText, countText, tookText } from '../words.ts';

const pageTargets = 100;

export function ReceiptPage(): JSX.Element {
  const { deployment: id = '' } = useRoute().params;
  const pages = usePages(id);
  const { reply: one, problem, pending } = useQuery('getReceipt', { params: { deployment: id }, query: { limit: pageTargets, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'slow', hold: true });
  const title = one === undefined ? `How the bytes of ${id} travelled` : `How the bytes of ${one.app}@${one.number} to ${one.environment} travelled`;
  useTitle(title);
  return (
    <>
      <div class="title">
        <h1>{title}</h1>
        {one !== undefined && <Mark {...deploymentStanding(one)} />}
        <a href={`/deployments/${encodeURIComponent(id)}`}>the deployment</a>
      </div>
      <Trouble problem={problem} />
      {one === undefined && problem === undefined && <Loading what="its receipt" />}
      {one !== undefined && <Summary receipt={one} />}
      {one !== undefined && one.items.length > 0 && <TargetTable targets={one.items} pending={pending} />}
      {one !== undefined && <Pager pages={pages} size={pageTargets} shown={one.items.length} next={one.next} pending={pending} total={one.targets.total} what="targets" />}
    </>
  );
}

function Summary({ receipt: one }: { readonly receipt: Receipt }): JSX.Element {
  const { targets, bytes, slowest, feeders, savedEgressBytes } = one;
  const pace = paceOf(one);
  return (
    <>
      <Shares shares={sharesOf(bytes)} what="bytes by where they came from" />
      <dl>
        <Row name="time"><Mark tone={pace.tone} text={one.time.ratio === undefined ? 'no bound' : `${one.time.ratio.toFixed(2)} × the bound`} /> {pace.text}</Row>
        <Row name="targets">{targets.fetched} of {countText(targets.total, 'target')} fetched{targets.fetching > 0 && `, ${targets.fetching} at it`}{targets.silent > 0 && `, ${targets.silent} had nothing to fetch, or did not get so far`}</Row>
        {copiesText(one).length > 0 && <Row name="copies">{copiesText(one).map((text) => <div key={text}>{text}</div>)}</Row>}
        {savedEgressBytes > 0 && <Row name="saved"><strong>{bytesText(savedEgressBytes)}</strong> that targets brought one another need not leave the origin</Row>}
        {bytes.deltaBytes + bytes.savedBytes > 0 && <Row name="deltas">{bytes.deltaBytes === 0 ? 'came with the index of the revision' : bytesText(bytes.deltaBytes)}, which saved {bytesText(bytes.savedBytes)}</Row>}
        {slowest !== undefined && <Row name="last done"><a href={`/targets/${encodeURIComponent(slowest.member)}`}>{slowest.name}</a>{slowest.durationMs !== undefined && `, ${tookText(slowest.durationMs)}`}{causeText(slowest) !== '' && `: ${causeText(slowest)}`}</Row>}
      </dl>
      <Cli command={commandText(['swarm', 'receipt', one.deployment])} />
      {feeders.length > 0 && (
        <section aria-label="who fed most">
          <h2>Who fed most</h2>
          <ol class="feeders">
            {feeders.map(({ member, name, origin, bytes: sent, targets: fed }) => (
              <li key={member}>
                <span><a href={`/targets/${encodeURIComponent(member)}`}>{name}</a>{origin && <small> origin</small>}</span>
                <progress value={sent} max={Math.max(1, feeders[0]?.bytes ?? 1)} aria-label={`${name} sent ${bytesText(sent)}`} />
                <span>{bytesText(sent)} to {countText(fed, 'target')}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

const states: Readonly<Record<ReceiptTarget['state'], string>> = { fetched: '', fetching: 'at it', silent: 'nothing said' };

function TargetTable({ targets, pending }: { readonly targets: readonly ReceiptTarget[]; readonly pending: boolean }): JSX.Element {
  return (
    <section aria-label="targets">
      <h2>Target by target</h2>
      <table class="stacked" aria-busy={pending}>
        <caption class="unseen">targets, batch by batch</caption>
        <thead><tr><th scope="col">Target</th><th scope="col">Zone</th><th scope="col">Took</th><th scope="col">Peers</th><th scope="col">Origin</th><th scope="col">There already</th><th scope="col">Fed by</th><th scope="col">What held it up</th></tr></thead>
        <tbody>
          {targets.map((target) => (
            <tr key={target.member}>
              <th scope="row"><a href={`/targets/${encodeURIComponent(target.member)}`}>{target.name}</a></th>
              <td data-name="zone">{target.zone}</td>
              <td data-name="took">{target.durationMs === undefined ? states[target.state] : tookText(target.durationMs)}</td>
              <td data-name="peers">{bytesText(target.peerBytes)}</td>
              <td data-name="origin">{bytesText(target.originBytes)}</td>
              <td data-name="there already">{bytesText(target.reusedBytes)}</td>
              <td data-name="fed by"><Feeders from={target.from} /></td>
              <td data-name="held up by">{causeText(target)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
