// The inbox of those who are asked: mine first, with exactly what is approved, who must say yes, and what was said. Others' requests are
// below, to be seen and not to be answered.

import type { JSX } from 'preact';
import type { Approval } from '../../../proto/api/approvals.ts';
import { Deed, reasonNeeded, type Field } from '../parts/deed.tsx';
import { Loading, Row, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, setText, untilText } from '../words.ts';

/** Changes shown of one request; the rest is counted. */
const changesMax = 12;
const pageItems = 100;

export function ApprovalsPage(): JSX.Element {
  const mine = useQuery('listApprovals', { params: {}, query: { assignee: 'me', limit: pageItems } }, { wakes: ({ items }) => items.map(({ expiresAt }) => expiresAt) });
  const open = useQuery('listApprovals', { params: {}, query: { status: 'open', limit: pageItems } });
  // Not before it is known which are mine: a request that moved up then would lose what somebody writes in it.
  const isKnown = mine.reply !== undefined || mine.problem !== undefined;
  const others = (isKnown ? open.reply?.items ?? [] : []).filter(({ approval }) => mine.reply?.items.every((one) => one.approval !== approval) ?? true);
  useTitle('Approvals');
  return (
    <>
      <h1>Approvals</h1>
      <Trouble problem={mine.problem ?? open.problem} />
      {!isKnown && <Loading what="requests" />}
      {mine.reply?.items.length === 0 && <p>Nothing waits for you.</p>}
      <ol class="requests">{mine.reply?.items.map((one) => <Request key={one.approval} request={one} />)}</ol>
      {others.length > 0 && (
        <>
          <h2>Waits for others</h2>
          <ol class="requests">{others.map((one) => <Request key={one.approval} request={one} />)}</ol>
        </>
      )}
      {(mine.reply?.next ?? open.reply?.next) !== undefined && <p>There are more: <code>starling approval list</code> has all.</p>}
    </>
  );
}

const purposes: Readonly<Record<Approval['purpose'], string>> = { promotion: 'may go', step: 'is good', compliance: 'complies, and may go', override: 'goes past what holds it' };

function Request({ request: one }: { readonly request: Approval }): JSX.Element {
  const { now } = useUi();
  const { approval, purpose, environment, source, members, missing, votes, excluded, reason, expiresAt, lifts = [], set, step } = one;
  return (
    <li class="card">
      <h2>{setText(members)} {purposes[purpose]}{environment !== undefined && ` to ${environment}`}</h2>
      <dl>
        <Row name="asked">by {one.by}, <Since at={one.openedAt} />{reason !== undefined && `: ${reason}`}</Row>
        <Row name="from">{source}{step !== undefined && `, step ${step}`}</Row>
        {lifts.length > 0 && <Row name="lifts"><strong>{lifts.join(', ')}</strong></Row>}
        <Row name="still needs">{missing.map(({ group, count }) => `${count} of ${group === '*' ? 'anybody who may approve' : group}`).join(', ') || 'nobody'}</Row>
        {excluded.length > 0 && <Row name="not counted">{excluded.join(', ')}</Row>}
        {votes.length > 0 && <Row name="said">{votes.map(({ by, decision, comment, revokedAt }) => `${by}: ${revokedAt === undefined ? decision : 'took it back'}${comment === undefined ? '' : ` (${comment})`}`).join('; ')}</Row>}
        {expiresAt !== undefined && <Row name="expires">{untilText(expiresAt, now())}</Row>}
        <Row name="exactly"><code>{set.slice(0, 16)}</code></Row>
      </dl>
      <Changes changes={one.changes} />
      {one.mine.may ? <VoteDeeds approval={approval} what={setText(members)} /> : <p><small>You cannot vote{one.mine.why !== undefined && `: ${one.mine.why}`}</small></p>}
    </li>
  );
}

function Changes({ changes }: Pick<Approval, 'changes'>): JSX.Element {
  if (changes.length === 0) return <p><small>Nothing is known of the changes in it.</small></p>;
  return (
    <details open={changes.length <= 3}>
      <summary>{changes.length === 1 ? '1 change' : `${changes.length} changes`} that it does not run yet</summary>
      <ul>
        {changes.slice(0, changesMax).map(({ commit, author, message }) => <li key={commit}><code>{commit.slice(0, 10)}</code> {message.split('\n', 1)[0]} <small>{author}</small></li>)}
        {changes.length > changesMax && <li>and {changes.length - changesMax} more</li>}
      </ul>
    </details>
  );
}

const commentField: Field = { name: 'comment', label: 'What should others know?', kind: 'text' };

function VoteDeeds({ approval, what }: { readonly approval: string; readonly what: string }): JSX.Element {
  const { client } = useUi();
  const params = { approval };
  return (
    <div class="deeds">
      <Deed label="Approve" fields={[commentField]} command={({ comment }) => commandText(['approve', approval, ['--comment', comment]])} act={async ({ comment = '' }) => await client.call('approve', { params, body: comment.trim() === '' ? {} : { comment: comment.trim() } })} done={`${what} is approved by you`} />
      <Deed danger label="Reject" fields={[{ ...reasonNeeded, name: 'comment' }]} command={({ comment = '' }) => commandText(['reject', approval, ['--comment', comment || '…']])} act={async ({ comment = '' }) => await client.call('reject', { params, body: { comment } })} done={`${what} is rejected by you`} />
    </div>
  );
}
