// A promotion, edited: what goes along it next and why it does not, and everything that may be switched without a new pipeline file. Each
// switch is an operation of the API; what it refuses is shown in its words.

import type { JSX } from 'preact';
import type { Graph } from '../../../proto/api/pipelines.ts';
import type { EdgeNode } from '../attention.ts';
import { because, Deed, reasonNeeded, reasonWelcome } from '../parts/deed.tsx';
import { Blockers, Row, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, setText, spanText } from '../words.ts';
import { edgeName } from '../graph/picture.tsx';
import { Configure } from './configure.tsx';
import { LockDeeds } from './locks.tsx';
import { Panel } from './panel.tsx';
import { Promote } from './promote.tsx';
import { WindowsOf } from './windows.tsx';

export interface EdgePanelProps {
  readonly graph: Graph;
  readonly edge: EdgeNode;
  readonly close: () => void;
}

export function EdgePanel({ graph, edge, close }: EdgePanelProps): JSX.Element {
  const name = edge.edge.slice(edge.edge.indexOf('/') + 1);
  const params = { pipeline: graph.pipeline, edge: name };
  const { reply: config, problem } = useQuery('getPromotionConfig', { params });
  const destination = graph.stages.flatMap(({ environments }) => environments).find(({ environment }) => environment === edge.to);
  return (
    <Panel title={`Promotion ${edgeName(edge)}`} close={close}>
      <h3>What goes next</h3>
      {edge.candidate === undefined ? <p>Nothing newer waits to go along here.</p> : <p><strong>{setText(edge.candidate)}</strong>{edge.blockers.length === 0 ? ': nothing holds it.' : ' waits. Why not now:'}</p>}
      <Blockers blockers={edge.blockers} />
      <h3>How it goes</h3>
      <Trouble problem={problem} />
      <dl>
        <Row name="carries">{edge.apps.join(', ')}</Row>
        <Row name="automatic">{!edge.auto ? 'no: somebody promotes' : edge.automation ? 'yes' : 'yes, and switched off now'}</Row>
        {config?.soakMs !== undefined && config.soakMs > 0 && <Row name="soaks">{spanText(config.soakMs)}</Row>}
        {config !== undefined && config.after.length > 0 && <Row name="after">{config.after.join(', ')}</Row>}
        {edge.promotion !== undefined && <Row name="waits as"><a href={`/promotions/${encodeURIComponent(edge.promotion)}`}>{edge.promotion}</a></Row>}
        {config !== undefined && config.windows.length > 0 && <Row name="windows">{config.windows.join(', ')}</Row>}
        {config?.off.map(({ kind, id, by = 'somebody', reason = '' }) => <Row key={`${kind} ${id}`} name="off">automation of {kind} {id}, by {by}: {reason}</Row>)}
        {config?.hold !== undefined && <Row name="on hold">by {config.hold.by}: {config.hold.reason}</Row>}
      </dl>
      <Switches edge={edge} params={params} held={config?.hold !== undefined} off={config?.off.some(({ kind }) => kind === 'edge') ?? false} />
      <Configure pipeline={graph.pipeline} edge={name} />
      <h3>By hand</h3>
      <Promote environment={edge.to} revision={edge.candidate === undefined ? 'source' : setText(edge.candidate)} />
      <WindowsOf environment={edge.to} />
      {destination !== undefined && <LockDeeds node={destination} />}
    </Panel>
  );
}

interface SwitchesProps {
  readonly edge: EdgeNode;
  readonly params: { readonly pipeline: string; readonly edge: string };
  readonly held: boolean;
  /** Whether the automation of this very promotion is switched off. */
  readonly off: boolean;
}

function Switches({ edge, params, held, off }: SwitchesProps): JSX.Element {
  const { client } = useUi();
  const automation = async (on: boolean, reason: { readonly reason?: string }): Promise<void> => {
    const at = { params: { kind: 'edge', id: edge.edge } };
    const { tag } = await client.tagged('getAutomation', at);
    await client.call('setAutomation', { ...at, body: { on, ...reason }, ifMatch: tag });
  };
  const release = async (reason: string): Promise<void> => {
    const { tag } = await client.tagged('getPromotionConfig', { params });
    await client.call('releaseHold', { params, query: { reason }, ifMatch: tag });
  };
  return (
    <div class="deeds">
      {off ? (
        <Deed key="on" label="Switch automation on" fields={[reasonWelcome]} command={({ reason }) => commandText(['automation', 'set', 'on', '--edge', edge.edge, ['--reason', reason]])} act={async (filled) => await automation(true, because(filled))} done="automation is on" />
      ) : (
        <Deed key="off" label="Switch automation off" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['automation', 'set', 'off', '--edge', edge.edge, ['--reason', reason || '…']])} act={async (filled) => await automation(false, because(filled))} done="automation is off" />
      )}
      {held && <Deed label="Release the hold" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['hold', 'release', edge.edge, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await release(reason)} done="the hold is released" />}
      {edge.enabled ? (
        <Deed key="disable" danger label="Let nothing pass" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['edge', 'disable', edge.edge, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await client.call('disablePromotionConfig', { params, body: { reason } })} done="nothing passes any more" />
      ) : (
        <Deed key="enable" label="Let promotions pass again" fields={[reasonWelcome]} command={({ reason }) => commandText(['edge', 'enable', edge.edge, ['--reason', reason]])} act={async (filled) => await client.call('enablePromotionConfig', { params, body: because(filled) })} done="promotions pass again" />
      )}
    </div>
  );
}
