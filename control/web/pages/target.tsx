// One machine: how it does, what it runs and since when, why it does not run what its environments want, and what was deployed
// to it.

import type { JSX } from 'preact';
import { useRoute } from 'preact-iso';
import { useEffect, useState } from 'preact/hooks';
import type { TargetDeployment } from '../../../proto/api/deployments.ts';
import type { Target } from '../../../proto/api/targets.ts';
import { heatOf } from '../deployment/heat.ts';
import { TargetDeeds } from '../fleet/deeds.tsx';
import { labelsText } from '../fleet/labels.ts';
import { isSelected, placesIn, targetStanding } from '../fleet/standing.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Row, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { bytesText, spanText } from '../words.ts';
import { Doing } from './targets.tsx';

/** Environments whose wishes are compared: each is a question of its own. */
const environmentsMax = 12;
/** Deployments on a page. */
const pageDeployments = 20;

export function TargetPage(): JSX.Element {
  const { target: id = '' } = useRoute().params;
  // Once it is known it is asked for by what is its own for ever: a name is free again when its machine is revoked.
  const [known, setKnown] = useState<{ readonly id: string; readonly member: string } | undefined>(undefined);
  const { reply, problem, pending } = useQuery('getTarget', { params: { target: known?.id === id ? known.member : id } }, { hold: true });
  useEffect(() => (reply === undefined || pending ? undefined : setKnown({ id, member: reply.member })), [id, reply?.member, pending]);
  const target = pending && known?.id !== id ? undefined : reply;
  useTitle(target?.name ?? id);
  return (
    <>
      <div class="title">
        <h1>{target?.name ?? id}</h1>
        {target !== undefined && <Mark {...targetStanding(target)} />}
        {target !== undefined && <small>{target.roles.join(', ')}</small>}
      </div>
      <Trouble problem={problem} />
      {target === undefined && problem === undefined && <Loading what={id} />}
      {target !== undefined && <Whole target={target} />}
    </>
  );
}

function Whole({ target }: { readonly target: Target }): JSX.Element {
  const { member, environments, labels, attributes, addresses, enrolledAt, lastSeenAt, clock, version, running, revoked, cordoned, refused = [] } = target;
  return (
    <>
      {clock !== undefined && (
        <div class="trouble">
          <p><strong>Its clock is {spanText(Math.abs(clock.aheadMs))} {clock.aheadMs < 0 ? 'behind' : 'ahead'}</strong>: its requests are refused for that, the last <Since at={clock.refusedAt} /></p>
          <p>Set it by network time (timedatectl there says whether it is); then it is heard again by itself.</p>
        </div>
      )}
      {cordoned !== undefined && <p class="notice"><strong>Cordoned</strong> since <Since at={cordoned.since} />: {cordoned.reason}</p>}
      {refused.map(({ deployment, order, code, detail, advice, since }) => (
        <div class="trouble" key={deployment}>
          <p><strong>Refuses order {order}</strong> of <a href={`/deployments/${encodeURIComponent(deployment)}`}>{deployment}</a> since <Since at={since} /> ({code}): {detail}</p>
          <p>{advice}</p>
        </div>
      ))}
      <dl>
        <Row name="runs">
          {running.length === 0 && 'nothing'}
          {running.map(({ app, number, since }) => <div key={app}><strong>{app}@{number}</strong> <small>since <Since at={since} /></small></div>)}
        </Row>
        {target.work.some(({ settled }) => !settled) && <Row name="doing"><Doing target={target} /></Row>}
        <Row name="last heard">{lastSeenAt === undefined ? 'not since the control plane started' : <Since at={lastSeenAt} />}</Row>
        <Row name="labels">{labelsText(labels) || 'none'}</Row>
        {Object.keys(attributes).length > 0 && <Row name="says of itself">{labelsText(attributes)}</Row>}
        <Row name="joined"><Since at={enrolledAt} /></Row>
        {version !== undefined && <Row name="daemon">{version}</Row>}
        {addresses.length > 0 && <Row name="addresses"><code>{addresses.join(' ')}</code></Row>}
        <Row name="member"><code class="long">{member}</code></Row>
      </dl>
      {environments.length > 0 && !revoked && (
        <section aria-label="what its environments want">
          <h2>What its environments want</h2>
          <ul class="places">{environments.slice(0, environmentsMax).map((name) => <InEnvironment key={name} target={target} name={name} />)}</ul>
          {environments.length > environmentsMax && <p>and {environments.length - environmentsMax} more</p>}
        </section>
      )}
      <History member={member} />
      {!revoked && <TargetDeeds target={target} />}
    </>
  );
}

