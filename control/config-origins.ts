// Where each setting of a control plane comes from, for people who wonder why it is what it is. Reading them is config.ts.

import { parsedFile, readAddress, type ConfigSources } from './config.ts';

/** Variables by the settings that they decide. */
const variables: Readonly<Record<string, string>> = {
  publicUrl: 'STARLING_PUBLIC_URL',
  dataDir: 'STARLING_DATA_DIR',
  org: 'STARLING_ORG',
  'log.level': 'STARLING_LOG_LEVEL',
  metrics: 'STARLING_METRICS',
};

/** A setting, as `log.level`, and whether a variable, the file or nobody says it. */
export interface Origin {
  readonly setting: string;
  readonly value: string;
  /** The name of a variable, the path of the file, or `default`. */
  readonly from: string;
}

/** One of each setting, by name, of settings that were found to be sound; flags are nobody's here. */
export function originsOf(config: object, { file, environment }: Pick<ConfigSources, 'file' | 'environment'>): readonly Origin[] {
  const written = new Set(file === undefined ? [] : leaves(parsedFile(file)).map(([setting]) => setting));
  const listen = readAddress(environment['STARLING_LISTEN'] ?? '') ?? {};
  const saidOf = (setting: string): string | undefined => {
    if (setting.startsWith('listen.')) return Object.hasOwn(listen, setting.slice('listen.'.length)) ? 'STARLING_LISTEN' : undefined;
    const variable = variables[setting];
    return variable !== undefined && environment[variable] !== undefined ? variable : undefined;
  };
  return leaves(config)
    .map(([setting, value]): Origin => ({ setting, value, from: saidOf(setting) ?? (written.has(setting) ? (file?.path ?? '') : 'default') }))
    .toSorted((a, b) => (a.setting < b.setting ? -1 : 1));
}

/** Settings inside settings by their names with dots between. */
function leaves(value: object, prefix = ''): readonly (readonly [string, string])[] {
  return Object.entries(value).flatMap(([key, inner]: readonly [string, unknown]) => {
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return leaves(inner, `${prefix}${key}.`);
    return [[`${prefix}${key}`, inner === undefined ? '' : typeof inner === 'string' ? inner : JSON.stringify(inner)] as const];
  });
}
