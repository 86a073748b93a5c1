// An environment in full: what it runs and since when, what it waits for, and what holds it.

import type { JSX } from 'preact';
import type { EnvironmentNode } from '../attention.ts';
import { Blockers, Row, Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { setText, untilText } from '../words.ts';
import { LockDeeds } from './locks.tsx';
import { Panel } from './panel.tsx';
import { WindowsOf } from './windows.tsx';

export function EnvironmentPanel({ node, close }: { readonly node: EnvironmentNode; readonly close: () => void }): JSX.Element {
  const { now } = useUi();
  const { environment } = node;
  const { reply, problem } = useQuery('explainEnvironment', { params: { environment } }, ({ nextCheckAt }) => [nextCheckAt]);
  return (
    <Panel title={environment} close={close}>
      <dl>
        <Row name="runs"><strong>{setText(node.current)}</strong> {node.since !== undefined && <small><Since at={node.since} /></small>}</Row>
        <Row name="wants">{setText(node.desired)}</Row>
        <Row name="targets">{node.targets}</Row>
      </dl>
      <h3>Why it is where it is</h3>
      <Trouble problem={problem} />
      {reply !== undefined && (
        <>
          <p>{reply.summary}</p>
          <Blockers blockers={reply.blockers} />
          <ul>{reply.waits.map(({ reason, until }) => <li key={reason}>{reason}{until !== undefined && ` (${untilText(until, now())})`}</li>)}</ul>
        </>
      )}
      <WindowsOf environment={environment} />
      <LockDeeds node={node} />
    </Panel>
  );
}
