// The audit: who did what, when and why, with what was before and the command that brings it back; and whether anybody rewrote it.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { AuditEntry } from '../../../proto/api/audit.ts';
import { addressOfObject, shortObject, sinceOf, valueText } from '../audit/words.ts';
import { Export } from '../audit/export.tsx';
import { Verify } from '../audit/verify.tsx';
import { FilterForm, useFilter } from '../parts/filter.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Cli, Loading, Since, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText } from '../words.ts';

const pageEntries = 50;
/** Differences shown of one entry; all are in its data. */
const differencesMax = 20;

const actions = ['app', 'approval', 'automation', 'bake', 'batch', 'build', 'deployment', 'edge', 'environment', 'freeze', 'hold', 'lock', 'member', 'order', 'pin', 'pipeline', 'prefetch', 'promotion', 'revision', 'role', 'target', 'token', 'veto', 'workflow'] as const;
const fields = [
  { name: 'actor', label: 'Who', hint: 'a name, token:…, system' },
  { name: 'action', label: 'What', hint: 'lock, pipeline.applied', known: actions },
  { name: 'object', label: 'About', hint: 'environment:prod' },
  { name: 'since', label: 'Since', choices: [['', 'ever'], ['1h', 'an hour ago'], ['24h', 'a day ago'], ['7d', 'a week ago'], ['30d', '30 days ago']] },
] as const;

export function AuditPage(): JSX.Element {
  const ui = useUi();
  const filter = useFilter(fields.map(({ name }) => name));
  const { actor, action, object, since: span } = filter;
  const pages = usePages(JSON.stringify(filter));
  const since = useMemo(() => sinceOf(span, ui.now()), [span]);
  const query = { ...(actor === undefined ? {} : { actor }), ...(action === undefined ? {} : { action }), ...(object === undefined ? {} : { object }), ...(since === undefined ? {} : { since }) };
  const { reply, problem, pending } = useQuery('listAudit', { params: {}, query: { ...query, limit: pageEntries, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } }, { pace: 'asked', hold: true });
  useTitle('Audit');
  return (
    <>
      <div class="title"><h1>Audit</h1><button type="button" class="quiet" onClick={() => ui.live.refresh()}>Look again</button></div>
      <div class="card verify"><Verify /><Export /></div>
      <FilterForm what="the audit" fields={fields} />
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="entries" />}
      {reply?.items.length === 0 && <p>{reply.next === undefined ? 'There is no such entry.' : 'There is no such entry among those that were looked at; older ones are on the next page.'}</p>}
      {reply !== undefined && reply.items.length > 0 && (
        <table class="stacked audit" aria-busy={pending}>
          <caption class="unseen">entries, newest first</caption>
          <thead><tr><th scope="col">Entry</th><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">About</th><th scope="col">Why, and what changed</th></tr></thead>
          <tbody>{reply.items.map((entry) => <EntryRow key={entry.seq} entry={entry} />)}</tbody>
        </table>
      )}
      {reply !== undefined && <Pager pages={pages} size={pageEntries} shown={reply.items.length} next={reply.next} pending={pending} what="entries" counted={false} />}
      <Cli command={commandText(['audit', 'list', ['--actor', actor], ['--action', action], ['--object', object], ['--since', span]])} />
    </>
  );
}

function EntryRow({ entry }: { readonly entry: AuditEntry }): JSX.Element {
  const { seq, at, actor, actorName, action, object, reason, changes = [], undo } = entry;
  const address = addressOfObject(object);
  return (
    <tr>
      <th scope="row">{seq}</th>
      <td data-name="when"><Since at={at} /></td>
      <td data-name="who"><a href={`/audit?actor=${encodeURIComponent(actor)}`} title={actor}>{actorName ?? (actor === 'system' ? 'system' : `${actor.slice(0, 20)} …`)}</a></td>
      <td data-name="what">{action}</td>
      <td data-name="about">{address === undefined ? shortObject(object) : <a href={address} title={object}>{shortObject(object)}</a>}</td>
      <td data-name="why">
        {reason}
        {changes.length > 0 && (
          <ul class="inner">
            {changes.slice(0, differencesMax).map(({ pointer, before, after }) => <li key={pointer}><code>{pointer === '' ? 'whole' : pointer}</code> <del>{valueText(before)}</del> → <ins>{valueText(after)}</ins></li>)}
            {changes.length > differencesMax && <li>and {changes.length - differencesMax} more</li>}
          </ul>
        )}
        <Whole entry={entry} />
        {undo !== undefined && <Cli command={undo} />}
      </td>
    </tr>
  );
}

/** The entry as it stands in the journal: made into text only when somebody opens it, since a pipeline is long. */
function Whole({ entry: { seq, data, hash } }: { readonly entry: AuditEntry }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>entry {seq} in full</summary>
      {open && <pre tabIndex={0} aria-label={`entry ${seq}`}>{JSON.stringify(data, undefined, 2)}{hash !== undefined && `\n\nhash ${hash}`}</pre>}
    </details>
  );
}
