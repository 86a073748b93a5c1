// One environment as a card of a fixed size: what runs, since when, what holds it, what comes next. The whole text is in the panel that
// it opens.

import type { JSX } from 'preact';
import type { DeploymentSummary } from '../../../proto/api/deployments.ts';
import { edgeStanding, environmentStanding, type EdgeNode, type EnvironmentNode } from '../attention.ts';
import { Icon } from '../parts/icons.tsx';
import { Mark } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { agoText, setText, timeText, untilText } from '../words.ts';

export interface CardProps {
  readonly node: EnvironmentNode;
  readonly deployment: DeploymentSummary | undefined;
  /** What leads here. */
  readonly edges: readonly EdgeNode[];
  readonly selected: boolean;
  readonly select: () => void;
}

export function EnvironmentCard({ node, deployment, edges, selected, select }: CardProps): JSX.Element {
  const { now } = useUi();
  const held = edges.find(({ blockers }) => blockers.length > 0);
  const next = edges.find(({ candidate }) => candidate !== undefined);
  return (
    <div class={`environment ${selected ? 'selected' : ''}`}>
      <p class="head">
        <button type="button" class="whole" aria-expanded={selected} onClick={select}>{node.environment}</button> <Mark {...environmentStanding(node, deployment)} />
      </p>
      <p class="runs">
        <strong>{setText(node.current)}</strong>
        {node.since !== undefined && <small> {agoText(node.since, now())}</small>}
      </p>
      {node.activeDeployment !== undefined && deployment !== undefined && <Progress deployment={deployment} />}
      <Restraints node={node} />
      {next?.candidate !== undefined && (
        <p class="next">
          next {setText(next.candidate)}
          {held !== undefined && <span class={`word ${edgeStanding(held).tone}`}>: {edgeStanding(held).text}</span>}
        </p>
      )}
    </div>
  );
}

/** Locks, pins and windows, where they stand: CDS-18. */
export function Restraints({ node }: { readonly node: EnvironmentNode }): JSX.Element {
  const { now } = useUi();
  const { locks, pinned, windows } = node;
  return (
    <ul class="restraints">
      {locks.map(({ lock, reason, until }) => (
        <li key={lock} class="lock" title={reason}>
          <Icon name="lock" /> Locked: {reason}{until !== undefined && ` (until ${timeText(until, now())})`}
        </li>
      ))}
      {pinned && <li><Icon name="pin" /> Pinned</li>}
      {windows.names.length > 0 && (
        <li class={windows.open ? 'window open' : 'window closed'} title={windows.names.join(', ')}>
          <Icon name="window" /> {windows.open ? 'Window open' : 'Window closed'}: {windows.until === undefined ? windows.names.join(', ') : `${windows.open ? 'closes' : 'opens'} ${untilText(windows.until, now())}`}
        </li>
      )}
    </ul>
  );
}

export function Progress({ deployment: { progress, phase } }: { readonly deployment: DeploymentSummary }): JSX.Element {
  const { done, total, failed, batch, batches } = progress;
  const text = `${done} of ${total} targets${failed > 0 ? `, ${failed} failed` : ''}, batch ${Math.min(batch + 1, batches)} of ${batches}`;
  return <progress value={done} max={Math.max(1, total)} aria-label={`${phase}: ${text}`} title={text}>{text}</progress>;
}
