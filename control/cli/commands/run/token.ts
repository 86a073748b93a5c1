// `starling token` and `starling login`: rights to talk to the API and to join the fleet. A token's text is printed once, on stdout
// alone, so that it can be piped into a file; everything said about it goes to stderr.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Compile } from 'typebox/compile';
import { ScopeSchema, type CreateToken, type NewToken, type Token } from '../../../../proto/api/tokens.ts';
import { ControlError } from '../../../errors.ts';
import { createApi, listAll } from '../../api.ts';
import { contextOf, type Context, type GlobalOptions } from '../../context.ts';
import { checkUrl, readClientConfig, readToken, writeClientConfig } from '../../settings.ts';
import type { Column } from '../../text/table.ts';
import { countText, durationText, parseDuration, parseLabels } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface CreateFlags {
  readonly join?: boolean;
  readonly api?: boolean;
  readonly name?: string;
  readonly roles: string;
  readonly environments?: string;
  readonly labels?: string;
  readonly uses: string;
  readonly scopes?: string;
  readonly group?: string;
  readonly ttl?: string;
  readonly save?: string;
}

const isScope = Compile(ScopeSchema);
const roles = ['agent', 'seed', 'proxy'] as const;

export function registerToken(program: Command, world: World): void {
  const token = program.command('token').description('rights to use the API, and to join the fleet');
  token
    .command('create')
    .description('create a token and print it, this once')
    .option('--join', 'for a machine that joins the fleet')
    .option('--api', 'for a person or a program that uses the API')
    .option('--name <name>', 'what people call it')
    .option('--roles <roles>', '--join: what the machine may be: agent, seed, proxy', 'agent')
    .option('--environments <names>', '--join: environments that it may be certified for')
    .option('--labels <key=value>', '--join: labels that it gets, which environments select by')
    .option('--uses <count>', '--join: machines that may join with it', '1')
    .option('--scopes <scopes>', '--api: such as read:*,promote:env/prod,upload:app/web or admin:*')
    .option('--group <groups>', '--api: groups of the person that --name names, separated by commas: where approvals ask for some of a group')
    .option('--ttl <duration>', 'how long it lives, such as 24h or 30d')
    .option('--save <file>', 'write it to a new file that only you can read, instead of printing it')
    .action(async (flags: CreateFlags, command: Command) => {
      const context = contextOf(world, command);
      const api = await context.api();
      const created = await api.call('createToken', { params: {}, body: bodyOf(flags) });
      const file = flags.save === undefined ? undefined : resolve(world.directory, flags.save);
      if (file !== undefined) await save(file, created.text);
      print(context, created, file);
      const { publicUrl } = created.use === 'join' ? await api.call('getStatus', { params: {} }).catch(() => ({ publicUrl: api.url })) : { publicUrl: api.url };
      context.terminal.say(advice(created, publicUrl, file, world.clock.now()));
    });
  token
    .command('list')
    .description('list tokens, newest first')
    .option('--use <use>', 'api or join')
    .action(async (flags: { readonly use?: 'api' | 'join' }, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const tokens = await listAll(async (page) => await client.call('listTokens', { params: {}, query: { ...page, ...flags } }));
      terminal.list(tokens, { columns: columns(world.clock.now()), name: ({ token: id }) => id });
    });
  token
    .command('revoke')
    .description('make a token worthless')
    .argument('<token>', 'its id, as `starling token list` shows it')
    .action(async (id: string, _flags: object, command: Command) => {
      const { api, terminal } = contextOf(world, command);
      const client = await api();
      const { reply, tag } = await client.callWithTag('getToken', { params: { token: id } });
      await client.call('revokeToken', { params: { token: id }, ifMatch: tag ?? '*' });
      terminal.object({ ...reply, revoked: true }, { text: () => `token ${reply.token} (${reply.name}) revoked`, name: () => reply.token });
    });
}

export function registerLogin(program: Command, world: World): void {
  program
    .command('login')
    .description('remember a control plane and where its token is')
    .argument('<url>', 'such as https://control.example.org:7400')
    .option('--name <name>', 'what the context is called', 'default')
    .action(async (text: string, flags: { readonly name: string }, command: Command) => {
      const { terminal } = contextOf(world, command);
      const { tokenFile } = command.optsWithGlobals<GlobalOptions>();
      if (tokenFile === undefined) throw new ControlError('CONFIG_INVALID', 'login needs --token-file FILE: tokens are read from files, so that no history and no list of processes has them');
      const file = resolve(world.directory, tokenFile);
      const url = checkUrl(text, 'login');
      const status = await createApi({ url, token: await readToken(file) }, world).call('getStatus', { params: {} });
      const config = await readClientConfig(world);
      const path = await writeClientConfig(world, { ...config, current: flags.name, contexts: { ...config.contexts, [flags.name]: { url, tokenFile: file } } });
      terminal.object({ context: flags.name, url, tokenFile: file, org: status.org }, { text: ({ org }) => `${url} (${org}) is now '${flags.name}' in ${path}`, name: ({ context }) => context });
    });
}

