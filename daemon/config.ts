// The daemon's settings: what each means, its default, and the file that people write. Reading the file and the
// environment is main.ts's; everything else is handed a whole `Config`.

import Type, { type Static } from 'typebox';
import { readDocument } from '../proto/document.ts';
import { ProtocolError } from '../proto/errors.ts';
import { RoleSchema } from '../proto/statement.ts';
import { RatesConfigSchema, ratesOf, type RatesConfig } from './config-rates.ts';
import { DaemonError } from './errors.ts';

const strict = { additionalProperties: false } as const;
const logLevels = ['debug', 'info', 'warn', 'error'];
const namePattern = '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$';
const listenPattern = '^/(ip4|ip6)/.+/tcp/[0-9]+$';
const Port = Type.Integer({ minimum: 0, maximum: 65535 });

/** Each setting once, with what too low or too high does. */
export const defaults = Object.freeze({
  dataDir: '/var/lib/starlingd',
  /** Where the swarm listens. Port 0 takes any free one: fine behind no firewall, since the roster carries it. */
  listen: '/ip4/0.0.0.0/tcp/7401',
  /**
   * Chunks travel to and from neighbours over a connection of their own beside the swarm's, at a quarter of the CPU. `off`: over the swarm's own.
   * Its port is to be open between members as the swarm's is; if it is open at one of two, or not at all, chunks still travel.
   */
  bulk: Object.freeze({ use: 'on', portAbove: 3 }),
  /** The local API and /metrics: on loopback, since neither asks who is there. */
  http: Object.freeze({ host: '127.0.0.1', port: 7402 }),
  /** Where clients upload, on a proxy. */
  upload: Object.freeze({ host: '0.0.0.0', port: 7403 }),
  /** Whether the built-in supervisor stops the applications when the daemon is stopped: `leave` lets a daemon be upgraded under them. */
  supervisor: Object.freeze({ onStop: 'leave' }),
  /**
   * Files of installed releases that somebody changed. `repair` puts them back (what was there is kept in `.state/drifted` under the application's root), `report`
   * tells only, `off` does not look. Fewer minutes notice sooner and read more: at most a mebibyte a second.
   */
  drift: Object.freeze({ use: 'repair', minutes: 60 }),
  /**
   * Revisions of each application that a seed or proxy keeps beyond those that environments name: an older one must be pushed again before it can be
   * promoted. Unlimited when it is left out, so that whatever was ever pushed can be promoted.
   */
  keepRevisions: undefined,
  log: Object.freeze({ level: 'info' }),
  zone: 'default',
});

const Listener = Type.Object({ host: Type.Optional(Type.String({ maxLength: 255 })), port: Type.Optional(Port) }, strict);

/** The whole of `agent.yaml`. */
export const ConfigSchema = Type.Object(
  {
    dataDir: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    name: Type.Optional(Type.String({ pattern: namePattern })),
    roles: Type.Optional(Type.Array(RoleSchema, { minItems: 1, maxItems: 3 })),
    listen: Type.Optional(Type.String({ pattern: listenPattern })),
    /** The port is 3 above the swarm's when it is left out (7404), and any free one when that is; 0 takes any free one. */
    bulk: Type.Optional(Type.Object({ use: Type.Optional(Type.Union([Type.Literal('on'), Type.Literal('off')])), port: Type.Optional(Port) }, strict)),
    http: Type.Optional(Listener),
    upload: Type.Optional(Type.Object({ host: Type.Optional(Type.String({ maxLength: 255 })), port: Type.Optional(Port), url: Type.Optional(Type.String({ pattern: '^https?://' })) }, strict)),
    apps: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$' }),
        Type.Object({ root: Type.String({ pattern: '^/' }), host: Type.Optional(Type.String({ maxLength: 255 })), port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })) }, strict),
      ),
    ),
    supervisor: Type.Optional(Type.Object({ onStop: Type.Optional(Type.Union([Type.Literal('stop'), Type.Literal('leave')])) }, strict)),
    drift: Type.Optional(Type.Object({ use: Type.Optional(Type.Union([Type.Literal('repair'), Type.Literal('report'), Type.Literal('off')])), minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080 })) }, strict)),
    keepRevisions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    log: Type.Optional(Type.Object({ level: Type.Optional(Type.Union(logLevels.map((level) => Type.Literal(level)))) }, strict)),
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    /** Unlimited where it says nothing. */
    rates: Type.Optional(RatesConfigSchema),
  },
  strict,
);
type ConfigFile = Static<typeof ConfigSchema>;

/** One application as this target knows it. */
export interface AppConfig {
  /** Holds `releases/`, `current` and `shared/`; an absolute path. */
  readonly root: string;
  /** Where the built-in supervisor's front listens for the application's clients. */
  readonly host: string;
  readonly port: number | undefined;
}

