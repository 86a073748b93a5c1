// The way of one commit or one revision: when it was pushed and by whom, and in each environment who asked for it, who approved it, what tests said,
// which deployment brought it, and which machines have it.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Trace } from '../../../proto/api/history.ts';
import { cellText, cellTones } from '../changes/table.tsx';
import { FilterForm, useFilter } from '../parts/filter.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Mark, Row, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { bytesText, countText, setText } from '../words.ts';

type Stop = Trace['environments'][number];

const pageMachines = 50;
const fields = [
  { name: 'of', label: 'Commit or revision', hint: '1a2b3c4d or web@41' },
  { name: 'app', label: 'Only of application', hint: 'web' },
] as const;

export function TracePage(): JSX.Element {
  const { of, app } = useFilter(['of', 'app']);
  const { reply, problem } = useQuery('trace', of === undefined ? undefined : { params: {}, query: { of, ...(app === undefined ? {} : { app }) } }, { pace: 'slow', wakes: ({ items }) => items.flatMap(({ environments }) => environments.map(({ until }) => until)) });
  useTitle(of === undefined ? 'Trace' : `The way of ${of}`);
  return (
    <>
      <h1>{of === undefined ? 'The way of a change' : `The way of ${of}`}</h1>
      <FilterForm what="what is traced" fields={fields} />
      <Trouble problem={problem} />
      {of === undefined && <p>Name a commit, of which the first six letters are enough, or a revision. <a href="/changes?all=yes">All changes</a></p>}
      {of !== undefined && reply === undefined && problem === undefined && <Loading what={of} />}
      {of !== undefined && reply?.items.map((one) => <TraceOf key={`${one.app} ${one.revision}`} trace={one} of={of} />)}
    </>
  );
}

function TraceOf({ trace: { app, number, revision, commit, author, message, at, pushedAt, pushedBy, bytes, tests, signedBy, environments }, of }: { readonly trace: Trace; readonly of: string }): JSX.Element {
  return (
    <section aria-label={setText([{ app, number, revision }])}>
      <h2>{app}@{number}{message !== '' && `: ${message.split('\n', 1)[0]}`}</h2>
      <dl>
        {commit !== undefined && <Row name="commit"><code class="long">{commit}</code> by {author}, <Since at={at} /></Row>}
        <Row name="pushed">by {pushedBy}, <Since at={pushedAt} />, {bytesText(bytes)}</Row>
        {tests !== undefined && <Row name="tests">{tests.passed} of {tests.total} passed{tests.score !== undefined && `, score ${tests.score}`}</Row>}
        {signedBy.length > 0 && <Row name="signed by">{signedBy.join(', ')}</Row>}
        <Row name="revision"><code class="long">{revision}</code></Row>
      </dl>
      <ol class="stops">{environments.map((stop) => <StopOf key={stop.environment} stop={stop} app={app} of={of} />)}</ol>
    </section>
  );
}

function StopOf({ stop, app, of }: { readonly stop: Stop; readonly app: string; readonly of: string }): JSX.Element {
  const { environment, state, since, reason, promotions, more, approvals, runs, targets, having } = stop;
  return (
    <li class="card">
      <h3><a href={`/environments/${encodeURIComponent(environment)}`}>{environment}</a> <Mark tone={cellTones[state]} text={cellText(stop)} /> {since !== undefined && <small><Since at={since} /></small>}</h3>
      {reason !== undefined && <p>{reason}</p>}
      <ul>
        {promotions.map(({ promotion, number, phase, by, at, cause, reason: why, outcome, deployments }) => (
          <li key={promotion}>
            <a href={`/promotions/${encodeURIComponent(promotion)}`}>promotion of {app}@{number}</a> {phase}, by {by}{cause !== undefined && ` (${cause})`}, <Since at={at} />{why !== undefined && `: ${why}`}{outcome !== undefined && `; ${outcome}`}
            <ul class="inner">{deployments.map((one) => <li key={one.deployment}><a href={`/deployments/${encodeURIComponent(one.deployment)}`}>{one.deployment}</a> {one.phase.replaceAll('-', ' ')}, {one.done} of {countText(one.targets, 'target')}{one.failed > 0 && `, ${one.failed} failed`}{one.exemptions.map(({ gate, why: past }) => <small key={gate}> past {gate}: {past}</small>)}</li>)}</ul>
          </li>
        ))}
        {more > 0 && <li>{countText(more, 'older promotion')}, of which the <a href={`/audit?object=${encodeURIComponent(`environment:${environment}`)}`}>audit</a> tells</li>}
        {approvals.map(({ approval, purpose, status, openedAt, votes }) => <li key={approval}>approval of {purpose}: <strong>{status}</strong>, asked <Since at={openedAt} />{votes.map(({ by, decision, comment, revokedAt }) => <small key={by}> {by}: {revokedAt === undefined ? decision : 'took it back'}{comment !== undefined && ` (${comment})`}</small>)}</li>)}
        {runs.map(({ run, workflow, phase, startedAt, outcome, steps }) => <li key={run}>workflow {workflow}: <strong>{phase}</strong>, <Since at={startedAt} />{outcome !== undefined && `: ${outcome}`}<small> {steps.map((one) => `${one.step} ${one.phase}`).join(', ')}</small></li>)}
      </ul>
      {targets > 0 && <Machines environment={environment} app={app} of={of} text={`${having} of ${countText(targets, 'machine')} ${having === 1 ? 'has' : 'have'} it`} />}
    </li>
  );
}

/** Asked only when somebody opens it. */
function Machines({ environment, app, of, text }: { readonly environment: string; readonly app: string; readonly of: string; readonly text: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  const pages = usePages(`${environment} ${app} ${of}`);
  const { reply, problem, pending } = useQuery('listTraceMachines', open ? { params: {}, query: { of, app, environment, limit: pageMachines, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } } : undefined, { pace: 'slow', hold: true });
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{text}</summary>
      <Trouble problem={problem} />
      <ul class="inner">{reply?.items.map(({ member, name, zone, has, number, since, deployment }) => (
        <li key={member}>
          <a href={`/targets/${encodeURIComponent(member)}`}>{name}</a> <small>zone {zone}</small> <Mark tone={has ? 'well' : 'off'} text={has ? 'has it' : number === 0 ? 'runs nothing' : `runs ${app}@${number}`} />
          {since !== undefined && <small> since <Since at={since} /></small>}{deployment !== undefined && <small> by <a href={`/deployments/${encodeURIComponent(deployment)}`}>{deployment}</a></small>}
        </li>
      ))}</ul>
      {reply !== undefined && <Pager pages={pages} size={pageMachines} shown={reply.items.length} next={reply.next} pending={pending} what={`machines of ${environment}`} />}
    </details>
  );
}
