// Handlers of what happened and what would: how far changes are. What that means is core/history; the audit is api-audit.ts.

import type { ChangeProgress, Changes, ChangesQuery } from '../../proto/api/history.ts';
import { appsOf, checkInsOf, columnsOf, placeKey, progressOf, type Progress } from '../core/history/changes.ts';
import type { Pipeline } from '../core/model-pipeline.ts';
import { isPerson } from '../core/people.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { pageByKey } from './paging.ts';

export function historyHandlers({ facts, observed }: ApiOptions): Handlers<'listChanges' | 'listPipelineChanges'> {
  const changes = (pipeline: Pipeline | undefined, { limit, cursor, since = 0, author, app, inFlight = false }: ChangesQuery): Changes => {
    const state = facts.state();
    const columns = columnsOf(state, pipeline);
    const progress = progressOf(state, observed(), columns);
    const apps = appsOf(state, pipeline).filter((one) => app === undefined || one === app);
    if (app !== undefined) found(state.apps.get(app), 'application', app);
    const wanted = checkInsOf(state, apps).filter((one) => one.at >= since && (author === undefined || isPerson(one.author, author)) && (!inFlight || progress.inFlight(one)));
    const page = pageByKey(wanted, placeKey, { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) });
    const shown = columns.filter((column) => app === undefined || column.apps.includes(app));
    return { columns: shown.map(({ apps: _apps, ...column }) => column), ...page, items: page.items.map((one) => progressView(progress.cells(one))) };
  };
  return {
    listChanges: async ({ query }) => ({ body: changes(undefined, query) }),
    listPipelineChanges: async ({ params: { pipeline }, query }) => ({ body: changes(found(facts.state().pipelines.get(pipeline), 'pipeline', pipeline), query) }),
  };
}

function progressView(progress: Progress): ChangeProgress {
  return { ...progress, cells: progress.cells.map((cell) => ({ ...cell })) };
}