/** Settings after defaults. */
export interface Config {
  readonly dataDir: string;
  readonly name: string;
  readonly roles: readonly ('agent' | 'seed' | 'proxy')[];
  readonly listen: string;
  readonly bulk: { readonly use: 'on' | 'off'; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  readonly upload: { readonly host: string; readonly port: number; readonly url: string | undefined };
  readonly apps: Readonly<Record<string, AppConfig>>;
  readonly supervisor: { readonly onStop: 'stop' | 'leave' };
  readonly drift: { readonly use: 'repair' | 'report' | 'off'; readonly minutes: number };
  readonly keepRevisions: number | undefined;
  readonly log: { readonly level: string };
  readonly zone: string;
  readonly rates: RatesConfig;
}

/** Where settings come from, weakest first: defaults, the file, `STARLING_*` variables, flags. */
export interface ConfigSources {
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: { readonly dataDir?: string; readonly name?: string; readonly roles?: readonly string[]; readonly logLevel?: string };
  readonly hostname: string;
}

/**
 * The effective settings.
 * @throws {DaemonError} CONFIG_INVALID with every problem of the file, each with its line and column.
 */
export function readConfig({ file, environment, flags, hostname }: ConfigSources): Config {
  const written = file === undefined ? {} : parse(file.text, file.path);
  const roles = flags.roles ?? environment['STARLING_ROLES']?.split(',');
  const said = checked(flags, environment);
  const swarmListen = said.listen ?? written.listen ?? defaults.listen;
  return {
    dataDir: flags.dataDir ?? environment['STARLING_DATA_DIR'] ?? written.dataDir ?? defaults.dataDir,
    name: said.name ?? written.name ?? nameOf(hostname),
    roles: roles === undefined ? (written.roles ?? ['agent']) : roles.map(role),
    listen: swarmListen,
    bulk: { use: written.bulk?.use ?? 'on', port: written.bulk?.port ?? bulkPortOf(swarmListen) },
    http: { ...defaults.http, ...written.http },
    upload: { ...defaults.upload, url: undefined, ...written.upload },
    apps: Object.fromEntries(Object.entries(written.apps ?? {}).map(([app, { root, host, port }]) => [app, { root, host: host ?? '127.0.0.1', port }])),
    supervisor: { ...defaults.supervisor, onStop: written.supervisor?.onStop ?? 'leave' },
    drift: { use: written.drift?.use ?? 'repair', minutes: written.drift?.minutes ?? defaults.drift.minutes },
    keepRevisions: written.keepRevisions ?? defaults.keepRevisions,
    log: { level: said.logLevel ?? written.log?.level ?? defaults.log.level },
    zone: written.zone ?? defaults.zone,
    rates: ratesOf(written.rates),
  };
}

/** What flags and variables say, where the file's schema does not look. @throws {DaemonError} CONFIG_INVALID with every problem, a line each. */
function checked(flags: ConfigSources['flags'], environment: ConfigSources['environment']) {
  const problems: string[] = [];
  const pick = (flag: readonly [name: string, text: string | undefined] | undefined, variable: string, fits: (text: string) => boolean, expected: string): string | undefined => {
    const [where, text] = flag?.[1] === undefined ? [variable, environment[variable]] : flag;
    if (text !== undefined && !fits(text)) problems.push(`${where}: '${text}' is not ${expected}`);
    return text;
  };
  const name = pick(['--name', flags.name], 'STARLING_NAME', (text) => new RegExp(namePattern).test(text), 'a name of at most 64 lower-case letters, digits and hyphens');
  const listen = pick(undefined, 'STARLING_LISTEN', (text) => new RegExp(listenPattern).test(text), `an address such as ${defaults.listen}`);
  const logLevel = pick(['--log-level', flags.logLevel], 'STARLING_LOG_LEVEL', (text) => logLevels.includes(text), `one of ${logLevels.join(', ')}`);
  if (problems.length > 0) throw new DaemonError('CONFIG_INVALID', problems.join('\n'));
  return { name, listen, logLevel };
}

function parse(text: string, path: string): ConfigFile {
  try {
    return readDocument(text, path, ConfigSchema);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw new DaemonError('CONFIG_INVALID', cause.message, { cause });
    throw cause;
  }
}

function role(text: string): 'agent' | 'seed' | 'proxy' {
  if (text === 'agent' || text === 'seed' || text === 'proxy') return text;
  throw new DaemonError('CONFIG_INVALID', `'${text}' is not a role; roles are agent, seed and proxy, separated by commas`);
}

/** Members on one machine listen on different ports, and so must their bulk channels. */
function bulkPortOf(listen: string): number {
  const port = Number(listen.slice(listen.lastIndexOf('/') + 1));
  return port === 0 ? 0 : Math.min(65_535, port + defaults.bulk.portAbove);
}

/** The machine's name in the form that names have here. */
function nameOf(hostname: string): string {
  return hostname.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, 64) || 'target';
}
