// Answers commands about builds. Changes join the build that waits until it begins (B-3); one lease at a time has a build, and it
// succeeds at most once (B-1, B-2); a failed one waits for the next change, whose build makes up for it (CDS-4).

import type { Digest } from '../../../proto/cid.ts';
import type { BuildEvent } from '../../../proto/events-build.ts';
import type { ChangeRecord } from '../../../proto/events-pipeline.ts';
import type { Event } from '../../../proto/events.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { Answer } from '../commands/command.ts';
import type { State } from '../model/model.ts';
import type { BeginBuild, BuildCommand, CancelBuild, ConfigureBuild, EndBuild, NoticeChanges, RequestBuild, RetryBuild } from '../commands/command-build.ts';
import { isBuilt, type AutoBuild, type Build } from '../model/build.ts';
import { settingsProblems } from '../pipeline/build-settings.ts';

/** Changes that one build names: above it the oldest are dropped, since nobody reads so far back. */
export const buildChangesMax = 200;
/** The machinery may fail this often at one build. */
export const buildAttemptsMax = 4;

/** Answers a command about builds. */
export function answerBuild(state: State, command: BuildCommand): Answer {
  switch (command.kind) {
    case 'configure-build':
      return configure(state, command);
    case 'notice-changes':
      return notice(state, command);
    case 'request-build':
      return request(state, command);
    case 'retry-build':
      return retry(state, command);
    case 'cancel-build':
      return cancel(state, command);
    case 'begin-build':
      return begin(state, command);
    case 'end-build':
      return end(state, command);
    default:
      return command satisfies never;
  }
}

function configure(state: State, { app, settings }: ConfigureBuild): Answer {
  if (!state.apps.has(app)) return refused('not-found', `there is no application '${app}'; create it first`);
  const problems = settingsProblems(settings);
  if (problems.length > 0) return refused('invalid', `builds of '${app}': ${problems.join('; ')}`);
  return accepted({ kind: 'build.configured', app, settings });
}

/** Refused when somebody else noticed meanwhile: then there is nothing new, or it is asked again from there. */
function notice(state: State, { app, build, commit, since, changes }: NoticeChanges): Answer {
  const auto = state.autoBuilds.get(app);
  if (auto === undefined) return refused('not-found', `it is not said how '${app}' is built`);
  if (!auto.settings.enabled) return refused('blocked', `builds of '${app}' are switched off`);
  if (auto.newest === commit) return accepted();
  if (auto.newest !== since) return refused('conflict', `the newest commit that was asked for is ${auto.newest ?? 'none'} by now`);
  const open = auto.settings.coalesce ? buildsOf(state, app).findLast((one) => one.phase === 'open' && one.trigger === 'check-in') : undefined;
  if (open !== undefined) return accepted({ kind: 'build.extended', build: open.build, app, commit, changes: changes.slice(-Math.max(0, buildChangesMax - open.changes.length)) });
  const groups: readonly (readonly ChangeRecord[])[] = auto.settings.coalesce || changes.length === 0 ? [changes] : changes.map((change) => [change]);
  const events = groups.map((group, index): Event => {
    const last = index === groups.length - 1;
    const all = index === 0 ? [...unbuilt(state, app), ...group] : group;
    return requested({ build: last ? build : `${build}-${index + 1}`, app, trigger: 'check-in', commit: last ? commit : (group.at(-1)?.commit ?? commit), changes: all });
  });
  return accepted(...events);
}

/** Changes of the newest builds that failed, which no build has carried since: the next one is about them too. */
function unbuilt(state: State, app: string): readonly ChangeRecord[] {
  const last = buildsOf(state, app).findLast((one) => one.phase !== 'cancelled');
  return last?.phase === 'failed' ? last.changes : [];
}

type Requested = Omit<Extract<BuildEvent, { kind: 'build.requested' }>, 'kind'>;

function requested(request: Requested): Event {
  return { kind: 'build.requested', ...request, changes: request.changes.slice(-buildChangesMax) };
}

function request(state: State, { app, build, commit, changes, head }: RequestBuild): Answer {
  if (state.builds.has(build)) return accepted();
  if (!state.autoBuilds.has(app)) return refused('not-found', `it is not said how '${app}' is built; \`starling build configure ${app}\` says it`);
  if (!isCommit(commit)) return refused('invalid', `'${commit}' is not a commit: 40 or 64 hexadecimal digits`);
  return accepted(requested({ build, app, trigger: 'manual', commit, changes, ...(head === undefined ? {} : { head }) }));
}

