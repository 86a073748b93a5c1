// Which control plane the command line talks to, and with which token: flags, then variables, then a named context of the
// user's configuration file. Reading and writing that file is here too; nothing is sent.

import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import { stringify } from 'yaml';
import { readDocument } from '../../proto/document.ts';
import { ControlError } from '../errors.ts';
import type { World } from './world.ts';

/** Where `starling control` listens when nobody says otherwise. */
export const defaultUrl = 'http://127.0.0.1:7400';
/** A token is a line; whatever is longer is another file. */
const tokenBytesMax = 4096;

const strict = { additionalProperties: false } as const;
const ContextSchema = Type.Object(
  { url: Type.String({ pattern: '^https?://[^/?#]+/?$' }), tokenFile: Type.Optional(Type.String({ minLength: 1 })) },
  strict,
);
/** The whole of `$XDG_CONFIG_HOME/starling/config.yaml`. */
export const ClientConfigSchema = Type.Object(
  { current: Type.Optional(Type.String()), contexts: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$' }), ContextSchema)) },
  strict,
);
export type ClientConfig = Static<typeof ClientConfigSchema>;

/** A control plane and the right to talk to it. */
export interface Endpoint {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** Where the token is: a file or a variable, as people name it. */
  readonly tokenFrom: string;
}

export interface EndpointFlags {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly context?: string;
}

type Surroundings = Pick<World, 'environment' | 'home' | 'directory'>;

export function clientConfigPath({ environment, home }: Surroundings): string {
  return join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'starling', 'config.yaml');
}

/** @throws {ControlError} CONFIG_INVALID; an absent file is an empty one. */
export async function readClientConfig(world: Surroundings): Promise<ClientConfig> {
  const path = clientConfigPath(world);
  const text = await readText(path, 'the configuration');
  return text === undefined ? {} : readDocument(text, path, ClientConfigSchema);
}

/** Replaces the file, readable by its owner only, since it may hold tokens. */
export async function writeClientConfig(world: Surroundings, config: ClientConfig): Promise<string> {
  const path = clientConfigPath(world);
  const next = `${path}.next`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(next, stringify(config), { mode: 0o600 });
    await chmod(next, 0o600);
    await rename(next, path);
  } catch (cause) {
    throw new ControlError('FAILED', `cannot write ${path}: ${reason(cause)}`, { cause });
  }
  return path;
}

/**
 * The control plane to talk to.
 * @throws {ControlError} CONFIG_INVALID; UNAUTHENTICATED when there is no token.
 */
export async function resolveEndpoint(world: Surroundings, flags: EndpointFlags): Promise<Endpoint> {
  const { environment } = world;
  const config = await readClientConfig(world);
  const name = flags.context ?? environment['STARLING_CONTEXT'] ?? config.current;
  const context = name === undefined ? undefined : config.contexts?.[name];
  if (name !== undefined && context === undefined) {
    const known = Object.keys(config.contexts ?? {});
    throw new ControlError('CONFIG_INVALID', `there is no context '${name}' in ${clientConfigPath(world)}; ${known.length === 0 ? 'it has none: `starling login URL --token-file FILE` adds one' : `it has ${known.join(', ')}`}`);
  }
  const url = checkUrl(flags.url ?? environment['STARLING_URL'] ?? context?.url ?? defaultUrl, flags.url === undefined ? 'STARLING_URL' : '--url');
  // A context's token is for its own control plane: it never goes to another one.
  const own = context !== undefined && checkUrl(context.url, name ?? '') === url ? context : undefined;
  const variable = environment['STARLING_TOKEN'];
  const file = flags.tokenFile ?? (variable === undefined ? environment['STARLING_TOKEN_FILE'] : undefined);
  const path = file === undefined ? (variable === undefined ? own?.tokenFile : undefined) : resolve(world.directory, file);
  const token = path === undefined ? variable : await readToken(path);
  if (token === undefined || token === '') {
    throw new ControlError('UNAUTHENTICATED', `no token for ${url}: set STARLING_TOKEN_FILE or STARLING_TOKEN, or run \`starling login ${url} --token-file FILE\`; \`starling control\` prints where the first token is`);
  }
  if (/[^\x21-\x7e]/.test(token)) throw new ControlError('UNAUTHENTICATED', 'the token holds spaces or control characters; a token is one word');
  return { url, token, tokenFrom: path ?? 'the variable STARLING_TOKEN' };
}

/** The one token in a file. @throws {ControlError} CONFIG_INVALID */
export async function readToken(path: string): Promise<string> {
  const text = await readText(path, 'the token');
  if (text === undefined) throw new ControlError('CONFIG_INVALID', `cannot read the token from ${path}: there is no such file; \`starling control\` writes the first one when it starts, and \`starling token create --api --save FILE\` makes others`);
  if (text.length > tokenBytesMax || text.trim() === '') throw new ControlError('CONFIG_INVALID', `${path} holds no token: expected one line of at most ${tokenBytesMax} bytes`);
  return text.trim();
}

/** @throws {ControlError} CONFIG_INVALID */
export function checkUrl(text: string, where: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new ControlError('CONFIG_INVALID', `${where}: '${text}' is not the URL of a control plane; expected something like https://control.example.org:7400`);
  }
  return url.origin;
}

async function readText(path: string, what: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new ControlError('CONFIG_INVALID', `cannot read ${what} from ${path}: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
