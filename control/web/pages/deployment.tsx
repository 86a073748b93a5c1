// The screen of a deployment, and the screen of a promotion: a promotion is the wish, its deployment is how it is carried out, and both are
// looked at together.

import type { JSX } from 'preact';
import { useRoute } from 'preact-iso';
import type { Promotion } from '../../../proto/api/promotions.ts';
import type { Tone } from '../attention.ts';
import { bakesOf, DeploymentDetail, DeploymentMark } from '../deployment/detail.tsx';
import { because, Deed, reasonNeeded, reasonWelcome } from '../parts/deed.tsx';
import { Blockers, Loading, Mark, Row, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, setText } from '../words.ts';

export function DeploymentPage(): JSX.Element {
  const { deployment: id = '' } = useRoute().params;
  const { reply: one, problem } = useQuery('getDeployment', { params: { deployment: id } }, { wakes: bakesOf });
  const { reply: explanation } = useQuery('explainPromotion', one === undefined ? undefined : { params: { promotion: one.promotion } }, { wakes: ({ nextCheckAt }) => [nextCheckAt] });
  useTitle(one === undefined ? id : `${one.app}@${one.number} to ${one.environment}`);
  return (
    <>
      <div class="title">
        <h1>{one === undefined ? id : `${one.app}@${one.number} to ${one.environment}`}</h1>
        {one !== undefined && <DeploymentMark deployment={one} />}
        {one !== undefined && <small>{one.type}, deployment {one.seq} there; <a href={`/promotions/${encodeURIComponent(one.promotion)}`}>its promotion</a></small>}
      </div>
      <Trouble problem={problem} />
      {one === undefined && problem === undefined && <Loading what={id} />}
      {one !== undefined && <DeploymentDetail deployment={one} explanation={explanation} />}
    </>
  );
}

const promotionTones: Readonly<Record<Promotion['phase'], Tone>> = {
  waiting: 'waiting', deploying: 'busy', verifying: 'busy', succeeded: 'well', failed: 'bad', errored: 'bad', rejected: 'bad', aborted: 'off', superseded: 'off',
};

export function PromotionPage(): JSX.Element {
  const { promotion: id = '' } = useRoute().params;
  const { reply: one, problem } = useQuery('getPromotion', { params: { promotion: id } });
  const { reply: explanation, problem: unexplained } = useQuery('explainPromotion', { params: { promotion: id } }, { wakes: ({ nextCheckAt }) => [nextCheckAt] });
  const { reply: deployment, problem: unheard } = useQuery('getDeployment', one?.deployment === undefined ? undefined : { params: { deployment: one.deployment } }, { wakes: bakesOf });
  useTitle(one === undefined ? id : `${setText(one.members ?? [one])} to ${one.environment}`);
  return (
    <>
      <div class="title">
        <h1>{one === undefined ? id : `${setText(one.members ?? [one])} to ${one.environment}`}</h1>
        {one !== undefined && <Mark tone={promotionTones[one.phase]} text={one.phase} />}
      </div>
      <Trouble problem={problem ?? unexplained} />
      {one === undefined && problem === undefined && <Loading what={id} />}
      {one !== undefined && (
        <dl>
          <Row name="asked for">by {one.by}{one.cause !== undefined && ` (${one.cause})`}, <Since at={one.createdAt} />{one.reason !== undefined && `: ${one.reason}`}</Row>
          {one.outcome !== undefined && <Row name="outcome">{one.outcome}</Row>}
          {one.edge !== undefined && <Row name="along"><a href={`/pipelines/${encodeURIComponent(one.edge.slice(0, one.edge.indexOf('/')))}?edge=${encodeURIComponent(one.edge)}`}>{one.edge}</a></Row>}
        </dl>
      )}
      {explanation !== undefined && <p>{explanation.summary}</p>}
      {explanation !== undefined && explanation.blockers.length > 0 && <><h2>Why not now</h2><Blockers blockers={explanation.blockers} /></>}
      {one !== undefined && <PromotionDeeds promotion={one} liftable={explanation?.blockers.some(({ type }) => ['window', 'freeze', 'compliance'].includes(type)) ?? false} />}
      <Trouble problem={unheard} />
      {deployment !== undefined && <><h2>Deployment {deployment.deployment} <DeploymentMark deployment={deployment} /></h2><DeploymentDetail deployment={deployment} explanation={explanation} /></>}
    </>
  );
}

function PromotionDeeds({ promotion: { promotion, phase }, liftable }: { readonly promotion: Promotion; readonly liftable: boolean }): JSX.Element | null {
  const { client } = useUi();
  if (phase !== 'waiting') return null;
  const params = { promotion };
  return (
    <div class="deeds">
      {liftable && (
        <Deed label="Break the glass" fields={[reasonNeeded]} command={({ reason }) => commandText(['override', 'create', '--promotion', promotion, ['--reason', reason]])} act={async ({ reason = '' }) => await client.call('createOverride', { params, body: { reason } })} done="those who may lift it are asked" />
      )}
      <Deed danger label="Abort" fields={[reasonWelcome]} command={({ reason }) => commandText(['promotion', 'abort', promotion, ['--reason', reason]])} act={async (filled) => await client.call('abortPromotion', { params, body: because(filled) })} done="the promotion is aborted" />
    </div>
  );
}
