// Commands about what there is: applications, environments, revisions.

import { isDigest } from '../../../proto/cid.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { Answer, ChangeEnvironment, CreateApp, CreateEnvironment, RegisterRevision } from '../commands/command.ts';
import { configProblems, environmentNameMax, labelProblems, nameProblem } from '../pipeline/config.ts';
import { sourceWord } from '../gates/source-set.ts';
import type { Environment, State } from '../model/model.ts';
import { targetsOf } from '../model/select.ts';

const aliasLengthMax = 128;
/** Applications of one environment: its signed role names a revision of each, and a set is deployed one after another. */
const appsMax = 32;

export function createApp(state: State, { app, project }: CreateApp): Answer {
  const problem = nameProblem('an application', app) ?? nameProblem('a project', project);
  if (problem !== undefined) return refused('invalid', problem);
  const existing = state.apps.get(app);
  if (existing !== undefined) return refused('conflict', `application '${app}' exists already, in project '${existing.project}'; choose another name`);
  return accepted({ kind: 'app.created', app, project });
}

export function createEnvironment(state: State, { environment, app, apps = [app], selector, config }: CreateEnvironment): Answer {
  const problem = nameProblem('an environment', environment, environmentNameMax);
  if (problem !== undefined) return refused('invalid', problem);
  const missing = apps.find((one) => !state.apps.has(one));
  if (missing !== undefined) return refused('not-found', `there is no application '${missing}'; create it first: \`starling app create ${missing}\``);
  const count = appsProblem(environment, apps);
  if (count !== undefined) return refused('invalid', count);
  if (state.environments.has(environment)) return refused('conflict', `environment '${environment}' exists already; change it, or choose another name`);
  const draft: Environment = { environment, apps, selector, config, createdAt: 0, seq: 0, orderSeq: 0, slots: {}, waiting: [] };
  const problems = environmentProblems(state, draft);
  if (problems.length > 0) return refused('invalid', `environment '${environment}': ${problems.join('; ')}`);
  return accepted({ kind: 'environment.created', environment, app: apps[0] ?? app, selector, config, ...(apps.length === 1 ? {} : { apps }) });
}

function appsProblem(environment: string, apps: readonly string[]): string | undefined {
  if (apps.length >= 1 && apps.length <= appsMax && new Set(apps).size === apps.length) return undefined;
  return `environment '${environment}' names ${apps.length} applications (${apps.slice(0, 5).join(', ')}); from 1 to ${appsMax} may be, each once`;
}

export function changeEnvironment(state: State, { environment, apps, selector, config }: ChangeEnvironment): Answer {
  const existing = state.environments.get(environment);
  if (existing === undefined) return refused('not-found', `there is no environment '${environment}'`);
  const problems = environmentProblems(state, { ...existing, selector, config });
  if (problems.length > 0) return refused('invalid', `environment '${environment}': ${problems.join('; ')}`);
  const missing = (apps ?? []).find((one) => !state.apps.has(one));
  if (missing !== undefined) return refused('not-found', `there is no application '${missing}'; create it first: \`starling app create ${missing}\``);
  const count = apps === undefined ? undefined : appsProblem(environment, apps);
  if (count !== undefined) return refused('invalid', count);
  return accepted({ kind: 'environment.changed', environment, selector, config, ...(apps === undefined ? {} : { apps }) });
}

function environmentProblems(state: State, environment: Environment): readonly string[] {
  return [...labelProblems(environment.selector), ...configProblems(environment.config, targetsOf(state, environment).length)];
}

/** The same digest again is the same revision: it keeps its number, and nothing is recorded (V-1). */
export function registerRevision(state: State, { kind: _kind, ...command }: RegisterRevision): Answer {
  const { app, revision, alias } = command;
  const existing = state.apps.get(app);
  if (existing === undefined) return refused('not-found', `there is no application '${app}'; create it first: \`starling app create ${app}\``);
  if (!isDigest(revision)) return refused('invalid', `revision '${revision}' is not a sha2-256 digest of 64 hexadecimal digits`);
  const known = existing.revisions.find((record) => record.revision === revision);
  if (known !== undefined) return { ...accepted(), revision: { number: known.number, created: false } };
  if (alias !== undefined) {
    const problem = aliasProblem(alias);
    if (problem !== undefined) return refused('invalid', problem);
    const taken = existing.revisions.find((record) => record.alias === alias);
    if (taken !== undefined) return refused('conflict', `alias '${alias}' is the name of ${app}@${taken.number}; choose another alias`);
  }
  const number = existing.revisions.length + 1;
  return { ...accepted({ kind: 'revision.created', ...command, number }), revision: { number, created: true } };
}

/** An alias must not read as any other way to name a revision. */
function aliasProblem(alias: string): string | undefined {
  const fine = /^[A-Za-z0-9][A-Za-z0-9._+/-]*$/.test(alias) && alias.length <= aliasLengthMax;
  if (fine && !/^[0-9]+$/.test(alias) && alias !== 'latest' && alias !== sourceWord && !isDigest(alias)) return undefined;
  return `'${alias}' is not an alias: letters, digits and '._+/-', at most ${aliasLengthMax}, not only digits, not 'latest' or '${sourceWord}', not a digest`;
}
