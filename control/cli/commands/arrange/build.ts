// `starling build`: from which branch an application is built, what was asked to be built, and how it went.

import type { Command } from 'commander';
import type { AutoBuildView, BuildView } from '../../../../proto/api/builds.ts';
import { ControlError } from '../../../errors.ts';
import { listAll, type Api } from '../../api.ts';
import { log } from './workflow.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import type { Column } from '../../text/table.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface ConfigureFlags {
  readonly repo?: string;
  readonly branch?: string;
  readonly path?: string[];
  readonly command?: string;
  readonly directory?: string;
  readonly interval?: string;
  readonly timeout?: string;
  readonly role?: string;
  readonly coalesce?: boolean;
  readonly on?: boolean;
  readonly off?: boolean;
}

/** Between two looks at a build that goes on. */
const pollMs = 1_000;

export function registerBuild(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  const build = program.command('build').description('automatic builds: a branch is watched, what is new is built by a worker and pushed as a revision');
  registerConfigure(build, world);
  build
    .command('hook')
    .description('where a repository sends its pushes, and the secret that signs them (X-Hub-Signature-256)')
    .argument('<app>')
    .action(async (app: string, _flags: unknown, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const hook = await (await api()).call('getBuildHook', { params: { app } });
      terminal.object(hook, { text: ({ url, secret }) => `url     ${url}\nsecret  ${secret}\ncontent type application/json, event push`, name: ({ url }) => url });
    });
  build
    .command('request')
    .description('build the newest commit of the branch now')
    .argument('<app>')
    .option('--commit <commit>', 'this one instead: all of its digits')
    .option('--watch', 'show what it writes until it is over')
    .action(async (app: string, flags: { readonly commit?: string; readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('createBuild', { params: { app }, body: flags.commit === undefined ? {} : { commit: flags.commit } }), flags.watch === true, setExit);
    });
  build
    .command('list')
    .description('list builds, newest first')
    .option('-a, --app <name>', 'of this application')
    .option('--phase <phase>', 'in this phase: open, running, pending, succeeded, failed or cancelled')
    .action(async (flags: { readonly app?: string; readonly phase?: BuildView['phase'] }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const builds = await listAll(async (query) => await client.call('listBuilds', { params: {}, query: { ...query, ...flags } }));
      terminal.list(builds, { columns: columns(world), name: ({ build: id }) => id, empty: 'no build yet: `starling build configure` says from which branch an application is built' });
    });
  registerOne(build, world, setExit);
}

function registerConfigure(build: Command, world: World): void {
  build
    .command('configure')
    .description('say from which branch an application is built, and how; what is left out stays as it is')
    .argument('<app>')
    .option('--repo <url>', 'the git repository: https://, ssh://, file:// or name@host:path')
    .option('--branch <name>', 'main when it was never said')
    .option('--path <glob...>', "only changes in these, such as 'src/**'")
    .option('--command <text>', 'for a POSIX shell in the checkout, such as `npm ci && npm run build`')
    .option('-d, --directory <path>', 'what it leaves in the checkout, to be pushed; the whole checkout when it was never said')
    .option('--interval <duration>', 'between two looks at the branch, such as 30s or 5m')
    .option('--timeout <duration>', 'the longest that a build may take, such as 30m')
    .option('--role <role>', 'which workers build it; builder when it was never said')
    .option('--no-coalesce', 'a build for each change, instead of one for all that came')
    .option('--on', 'watch the branch')
    .option('--off', 'watch it no longer; `build request` still builds')
    .action(async (app: string, flags: ConfigureFlags, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const known = await client.call('getAutoBuild', { params: { app } }).catch((error: unknown) => {
        if (error instanceof ControlError && error.code === 'NOT_FOUND') return undefined;
        throw error;
      });
      const url = flags.repo ?? known?.repo.url;
      const script = flags.command ?? known?.command;
      if (url === undefined || script === undefined) throw new ControlError('CONFIG_INVALID', `'${app}' was never configured: say --repo and --command`);
      if (flags.on === true && flags.off === true) throw new ControlError('CONFIG_INVALID', '--on and --off together say nothing');
      const { repo: _repo, app: _app, newest: _newest, look: _look, ...before } = known ?? { repo: undefined, app, newest: undefined, look: undefined };
      const body = {
        ...before,
        repo: { url, branch: flags.branch ?? known?.repo.branch ?? 'main', paths: flags.path ?? known?.repo.paths ?? [] },
        command: script,
        ...(flags.directory === undefined ? {} : { output: flags.directory }),
        ...(flags.interval === undefined ? {} : { intervalMs: msOf('--interval', flags.interval) }),
        ...(flags.timeout === undefined ? {} : { timeoutMs: msOf('--timeout', flags.timeout) }),
        ...(flags.role === undefined ? {} : { role: flags.role }),
        ...(flags.coalesce === false ? { coalesce: false } : {}),
        ...(flags.on === true ? { enabled: true } : flags.off === true ? { enabled: false } : {}),
      };
      terminal.object(await client.call('setAutoBuild', { params: { app }, body }), { text: describeAuto, name: ({ app: name }) => name });
    });
}