function InEnvironment({ target, name }: { readonly target: Target; readonly name: string }): JSX.Element {
  const { reply, problem } = useQuery('getEnvironment', { params: { environment: name } }, { pace: 'slow' });
  const link = <a href={`/environments/${encodeURIComponent(name)}`}>{name}</a>;
  if (reply === undefined) return <li>{link} <Trouble problem={problem} /></li>;
  if (!isSelected(target, reply)) return <li>{link} <Mark tone="off" text="not selected" /> it may be there, but {name} selects by {labelsText(reply.selector)}</li>;
  return (
    <>
      {placesIn(target, reply).map(({ app, standing, why, deployment }) => (
        <li key={app}>{link} {app} <Mark {...standing} /> {why}{deployment !== undefined && <>: <a href={`/deployments/${encodeURIComponent(deployment)}`}>{deployment}</a></>}</li>
      ))}
    </>
  );
}

/** What was deployed to it, how far it came each time, and what it said. */
function History({ member }: { readonly member: string }): JSX.Element {
  const [failed, setFailed] = useState(false);
  const pages = usePages(`${member} ${failed}`);
  const { cursor } = pages;
  const { reply, problem, pending } = useQuery('listTargetDeployments', { params: { target: member }, query: { limit: pageDeployments, ...(cursor === undefined ? {} : { cursor }), ...(failed ? { failed } : {}) } }, { hold: true, pace: 'slow' });
  return (
    <section aria-label="what was deployed to it">
      <div class="title">
        <h2>What was deployed to it</h2>
        <div class="views" role="group" aria-label="deployments shown">
          <button type="button" class="quiet" aria-pressed={!failed} onClick={() => setFailed(false)}>all</button>
          <button type="button" class="quiet" aria-pressed={failed} onClick={() => setFailed(true)}>with trouble</button>
        </div>
      </div>
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="its deployments" />}
      {reply?.items.length === 0 && <p>{failed ? 'Nothing failed here.' : 'Nothing was deployed to it yet.'} <a href={`/audit?actor=${encodeURIComponent(`member:${member}`)}`}>All that it said is in the audit</a></p>}
      {reply !== undefined && reply.items.length > 0 && (
        <table class="stacked">
          <caption class="unseen">deployments, newest first</caption>
          <thead><tr><th scope="col">When</th><th scope="col">Deployment</th><th scope="col">Here</th><th scope="col">What it says</th></tr></thead>
          <tbody>{reply.items.map((one) => <PastRow key={one.deployment} past={one} />)}</tbody>
        </table>
      )}
      {reply?.next === undefined && reply?.archived !== undefined && <p><small>{reply.archived === 1 ? '1 deployment' : `${reply.archived} deployments`} to its environments longer ago: which of them it had a part in, only their own pages tell, which are read back from the journal.</small></p>}
      {reply !== undefined && (reply.next !== undefined || cursor !== undefined) && <Pager pages={pages} size={pageDeployments} shown={reply.items.length} next={reply.next} pending={pending} what="deployments" />}
    </section>
  );
}

function PastRow({ past: { deployment, environment, type, app, number, startedAt, phase: whole, target } }: { readonly past: TargetDeployment }): JSX.Element {
  const { phase, code = '', detail = '', output, transfer, refused } = target;
  const { tone, text } = heatOf(phase);
  return (
    <tr>
      <th scope="row"><Since at={startedAt} /></th>
      <td data-name="deployment"><a href={`/deployments/${encodeURIComponent(deployment)}`}>{deployment}</a> <small>{type} of {app}@{number} in {environment}, {whole}</small></td>
      <td data-name="here"><Mark tone={tone} text={text} /></td>
      <td data-name="says">
        {code} {detail}
        {refused !== undefined && <>refuses order {refused.order} ({refused.code}): {refused.detail}</>}
        {transfer !== undefined && <small>{bytesText(transfer.peerBytes)} from peers, {bytesText(transfer.originBytes)} from origin, {bytesText(transfer.reusedBytes)} was there already</small>}
        {output !== undefined && <pre tabIndex={0} aria-label="what a hook wrote">{output}</pre>}
      </td>
    </tr>
  );
}
