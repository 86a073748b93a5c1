// Handlers of what happened and what would: how far changes are, and the way of one of them. What that means is core/history; the audit is audit.ts.

import type { Changes, ChangesQuery } from '../../../proto/api/history.ts';
import { appsOf, byCommit, checkInsOf, columnsOf, placeKey, progressOf, type CheckIn } from '../../core/history/changes.ts';
import { compared, historyOf } from '../../core/history/environment.ts';
import { machinesOf, namedBy, traceOf } from '../../core/history/trace.ts';
import type { Pipeline } from '../../core/model/pipeline.ts';
import type { State } from '../../core/model/model.ts';
import { isPerson } from '../../core/model/people.ts';
import { targetsOf } from '../../core/model/select.ts';
import { ControlError } from '../../errors.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { pageById, pageByKey } from '../paging.ts';
import { differenceView, machineView, pastView, progressView, traceView } from '../views/history.ts';

export function historyHandlers({ facts, observed }: ApiOptions): Handlers<'listChanges' | 'listPipelineChanges' | 'trace' | 'listTraceMachines' | 'listHistory' | 'compareEnvironments'> {
  const changes = (pipeline: Pipeline | undefined, { limit, cursor, since = 0, author, app, inFlight = false }: ChangesQuery): Changes => {
    const state = facts.state();
    const columns = columnsOf(state, pipeline);
    const progress = progressOf(state, observed(), columns);
    const apps = appsOf(state, pipeline).filter((one) => app === undefined || one === app);
    if (app !== undefined) found(state.apps.get(app), 'application', app);
    const wanted = checkInsOf(state, apps).filter((one) => one.at >= since && (author === undefined || isPerson(one.author, author)));
    const rows = byCommit(wanted).filter((row) => !inFlight || row.some(progress.inFlight));
    const page = pageByKey(rows, ([first]) => placeKey(first), { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) });
    const shown = columns.filter((column) => app === undefined || column.apps.includes(app));
    return { columns: shown.map(({ apps: _apps, ...column }) => column), ...page, items: page.items.map(([first, ...others]) => progressView(progress.cells(first), others.map(progress.cells))) };
  };
  return {
    listChanges: async ({ query }) => ({ body: changes(undefined, query) }),
    listPipelineChanges: async ({ params: { pipeline }, query }) => ({ body: changes(found(facts.state().pipelines.get(pipeline), 'pipeline', pipeline), query) }),
    listHistory: async ({ params: { environment: name }, query }) => {
      const state = facts.state();
      const page = pageById(historyOf(state, found(state.environments.get(name), 'environment', name)), ({ deployment }) => deployment.deployment, query);
      return { body: { ...page, items: page.items.map((one) => pastView(state, one)) } };
    },
    compareEnvironments: async ({ params: { environment: name }, query: { with: other } }) => {
      const state = facts.state();
      const [here, there] = [name, other].map((one) => found(state.environments.get(one), 'environment', one));
      const apps = here === undefined || there === undefined ? [] : compared(state, here, there).map(differenceView);
      return { body: { environment: name, with: other, same: apps.every((one) => one.here?.revision === one.there?.revision), apps } };
    },
    trace: async ({ query: { of, app } }) => {
      const state = facts.state();
      const traces = namedIn(state, of, app).flatMap((one) => traceOf(state, observed(), one) ?? []);
      return { body: { items: traces.map((one) => traceView(state, one)) } };
    },
    listTraceMachines: async ({ query: { of, app, environment: name, limit, cursor } }) => {
      const state = facts.state();
      const environment = found(state.environments.get(name), 'environment', name);
      const checkIn = namedIn(state, of, app).find((one) => environment.apps.includes(one.app));
      if (checkIn === undefined) throw new ControlError('NOT_FOUND', `environment '${name}' runs no application that '${of}' is of`);
      const page = pageByKey(targetsOf(state, environment), ({ name: machine, member }) => `${machine} ${member}`, { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) });
      return { body: { ...page, items: machinesOf(state, environment, checkIn, page.items).map((machine) => machineView(machine, checkIn.app)) } };
    },
  };
}

/** What a text names: one thing, of one application or of several. @throws {ControlError} NOT_FOUND, CONFLICT. */
function namedIn(state: State, of: string, app: string | undefined): readonly CheckIn[] {
  if (app !== undefined) found(state.apps.get(app), 'application', app);
  const named = namedBy(state, of, app);
  if (named.length === 0) throw new ControlError('NOT_FOUND', `no commit and no revision is called '${of}'; a revision is named as web@41, and commits are known of revisions that were described`);
  const names = [...new Set(named.map(({ commit, app: one, number }) => commit ?? `${one}@${number}`))];
  if (new Set(named.map(({ commit }) => commit)).size > 1) throw new ControlError('CONFLICT', `'${of}' may be ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}: give more of it`);
  return named;
}