function registerOne(build: Command, world: World, setExit: (code: ExitCode) => void): void {
  const one = (name: string, description: string) => build.command(name).description(description).argument('<build>');
  one('get', 'one build with its changes')
    .option('--watch', 'show what it writes until it is over')
    .action(async (id: string, flags: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('getBuild', { params: { build: id } }), flags.watch === true, setExit);
    });
  one('logs', 'what a build wrote')
    .option('--attempt <number>', 'an earlier attempt than the newest')
    .option('-f, --follow', 'go on until it is over')
    .action(async (id: string, flags: { readonly attempt?: string; readonly follow?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const attempt = flags.attempt === undefined ? {} : { attempt: Number(flags.attempt) };
      await log(context, async (offset) => await api.call('getBuildLog', { params: { build: id }, query: { offset, ...attempt } }), flags.follow === true);
    });
  one('cancel', 'cancel a build that is not over')
    .requiredOption('--reason <text>', 'why')
    .action(async (id: string, { reason }: { readonly reason: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      terminal.object(await (await api()).call('cancelBuild', { params: { build: id }, body: { reason } }), { text: describeBuild, name: ({ build: name }) => name });
    });
  one('retry', 'build the same commit again')
    .option('--watch', 'show what it writes until it is over')
    .action(async (id: string, flags: { readonly watch?: boolean }, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      await shown(context, api, await api.call('retryBuild', { params: { build: id } }), flags.watch === true, setExit);
    });
}

/** Prints a build at once, or what it writes and how it ended; then the exit code says whether it was a success. */
async function shown(context: Context, api: Api, first: BuildView, watch: boolean, setExit: (code: ExitCode) => void): Promise<void> {
  let build = first;
  const over = (): boolean => ['succeeded', 'failed', 'cancelled'].includes(build.phase);
  while (watch && !over()) {
    if (build.phase === 'running') await log(context, async (offset) => await api.call('getBuildLog', { params: { build: build.build }, query: { offset, attempt: build.attempt } }), true);
    else await context.world.clock.wait(pollMs, { signal: context.world.signal });
    build = await api.call('getBuild', { params: { build: build.build } });
  }
  context.terminal.object(build, { text: describeBuild, name: ({ build: id }) => id });
  if (watch && build.phase !== 'succeeded') setExit(1);
}

/** A build in a few lines. */
export function describeBuild({ build, app, number, commit, phase, attempt, reason, revisionNumber, changes, worker }: BuildView): string {
  return [
    `${build}  ${app}${number === undefined ? '' : ` build ${number}`}  ${commit.slice(0, 12)}  ${phase}${attempt > 1 ? ` (attempt ${attempt})` : ''}${worker === undefined ? '' : ` by ${worker}`}`,
    ...(revisionNumber === undefined ? [] : [`  revision  ${app}@${revisionNumber}`]),
    ...(reason === undefined ? [] : [`  reason    ${reason.split('\n', 1)[0] ?? ''}`]),
    ...changes.toReversed().map((change) => `  ${change.commit.slice(0, 12)}  ${change.author}  ${change.message}`),
  ].map(visible).join('\n');
}

function describeAuto({ app, repo, enabled, intervalMs, command, output, newest, look }: AutoBuildView): string {
  return [
    `${app}  ${repo.branch} of ${repo.url}  ${enabled ? `watched every ${durationText(intervalMs)}` : 'not watched'}`,
    ...(repo.paths.length === 0 ? [] : [`  paths     ${repo.paths.join(' ')}`]),
    `  command   ${command}`,
    `  pushes    ${output}`,
    ...(newest === undefined ? [] : [`  newest    ${newest}`]),
    ...(look?.problem === undefined ? [] : [`  problem   ${look.problem}`]),
  ].map(visible).join('\n');
}

function msOf(option: string, text: string): number {
  const [, amount, unit = ''] = /^([0-9]{1,6})(s|m|h)$/.exec(text) ?? [];
  const factor = { s: 1_000, m: 60_000, h: 3_600_000 }[unit];
  if (factor === undefined) throw new ControlError('CONFIG_INVALID', `${option}: '${text}' is not a duration such as 30s, 5m or 2h`);
  return Number(amount) * factor;
}

function columns({ clock }: World): readonly Column<BuildView>[] {
  return [
    { title: 'BUILD', cell: ({ build }) => build },
    { title: 'APP', cell: ({ app }) => app },
    { title: 'NUMBER', cell: ({ number }) => (number === undefined ? '' : String(number)), align: 'right' },
    { title: 'COMMIT', cell: ({ commit }) => commit.slice(0, 12) },
    { title: 'CHANGES', cell: ({ changes }) => String(changes.length), align: 'right' },
    { title: 'PHASE', cell: ({ phase }) => phase, colour: ({ phase }) => (phase === 'succeeded' ? 'green' : phase === 'failed' ? 'red' : 'cyan') },
    { title: 'REVISION', cell: ({ app, revisionNumber }) => (revisionNumber === undefined ? '' : `${app}@${revisionNumber}`) },
    { title: 'AGE', cell: ({ createdAt }) => durationText(clock.now() - createdAt), align: 'right' },
    { title: 'REASON', cell: ({ reason = '' }) => reason.split('\n', 1)[0] ?? '' },
  ];
}
