// `starling app` and `starling env`: what there is to deploy, and where.

import type { Command } from 'commander';
import type { CreateEnvironment, DeploymentConfigInput, Environment } from '../../../../proto/api/environments.ts';
import type { App, Revision } from '../../../../proto/api/apps.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { environmentColumns } from '../see/status.ts';
import { registerEnvironmentHistory } from './environment-history.ts';
import { registerEnvironmentSync } from './environment-sync.ts';
import { contextOf } from '../../context.ts';
import type { Column } from '../../text/table.ts';
import { bytesText, countText, parseDuration, parseLabels } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface EnvironmentFlags {
  readonly app: string;
  readonly targets: string;
  readonly batches?: string;
  readonly minHealthy?: string;
  readonly maxParallel?: string;
  readonly bake?: string;
  /** `--no-auto-rollback` makes it false. */
  readonly autoRollback: boolean;
}

export function registerApp(program: Command, world: World): void {
  const app = program.command('app').description('applications: what is published and promoted');
  app
    .command('create')
    .description('create an application')
    .argument('<name>')
    .option('--project <name>', 'whose uploads may share chunks with it; its own name when it is left out')
    .action(async (name: string, flags: { readonly project?: string }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const created = await (await api()).call('createApp', { params: {}, body: { app: name, ...flags } });
      terminal.object(created, { text: () => `application ${created.app} created`, name: appName });
    });
  app
    .command('list')
    .description('list applications')
    .action(async (_flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const apps = await listAll(async (query) => await client.call('listApps', { params: {}, query }));
      terminal.list(apps, { columns: appColumns, name: appName, empty: 'no application yet: `starling app create NAME` makes one' });
    });
  app
    .command('get')
    .description('one application, and its newest revision')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const found = await (await api()).call('getApp', { params: { app: name } });
      const newest = found.latest === undefined ? 'nothing was pushed yet' : `newest ${found.app}@${found.latest.number}${found.latest.alias === undefined ? '' : ` (${found.latest.alias})`}`;
      terminal.object(found, { text: ({ app: id, project, revisions }) => `${id} of project ${project}: ${countText(revisions, 'revision')}, ${newest}`, name: appName });
    });
  app
    .command('revisions')
    .description('list the revisions of an application, newest first')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const revisions = await listAll(async (query) => await client.call('listRevisions', { params: { app: name }, query }));
      terminal.list(revisions, { columns: revisionColumns, name: ({ app: of, number }) => `${of}@${number}`, empty: `no revision yet: \`starling push DIR --app ${name}\` publishes one` });
    });
}

export function registerEnvironment(program: Command, world: World): void {
  const environment = program.command('env').description('environments: which machines get an application, and how');
  registerEnvironmentHistory(environment, world);
  registerEnvironmentSync(environment, world);
  environment
    .command('create')
    .description('create an environment')
    .argument('<name>')
    .requiredOption('-a, --app <names>', 'the application that runs there; several, separated by commas, in the order in which they are deployed')
    .requiredOption('--targets <key=value>', 'labels that its machines have, separated by commas')
    .option('--batches <sizes>', 'targets of each batch, such as 1,25%,100%')
    .option('--min-healthy <size>', 'targets that must serve at any time, such as 75% or 3')
    .option('--max-parallel <size>', 'targets that may change at once, such as 1 or 25%')
    .option('--bake <duration>', 'pause between two batches, such as 30m')
    .option('--auto-rollback', 'go back by itself when too many targets fail (the default)', true)
    .option('--no-auto-rollback', 'stop where it failed instead')
    .action(async (name: string, flags: EnvironmentFlags, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const apps = flags.app.split(',').map((one) => one.trim());
      const body: CreateEnvironment = { environment: name, app: apps[0] ?? flags.app, ...(apps.length < 2 ? {} : { apps }), selector: parseLabels(flags.targets, '--targets'), config: configOf(flags) };
      const created = await (await api()).call('createEnvironment', { params: {}, body });
      terminal.object(created, { text: () => `environment ${created.environment} of ${created.apps.map(({ app }) => app).join(', ')} created; ${created.targets.total} targets have its labels now`, name: environmentName });
    });
  environment
    .command('list')
    .description('list environments')
    .action(async (_flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const environments = await listAll(async (query) => await client.call('listEnvironments', { params: {}, query }));
      // The list says nothing of deployments: `status` does.
      const columns: readonly Column<Environment>[] = environmentColumns.filter(({ title }) => title !== 'DEPLOYMENT');
      terminal.list(environments, { columns, name: environmentName, empty: 'no environment yet: `starling env create NAME --app APP --targets key=value` makes one' });
    });
}

function configOf({ batches, minHealthy, maxParallel, bake, autoRollback }: EnvironmentFlags): DeploymentConfigInput {
  return {
    ...(batches === undefined ? {} : { batches: batches.split(',').map((size) => shareOf(size, '--batches')) }),
    ...(minHealthy === undefined ? {} : { minHealthy: shareOf(minHealthy, '--min-healthy') }),
    ...(maxParallel === undefined ? {} : { maxParallel: shareOf(maxParallel, '--max-parallel') }),
    ...(bake === undefined ? {} : { bakeMs: parseDuration(bake, '--bake') }),
    autoRollback,
  };
}

type Share = NonNullable<DeploymentConfigInput['maxParallel']>;

/** @throws {ControlError} CONFIG_INVALID */
function shareOf(text: string, what: string): Share {
  const trimmed = text.trim();
  if (/^[0-9]{1,9}$/.test(trimmed)) return Number(trimmed);
  const percent = /^((?:100|[1-9]?[0-9])(?:\.[0-9]+)?)%$/.exec(trimmed)?.[1];
  if (percent === undefined) throw new ControlError('CONFIG_INVALID', `${what}: '${text}' is neither a number of targets nor a share such as 25%`);
  return `${Number(percent)}%`;
}

const appName = ({ app }: App): string => app;
const environmentName = ({ environment }: Environment): string => environment;

const appColumns: readonly Column<App>[] = [
  { title: 'APP', cell: appName },
  { title: 'PROJECT', cell: ({ project }) => project },
  { title: 'REVISIONS', cell: ({ revisions }) => `${revisions}`, align: 'right' },
  { title: 'LATEST', cell: ({ latest }) => (latest === undefined ? '-' : `${latest.number}${latest.alias === undefined ? '' : ` (${latest.alias})`}`) },
];

/** Columns of revisions, here and in `revision list`. */
export const revisionColumns: readonly Column<Revision>[] = [
  { title: 'REVISION', cell: ({ app, number }) => `${app}@${number}` },
  { title: 'ALIAS', cell: ({ alias }) => alias ?? '-' },
  { title: 'BYTES', cell: ({ bytes }) => bytesText(bytes), align: 'right' },
  { title: 'UPLOADED', cell: ({ uploadedBytes }) => bytesText(uploadedBytes), align: 'right' },
  { title: 'CREATED', cell: ({ createdAt }) => new Date(createdAt).toISOString() },
  { title: 'BY', cell: ({ createdBy }) => createdBy },
  { title: 'IDENTIFIER', cell: ({ cid }) => cid },
];
