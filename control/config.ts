// The control plane's settings: what each means, its default, and the file that people write. Reading the file and the
// environment is main.ts's; everything else is handed a whole `ControlConfig`.

import Type, { type Static } from 'typebox';
import { oneOf } from '../proto/api/schema.ts';
import { readDocument } from '../proto/document.ts';
import { ProtocolError } from '../proto/errors.ts';
import { ChannelsSchema, type ChannelConfig } from './config-channels.ts';
import { ControlError } from './errors.ts';

const strict = { additionalProperties: false } as const;
const logLevels = ['debug', 'info', 'warn', 'error'] as const;
const metricsAccess = ['open', 'token'] as const;

/** Where the file is looked for when nobody says. */
export const configPath = '/etc/starling/control.yaml';

/** Each setting once, with its unit and what too low, too high or wrong does. */
export const defaults = Object.freeze({
  /** Where the API listens, for people and for members. Loopback until somebody decides otherwise: put TLS in front before it is opened. */
  listen: Object.freeze({ host: '127.0.0.1', port: 7400 }),
  /** The journal, the trust repository and its keys. On a disk that is backed up; another process in it is refused. */
  dataDir: '/var/lib/starling',
  /** Whose fleet it is; fixed at the first start, because it is in every certificate. */
  org: 'starling',
  log: Object.freeze({ level: 'info' } as const),
  /** Who may read /metrics: `open` to all who reach the port, or `token` with the scope read:*. It names environments, never secrets. */
  metrics: 'open',
  /** Event streams open at once; each holds a connection. Too low: user interfaces show old state. */
  eventStreamsMax: 256,
  /** Connections at once; a fleet needs one for each member. Too low: members cannot hear; too high: memory. */
  connectionsMax: 20_000,
} as const);

/** The whole of `control.yaml`. */
export const ConfigSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Object({ host: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })), port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })) }, strict),
    ),
    publicUrl: Type.Optional(Type.String({ pattern: '^https?://[^/?#]+/?$' })),
    dataDir: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    org: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    log: Type.Optional(Type.Object({ level: Type.Optional(oneOf(logLevels)) }, strict)),
    metrics: Type.Optional(oneOf(metricsAccess)),
    eventStreamsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    connectionsMax: Type.Optional(Type.Integer({ minimum: 10, maximum: 100_000 })),
    /** Where notices go, by the names that pipelines use. */
    channels: Type.Optional(ChannelsSchema),
  },
  strict,
);
type ConfigFile = Static<typeof ConfigSchema>;

/** Settings after defaults. */
export interface ControlConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** How members and people reach it; absent: as it listens. */
  readonly publicUrl: string | undefined;
  readonly dataDir: string;
  readonly org: string;
  readonly log: { readonly level: (typeof logLevels)[number] };
  readonly metrics: (typeof metricsAccess)[number];
  readonly eventStreamsMax: number;
  readonly connectionsMax: number;
  readonly channels: Readonly<Record<string, ChannelConfig>>;
}

/** Where settings come from, weakest first: defaults, the file, `STARLING_*` variables, flags. */
export interface ConfigSources {
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: {
    /** `host:port`, `:port` or `host`. */
    readonly listen?: string;
    readonly publicUrl?: string;
    readonly dataDir?: string;
    readonly org?: string;
    readonly logLevel?: string;
    readonly metrics?: string;
  };
}

/**
 * The effective settings, frozen.
 * @throws {ControlError} CONFIG_INVALID with every problem, one on each line: those of the file with line and column.
 */
export function readConfig({ file, environment, flags }: ConfigSources): ControlConfig {
  const problems: string[] = [];
  const written = file === undefined ? {} : parse(file.text, file.path, problems);
  const pick = <Value>(flag: keyof typeof flags, variable: string, read: (text: string) => Value | undefined, expected: string): Value | undefined => {
    const [text, where] = flags[flag] === undefined ? [environment[variable], variable] : [flags[flag], `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`];
    if (text === undefined) return undefined;
    const value = read(text);
    if (value === undefined) problems.push(`${where}: '${text}' is not ${expected}`);
    return value;
  };
  const listen = pick('listen', 'STARLING_LISTEN', readAddress, 'an address such as 127.0.0.1:7400');
  const publicUrl = pick('publicUrl', 'STARLING_PUBLIC_URL', (text) => (/^https?:\/\/[^/?#]+\/?$/.test(text) ? text : undefined), 'a URL such as https://starling.example.org');
  const dataDir = pick('dataDir', 'STARLING_DATA_DIR', nonEmpty, 'a directory');
  const org = pick('org', 'STARLING_ORG', (text) => (text.length <= 64 ? nonEmpty(text) : undefined), 'a name of at most 64 characters');
  const level = pick('logLevel', 'STARLING_LOG_LEVEL', (text) => logLevels.find((known) => known === text), `one of ${logLevels.join(', ')}`);
  const metrics = pick('metrics', 'STARLING_METRICS', (text) => metricsAccess.find((known) => known === text), `one of ${metricsAccess.join(', ')}`);
  if (problems.length > 0) throw new ControlError('CONFIG_INVALID', problems.join('\n'));
  return Object.freeze({
    listen: Object.freeze({ ...defaults.listen, ...written.listen, ...listen }),
    publicUrl: publicUrl ?? written.publicUrl,
    dataDir: dataDir ?? written.dataDir ?? defaults.dataDir,
    org: org ?? written.org ?? defaults.org,
    log: Object.freeze({ level: level ?? written.log?.level ?? defaults.log.level }),
    metrics: metrics ?? written.metrics ?? defaults.metrics,
    eventStreamsMax: written.eventStreamsMax ?? defaults.eventStreamsMax,
    connectionsMax: written.connectionsMax ?? defaults.connectionsMax,
    channels: written.channels ?? {},
  });
}

/** What a file says that was found to be sound. @throws {ProtocolError} when it is not. */
export function parsedFile({ text, path }: NonNullable<ConfigSources['file']>): object {
  return readDocument(text, path, ConfigSchema);
}

function parse(text: string, path: string, problems: string[]): ConfigFile {
  try {
    return readDocument(text, path, ConfigSchema);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    problems.push(cause.message);
    return {};
  }
}

/** `host:port`, `:port`, `[v6]:port`, or a host alone; undefined when it is none of these. */
export function readAddress(text: string): { readonly host?: string; readonly port?: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if ((host === undefined || host === '') && digits === undefined) return undefined;
  if (digits !== undefined && Number(digits) > 65535) return undefined;
  return { ...(host === undefined || host === '' ? {} : { host }), ...(digits === undefined ? {} : { port: Number(digits) }) };
}

function nonEmpty(text: string): string | undefined {
  return text.trim() === '' ? undefined : text;
}
