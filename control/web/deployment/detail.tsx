// One deployment: how far it is, what it waits for, its batches, its targets, and what can be done to it.

import type { JSX } from 'preact';
import type { Deployment } from '../../../proto/api/deployments.ts';
import type { Explanation } from '../../../proto/api/promotions.ts';
import { deploymentStanding } from '../attention.ts';
import { Mark, Row, Since } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { bytesText, spanText, untilText } from '../words.ts';
import { Batches } from './batches.tsx';
import { DeploymentDeeds } from './deeds.tsx';
import { Targets } from './targets.tsx';

/** When a deployment will look different by time alone. */
export function bakesOf({ batches }: Pick<Deployment, 'batches'>): readonly (number | undefined)[] {
  return batches.map(({ bakeUntil }) => bakeUntil);
}

export function DeploymentMark({ deployment }: { readonly deployment: Pick<Deployment, 'phase' | 'paused'> }): JSX.Element {
  return <Mark {...deploymentStanding(deployment)} />;
}

export function DeploymentDetail({ deployment: one, explanation }: { readonly deployment: Deployment; readonly explanation: Explanation | undefined }): JSX.Element {
  const { now } = useUi();
  const { progress, paused, reason, startedAt, finishedAt, rollback } = one;
  const { originBytes, peerBytes, reusedBytes } = progress.transfer;
  return (
    <>
      <DeploymentDeeds deployment={one} />
      {paused !== undefined && <p class="notice"><strong>Paused{paused.byHand ? '' : ' by a window'}</strong> since <Since at={paused.since} />: {paused.reason}</p>}
      {rollback !== undefined && <p class="notice bad"><strong>{rollback.targets === 0 ? 'Goes' : 'Went'} back</strong> to {one.app}@{rollback.number}{reason !== undefined && `: ${reason}`}</p>}
      <p class="progress">
        <progress value={progress.done} max={Math.max(1, progress.total)} aria-label="targets that are done" />
        <span>{progress.done} of {progress.total} targets done{progress.failed > 0 && <strong>, {progress.failed} failed</strong>}{progress.inFlight > 0 && `, ${progress.inFlight} changing now`}{progress.revoked !== undefined && `, ${progress.revoked} revoked on the way and counted no longer`}</span>
      </p>
      <dl>
        <Row name="began"><Since at={startedAt} />{finishedAt !== undefined && `; took ${spanText(finishedAt - startedAt)}`}</Row>
        {rollback === undefined && reason !== undefined && <Row name="outcome">{reason}</Row>}
        {originBytes + peerBytes + reusedBytes > 0 && <Row name="bytes">{bytesText(peerBytes)} from peers, {bytesText(originBytes)} from origin, {bytesText(reusedBytes)} was there already; <a href={`/deployments/${encodeURIComponent(one.deployment)}/receipt`}>how they travelled</a></Row>}
        {explanation !== undefined && explanation.waits.length > 0 && <Row name="waits for"><ul>{explanation.waits.map(({ reason: why, until }) => <li key={why}>{why}{until !== undefined && ` (${untilText(until, now())})`}</li>)}</ul></Row>}
      </dl>
      <h2>Batches</h2>
      <Batches batches={one.batches} />
      <Targets deployment={one} />
    </>
  );
}