export function registerContext(program: Command, world: World): void {
  const contexts = program.command('context').description('the control planes that `starling login` remembered');
  contexts
    .command('list')
    .description('list them; the one in use is marked')
    .action(async (_flags: object, command: Command) => {
      const { terminal } = contextOf(world, command);
      const { current, contexts: known = {} } = await readClientConfig(world);
      const items = Object.entries(known).map(([context, { url, tokenFile }]) => ({ context, url, ...(tokenFile === undefined ? {} : { tokenFile }), current: context === current }));
      terminal.list(items, {
        name: ({ context }) => context,
        empty: 'none yet: `starling login URL --token-file FILE` remembers one',
        columns: [
          { title: 'CONTEXT', cell: ({ context, current: used }) => `${context}${used ? ' *' : ''}` },
          { title: 'URL', cell: ({ url }) => url },
          { title: 'TOKEN FILE', cell: ({ tokenFile }) => tokenFile ?? '-' },
        ],
      });
    });
  contexts
    .command('use')
    .description('talk to this one from now on')
    .argument('<name>')
    .action(async (name: string, _flags: object, command: Command) => {
      const { terminal } = contextOf(world, command);
      const config = await readClientConfig(world);
      const chosen = config.contexts?.[name];
      if (chosen === undefined) {
        const known = Object.keys(config.contexts ?? {});
        throw new ControlError('CONFIG_INVALID', `there is no context '${name}'; ${known.length === 0 ? '`starling login URL --token-file FILE` adds one' : `there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`}`);
      }
      await writeClientConfig(world, { ...config, current: name });
      terminal.object({ context: name, url: chosen.url }, { text: ({ url }) => `${url} is what starling talks to from now on ('${name}')`, name: ({ context }) => context });
    });
}

function bodyOf(flags: CreateFlags): CreateToken {
  if ((flags.join ?? false) === (flags.api ?? false)) throw new ControlError('CONFIG_INVALID', 'say which token it is to be: --join for a machine, --api for a person or a program');
  const ttl = flags.ttl === undefined ? {} : { ttlMs: parseDuration(flags.ttl, '--ttl') };
  if (flags.api === true) {
    if (flags.scopes === undefined) throw new ControlError('CONFIG_INVALID', '--api needs --scopes, such as read:* or promote:env/prod; admin:* allows everything');
    const scopes = flags.scopes.split(',').map((one) => one.trim());
    const wrong = scopes.find((one): boolean => !isScope.Check(one));
    if (wrong !== undefined) throw new ControlError('CONFIG_INVALID', `--scopes: '${wrong}' is not a scope; scopes are read:*, upload:app/web, promote:env/prod, approve:env/prod and the like, work:* for workers, and admin:* for everything`);
    // Who votes is the name of the token: one without a name is nobody in a group.
    if (flags.group !== undefined && flags.name === undefined) throw new ControlError('CONFIG_INVALID', '--group needs --name: it says which person is in these groups');
    const groups = flags.group === undefined ? {} : { groups: flags.group.split(',').map((one) => one.trim()) };
    return { use: 'api', name: flags.name ?? 'api', scopes, ...groups, ...ttl };
  }
  const uses = Number(flags.uses);
  if (!Number.isSafeInteger(uses) || uses < 1) throw new ControlError('CONFIG_INVALID', `--uses: '${flags.uses}' is not a number from 1`);
  return {
    use: 'join',
    name: flags.name ?? 'join',
    roles: flags.roles.split(',').map(roleOf),
    usesMax: uses,
    ...(flags.environments === undefined ? {} : { environments: flags.environments.split(',') }),
    ...(flags.labels === undefined ? {} : { labels: parseLabels(flags.labels, '--labels') }),
    ...ttl,
  };
}

function roleOf(text: string): (typeof roles)[number] {
  const role = roles.find((known) => known === text.trim());
  if (role === undefined) throw new ControlError('CONFIG_INVALID', `--roles: '${text}' is not a role; roles are ${roles.join(', ')}, separated by commas`);
  return role;
}

async function save(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new ControlError('FAILED', `the token was created and could not be written to ${file}: ${cause instanceof Error ? cause.message : String(cause)}; revoke it with \`starling token list\` and \`starling token revoke\``, { cause });
  }
}

function print({ terminal }: Context, created: NewToken, file: string | undefined): void {
  // What was saved is not printed as well: the file is where it is secret.
  const { text, ...rest } = created;
  if (file === undefined) terminal.object(created, { text: () => text, name: () => text });
  else terminal.object(rest, { text: () => file, name: () => created.token });
}

function advice({ use, roles: may, usesMax, expiresAt, environments }: NewToken, url: string, file: string | undefined, now: number): string {
  const life = `expires in ${durationText(expiresAt - now)}`;
  const kept = file === undefined ? 'it is shown this once' : 'nobody can read it anywhere else';
  if (use === 'api') return `a token that ${life}; ${kept}. ${file === undefined ? 'Keep it in a file, and set' : 'Set'} STARLING_TOKEN_FILE=${file ?? 'FILE'}, or \`starling login ${url} --token-file ${file ?? 'FILE'}\``;
  return [
    `a join token for ${may.join(', ')}, ${countText(usesMax, 'use')}, ${life}${environments.length === 0 ? '' : `, environments ${environments.join(', ')}`}; ${kept}.`,
    'On the machine, with the token in a file:',
    `  starlingd join ${url} --token-file ${file ?? 'FILE'} --roles ${may.join(',')} && starlingd run`,
  ].join('\n');
}

function columns(now: number): readonly Column<Token>[] {
  return [
    { title: 'TOKEN', cell: ({ token }) => token },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'USE', cell: ({ use }) => use },
    { title: 'ALLOWS', cell: ({ use, scopes, roles: may }) => (use === 'api' ? scopes : may).join(',') },
    { title: 'USED', cell: ({ use, uses, usesMax }) => (use === 'api' ? '-' : `${uses} of ${usesMax}`) },
    {
      title: 'STATE',
      cell: ({ revoked, expiresAt }) => (revoked ? 'revoked' : expiresAt <= now ? 'expired' : `${durationText(expiresAt - now)} left`),
      colour: ({ revoked, expiresAt }) => (revoked || expiresAt <= now ? 'dim' : undefined),
    },
  ];
}
