// How far every change is, in every environment: what is on its way first of all, and on request what is everywhere.

import type { JSX } from 'preact';
import { ChangesTable } from '../changes/table.tsx';
import { FilterForm, useFilter } from '../parts/filter.tsx';
import { Pager, usePages } from '../parts/pager.tsx';
import { Loading, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';

const pageChanges = 25;
const fields = [
  { name: 'all', label: 'Which', choices: [['', 'on their way'], ['yes', 'all']] },
  { name: 'author', label: 'Author', hint: 'ada' },
  { name: 'app', label: 'Application', hint: 'web' },
] as const;

export function ChangesPage(): JSX.Element {
  const filter = useFilter(fields.map(({ name }) => name));
  const { all, author, app } = filter;
  const pages = usePages(JSON.stringify(filter));
  const { reply, problem, pending } = useQuery(
    'listChanges',
    { params: {}, query: { limit: pageChanges, ...(all === undefined ? { inFlight: true } : {}), ...(author === undefined ? {} : { author }), ...(app === undefined ? {} : { app }), ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) } },
    { pace: 'slow', hold: true },
  );
  useTitle('Changes');
  return (
    <>
      <h1>Changes</h1>
      <FilterForm what="changes" fields={fields} />
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what="changes" />}
      {reply?.items.length === 0 && <p>{all === undefined ? <>No such change is on its way: what was pushed is everywhere. <a href="/changes?all=yes">Show all</a></> : 'No such change is known.'}</p>}
      {reply !== undefined && reply.items.length > 0 && <ChangesTable changes={reply} pending={pending} />}
      {reply !== undefined && <Pager pages={pages} size={pageChanges} shown={reply.items.length} next={reply.next} pending={pending} what="changes" />}
    </>
  );
}
