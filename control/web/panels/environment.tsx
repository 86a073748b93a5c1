// An environment in full: what it runs and since when, what it waits for, what holds it, what it ran before; and what can be done there.

import type { JSX } from 'preact';
import type { EdgeNode, EnvironmentNode } from '../attention.ts';
import { RollbackDeed } from '../deployment/deeds.tsx';
import { Deed, reasonNeeded, type Field } from '../parts/deed.tsx';
import { addressWith } from '../parts/filter.tsx';
import { Blockers, Row, Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, countText, setText, untilText } from '../words.ts';
import { DriftOf } from './drift.tsx';
import { endOf, hoursField, LockDeeds } from './locks.tsx';
import { Panel } from './panel.tsx';
import { Promote } from './promote.tsx';
import { WindowsOf } from './windows.tsx';

export interface EnvironmentPanelProps {
  readonly node: EnvironmentNode;
  /** What leads here. */
  readonly edges: readonly EdgeNode[];
  readonly close: () => void;
}

export function EnvironmentPanel({ node, edges, close }: EnvironmentPanelProps): JSX.Element {
  const ui = useUi();
  const { environment, activeDeployment, newestDeployment, waiting, run } = node;
  const { reply, problem } = useQuery('explainEnvironment', { params: { environment } }, { wakes: ({ nextCheckAt }) => [nextCheckAt] });
  const candidate = edges.find((edge) => edge.candidate !== undefined)?.candidate;
  return (
    <Panel title={environment} close={close}>
      <dl>
        <Row name="runs"><strong>{setText(node.current)}</strong> {node.since !== undefined && <small><Since at={node.since} /></small>}</Row>
        {setText(node.desired) !== setText(node.current) && <Row name="wants">{setText(node.desired)}</Row>}
        <Row name="targets">{node.targets}</Row>
        {(activeDeployment ?? newestDeployment) !== undefined && <Row name={activeDeployment === undefined ? 'newest' : 'deploying'}><a href={`/deployments/${encodeURIComponent(activeDeployment ?? newestDeployment ?? '')}`}>deployment {activeDeployment ?? newestDeployment}</a></Row>}
        {waiting.length > 0 && <Row name="waiting">{waiting.map((id) => <a key={id} href={`/promotions/${encodeURIComponent(id)}`}>{id} </a>)}</Row>}
        {run !== undefined && <Row name="workflow">{run.workflow}: {run.phase}</Row>}
      </dl>
      <h3>Why it is where it is</h3>
      <Trouble problem={problem} />
      {reply !== undefined && (
        <>
          <p>{reply.summary}</p>
          <Blockers blockers={reply.blockers} />
          <ul>{reply.waits.map(({ reason, until }) => <li key={reason}>{reason}{until !== undefined && ` (${untilText(until, ui.now())})`}</li>)}</ul>
        </>
      )}
      <h3>What can be done</h3>
      <Promote environment={environment} revision={candidate === undefined ? 'source' : setText(candidate)} />
      <div class="deeds"><RollbackDeed environment={environment} /><PinDeed node={node} /></div>
      <WindowsOf environment={environment} />
      <LockDeeds node={node} />
      <h3>Machines</h3>
      <p><a href={addressWith('/targets', { environment })}>The {countText(node.targets, 'target')} of {environment}</a></p>
      <DriftOf environment={environment} />
      <History environment={environment} />
    </Panel>
  );
}

const whatField: Field = { name: 'revision', label: 'To what? Empty: what it runs now', kind: 'text', hint: 'web@41' };

/** Keeps an environment at a set, or lets it change again. */
function PinDeed({ node: { environment, pinned } }: { readonly node: EnvironmentNode }): JSX.Element {
  const { client, now } = useUi();
  const params = { environment };
  const tag = async (): Promise<string> => (await client.tagged('getPin', { params })).tag;
  if (pinned) {
    return <Deed key="unpin" label="Unpin" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['unpin', environment, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await client.call('removePin', { params, query: { reason }, ifMatch: await tag() })} done={`${environment} may change again`} />;
  }
  return (
    <Deed
      key="pin"
      label="Pin"
      fields={[reasonNeeded, whatField, hoursField]}
      command={({ reason = '', revision, hours }) => commandText(['pin', environment, ['--reason', reason || '…'], ['--revision', revision], ['--until', endOf(hours, 0) === undefined ? undefined : `${String(hours).trim()}h`]])}
      act={async ({ reason = '', revision = '', hours }) => {
        const until = endOf(hours, now());
        await client.call('placePin', { params, body: { reason, ...(revision.trim() === '' ? {} : { revision: revision.trim() }), ...(until === undefined ? {} : { until }) }, ifMatch: await tag() });
      }}
      done={`${environment} is pinned`}
    />
  );
}

/** Deployments shown: enough to see when it was last well. */
const historyMax = 8;

function History({ environment }: { readonly environment: string }): JSX.Element {
  const { reply, problem } = useQuery('listHistory', { params: { environment }, query: { limit: historyMax } });
  return (
    <>
      <h3>What came here</h3>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing yet.</p>}
      <ul class="history">
        {reply?.items.map(({ deployment, app, to, phase, type, startedAt, by, current }) => (
          <li key={deployment}>
            <a href={`/deployments/${encodeURIComponent(deployment)}`}>{app}@{to.number}</a> {phase.replaceAll('-', ' ')}{type !== 'promote' && ` (${type})`}{current && <strong>, runs now</strong>} <small>by {by}, <Since at={startedAt} /></small>
          </li>
        ))}
      </ul>
    </>
  );
}
