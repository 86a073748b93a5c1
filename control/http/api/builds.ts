// Handlers of automatic builds: how an application is built, what was asked for, and what builds wrote.

import type { AutoBuildView, BuildView } from '../../../proto/api/builds.ts';
import { buildsOf } from '../../core/answers/build.ts';
import type { AutoBuild, Build } from '../../core/model/build.ts';
import { isBuilt } from '../../core/model/build.ts';
import type { State } from '../../core/model/model.ts';
import type { BranchWatcher } from '../../work/watcher.ts';
import { answered, found, newId, type ApiOptions, type Handlers } from './api.ts';
import type { WorkOptions } from './work.ts';
import { hookPath } from '../hooks.ts';
import { pageById } from '../paging.ts';

export interface BuildOptions {
  readonly watcher: BranchWatcher;
  readonly hookSecret: (app: string) => string;
}

type Operations = 'getAutoBuild' | 'setAutoBuild' | 'getBuildHook' | 'createBuild' | 'listBuilds' | 'getBuild' | 'cancelBuild' | 'retryBuild' | 'getBuildLog';

const minuteMs = 60_000;

export function buildHandlers({ facts, submit, logs, watcher, hookSecret, about }: ApiOptions & WorkOptions & BuildOptions): Handlers<Operations> {
  const autoOf = (state: State, app: string): AutoBuild => {
    found(state.apps.get(app), 'application', app);
    return found(state.autoBuilds.get(app), 'setting of builds for', app);
  };
  const buildOf = (state: State, build: string): Build => found(state.builds.get(build), 'build', build);
  const autoView = (state: State, app: string) => ({ body: viewAuto(autoOf(state, app), watcher) });
  const made = (state: State, build: string) => ({ body: viewBuild(state, buildOf(state, build)), headers: { location: `/v1/builds/${build}` } });
  return {
    getAutoBuild: async ({ params: { app } }) => autoView(facts.state(), app),
    setAutoBuild: async ({ params: { app }, body, caller }) => {
      const { repo, enabled = true, intervalMs = minuteMs, coalesce = true, command, output = '.', timeoutMs = 30 * minuteMs, role = 'builder' } = body;
      const settings = { repo: { url: repo.url, branch: repo.branch ?? 'main', paths: repo.paths ?? [] }, enabled, intervalMs, coalesce, command, output, timeoutMs, role };
      return answered(await submit(caller.actor, { kind: 'configure-build', app, settings }), (state) => autoView(state, app));
    },
    getBuildHook: async ({ params: { app } }) => {
      autoOf(facts.state(), app);
      return { body: { url: `${about.publicUrl()}${hookPath.replace(':app', app)}`, secret: hookSecret(app) }, headers: { 'cache-control': 'no-store' } };
    },
    createBuild: async ({ params: { app }, body: { commit }, caller, draw, gone }) => {
      const auto = autoOf(facts.state(), app);
      const build = newId('build', draw);
      const { head, changes } = commit === undefined ? await watcher.newest(app, auto, gone) : { head: commit, changes: [] };
      const command = { kind: 'request-build', app, build, commit: head, changes, ...(commit === undefined ? { head: true as const } : {}) } as const;
      return answered(await submit(caller.actor, command), (state) => made(state, build));
    },
    listBuilds: async ({ query }) => {
      const state = facts.state();
      const { app, phase, ...cursor } = query;
      const all = app === undefined ? [...state.builds.values()] : buildsOf(state, app);
      const page = pageById(all.toReversed(), ({ build }) => build, cursor, (one) => phase === undefined || one.phase === phase);
      return { body: { ...page, items: page.items.map((one) => viewBuild(state, one)) } };
    },
    getBuild: async ({ params: { build } }) => ({ body: viewBuild(facts.state(), buildOf(facts.state(), build)) }),
    cancelBuild: async ({ params: { build }, body: { reason }, caller }) =>
      answered(await submit(caller.actor, { kind: 'cancel-build', build, reason }), (state) => ({ body: viewBuild(state, buildOf(state, build)) })),
    retryBuild: async ({ params: { build: of }, caller, draw }) => {
      const build = newId('build', draw);
      return answered(await submit(caller.actor, { kind: 'retry-build', build, of }), (state) => made(state, build));
    },
    getBuildLog: async ({ params: { build: id }, query: { attempt: asked, offset = 0 } }) => {
      const build = buildOf(facts.state(), id);
      const attempt = asked ?? Math.max(1, build.attempt);
      const over = attempt < build.attempt || build.phase === 'pending' || isBuilt(build);
      const page = await logs.read({ what: id, part: 'build', attempt }, offset);
      return { body: { attempt, text: page?.text ?? '', next: page?.next ?? offset, complete: over && (page?.atEnd ?? true) } };
    },
  };
}

function viewAuto({ app, settings, newest }: AutoBuild, watcher: BranchWatcher): AutoBuildView {
  const look = watcher.lastLook(app);
  const { repo, ...rest } = settings;
  return {
    app,
    ...rest,
    repo: { ...repo, paths: [...repo.paths] },
    ...(newest === undefined ? {} : { newest }),
    ...(look === undefined ? {} : { look: { at: look.at, ...(look.head === undefined ? {} : { head: look.head }), ...(look.problem === undefined ? {} : { problem: look.problem }) } }),
  };
}

function viewBuild(state: State, { lease: _lease, changes, ...build }: Build): BuildView {
  const number = state.apps.get(build.app)?.revisions.find((one) => one.revision === build.revision)?.number;
  return { ...build, changes: changes.map((change) => ({ ...change })), ...(number === undefined ? {} : { revisionNumber: number }) };
}
