// How a file says that its applications are built: the branch, and the command that workers run on it. An application of which
// a file says nothing is built as it was.

import type { BuildSettings } from '../../proto/events-build.ts';
import { settingsProblems } from '../core/pipeline/build-settings.ts';
import type { BuildWish } from '../core/commands/command-governance.ts';
import type { Findings } from './findings.ts';
import type { PipelineText } from './schema.ts';
import type { Path } from './source.ts';
import { durationMs, durationText } from './units.ts';

type AppText = PipelineText['spec']['apps'][number];

/** What is so when a file does not say, as over the API. */
export const buildDefaults = Object.freeze({ branch: 'main', enabled: true, interval: '1m', coalesce: true, output: '.', timeout: '30m', role: 'builder' });

/** Where files write what control/core/pipeline/build-settings.ts finds wrong, by a part of the sentence. */
const places: readonly (readonly [RegExp, Path])[] = [
  [/is not a repository/, ['repo', 'url']],
  [/is not the name of a branch/, ['repo', 'branch']],
  [/ paths?[ ;]|is not a path in/, ['repo', 'paths']],
  [/an interval of/, ['autoBuild', 'interval']],
  [/the command is/, ['autoBuild', 'command']],
  [/is not a directory of/, ['autoBuild', 'output']],
  [/a timeout of/, ['autoBuild', 'timeout']],
  [/is not a role/, ['autoBuild', 'role']],
];

/** The wish of one application; undefined when its file says nothing that can be done. */
export function buildOf({ name, repo, autoBuild }: AppText, path: Path, findings: Findings): BuildWish | undefined {
  if (autoBuild?.build !== undefined) findings.ignored([...path, 'autoBuild', 'build'], "write 'command', and what it leaves as 'output'");
  if (autoBuild?.command === undefined) {
    if (repo !== undefined) findings.ignored([...path, 'repo'], "it is for 'autoBuild' with a 'command'");
    if (autoBuild !== undefined) findings.ignored([...path, 'autoBuild'], "without 'command' nothing is built: revisions come from `starling push`");
    return undefined;
  }
  if (repo === undefined) {
    findings.problem([...path, 'autoBuild'], "'repo' is missing beside it: what is built, such as {url: \"https://git.example.com/shop/web.git\", branch: main}");
    return undefined;
  }
  const whole = buildDefaults;
  const settings: BuildSettings = {
    repo: { url: repo.url, branch: repo.branch ?? whole.branch, paths: repo.paths ?? [] },
    enabled: autoBuild.enabled ?? whole.enabled,
    intervalMs: durationMs(autoBuild.interval ?? whole.interval) ?? 0,
    coalesce: autoBuild.coalesce ?? whole.coalesce,
    command: autoBuild.command,
    output: autoBuild.output ?? whole.output,
    timeoutMs: durationMs(autoBuild.timeout ?? whole.timeout) ?? 0,
    role: autoBuild.role ?? whole.role,
  };
  for (const problem of settingsProblems(settings)) {
    const place = places.find(([words]) => words.test(problem))?.[1] ?? [];
    findings.problem([...path, ...place], problem.replace(/ (\d+)(?: ms)?(?=;|$| to )/g, (_all, ms) => ` ${durationText(Number(ms))}`));
  }
  return { app: name, settings };
}