function retry(state: State, { build, of }: RetryBuild): Answer {
  if (state.builds.has(build)) return accepted();
  const old = state.builds.get(of);
  if (old === undefined) return refused('not-found', `there is no build '${of}'`);
  if (old.phase !== 'failed' && old.phase !== 'cancelled') return refused('conflict', `build '${of}' is ${old.phase}; only one that failed or was cancelled is tried again`);
  return accepted(requested({ build, app: old.app, trigger: 'retry', commit: old.commit, changes: old.changes, retryOf: of }));
}

function cancel(state: State, { build: id, reason }: CancelBuild): Answer {
  const build = state.builds.get(id);
  if (build === undefined) return refused('not-found', `there is no build '${id}'`);
  if (build.phase === 'cancelled') return accepted();
  if (isBuilt(build)) return refused('conflict', `build '${id}' has ${build.phase} already`);
  return accepted({ kind: 'build.finished', build: id, app: build.app, end: 'cancelled', reason });
}

/** A worker takes it: from here on no change joins it (B-3). */
function begin(state: State, { build: id, lease, worker }: BeginBuild): Answer {
  const build = state.builds.get(id);
  const auto = state.autoBuilds.get(build?.app ?? '');
  if (build === undefined || auto === undefined) return refused('not-found', `there is no build '${id}'`);
  if (build.lease === lease) return accepted();
  if (build.phase !== 'open' && build.phase !== 'pending') return refused('conflict', `build '${id}' is ${build.phase} already`);
  const other = buildsOf(state, build.app).find((one) => one.phase === 'running');
  if (other !== undefined) return refused('blocked', `build ${other.build} of '${build.app}' is under way; this one begins when it has ended`);
  return accepted({ kind: 'build.started', build: id, app: build.app, number: build.number ?? auto.begun + 1, attempt: build.attempt + 1, lease, worker });
}

/** Words under a lease that is over have been fenced (L-4). */
function end(state: State, { build: id, attempt, lease, end: how, revision, detail }: EndBuild): Answer {
  const build = state.builds.get(id);
  if (build === undefined) return refused('not-found', `there is no build '${id}'`);
  if (build.phase !== 'running' || build.attempt !== attempt || build.lease !== lease) return refused('conflict', `attempt ${attempt} at build '${id}' is over; somebody else may have it`);
  const { app } = build;
  if (how === 'succeeded') return succeeded(state, build, revision);
  const reason = detail ?? how;
  if (how === 'errored' && attempt < buildAttemptsMax) return accepted({ kind: 'build.errored', build: id, app, attempt, reason });
  return accepted({ kind: 'build.finished', build: id, app, end: 'failed', reason: how === 'errored' ? `the machinery failed ${attempt} times, the last: ${reason}` : reason });
}

/** The revision that it left is told its changes: authors cannot approve their own, and `trace` finds the commit. */
function succeeded(state: State, { build, app, changes }: Build, revision: string | undefined): Answer {
  const record = state.apps.get(app)?.revisions.find((one) => one.revision === revision);
  if (record === undefined) return refused('invalid', `build '${build}' names revision '${revision ?? 'none'}', which '${app}' does not have; push it first`);
  const known: Digest = record.revision;
  const finished: Event = { kind: 'build.finished', build, app, end: 'succeeded', revision: known };
  // What was there before this build has the changes that it was made of.
  const old = state.descriptions.get(`${app}@${known}`)?.changes ?? [];
  const fresh = changes.filter((change) => !old.some((one) => one.commit === change.commit));
  return fresh.length === 0 ? accepted(finished) : accepted(finished, { kind: 'revision.described', app, revision: known, description: { changes: [...old, ...fresh].slice(-buildChangesMax) } });
}

/** All of an application, oldest first. */
export function buildsOf(state: Pick<State, 'builds'>, app: string): readonly Build[] {
  return [...state.builds.values()].filter((one) => one.app === app);
}

/** Builds that a worker may take, oldest first: one of an application at a time, so that revisions come in the order of changes. */
export function buildOffers(state: State): readonly { readonly build: Build; readonly auto: AutoBuild }[] {
  const taken = new Set([...state.builds.values()].filter((one) => one.phase === 'running').map(({ app }) => app));
  return [...state.builds.values()].flatMap((build) => {
    const auto = state.autoBuilds.get(build.app);
    if (auto === undefined || taken.has(build.app) || (build.phase !== 'open' && build.phase !== 'pending')) return [];
    taken.add(build.app);
    return [{ build, auto }];
  });
}

/** Builds that a worker has taken and not ended. */
export function leasedBuilds(state: Pick<State, 'builds'>): readonly (Build & { readonly lease: string })[] {
  return [...state.builds.values()].flatMap((build) => (build.phase === 'running' && build.lease !== undefined ? [{ ...build, lease: build.lease }] : []));
}

function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text);
}
