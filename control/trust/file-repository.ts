// The repository on one machine's disk: keys in `keys/`, the current generation in `trust/generation.json`, replaced as a whole.
// How a generation is made is in generation.ts.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Digest } from '../../proto/cid.ts';
import { limits } from '../../proto/limits.ts';
import { ControlError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createFileOnce, makeDirectory, readText, replaceFile } from './durable.ts';
import { entriesAfter, filesOf, firstGeneration, generationOf, nextGeneration, sayTheSame, type Change, type Generation, type RoleKeys } from './generation.ts';
import { openKeyring, type Keyring, type SigningKey } from './keys.ts';
import { keysFile, keysText, lifetimesMs, roleName } from './metadata.ts';
import type { RoleEntry, TrustRepository } from './repository.ts';
import { createStatements } from './statements.ts';

export interface RepositoryOptions {
  readonly dataDir: string;
  /** Whose repository it is: certificates of another organisation are refused by members. Fixed at the first start. */
  readonly org: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Logger;
}

/** The timestamp is signed anew when it is this old: members then know of a freeze within minutes, not within its day. */
export const timestampAgeMs = 10 * 60_000;
/** Targets and delegations per role (trust.md, section 3: `@tufjs/models` is quadratic in them). */
export const roleEntriesMax = 500;
/** The snapshot lists targets.json besides the file of each environment, and is such a role itself. */
export const environmentsMax = roleEntriesMax - 1;

const namePattern = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const digestPattern = /^[0-9a-f]{64}$/;
const format = 'starling.trust-generation/1';

/**
 * Opens the repository of `dataDir`, and makes keys and first generation when there is none. One process at a time: the journal's lock
 * on the same directory sees to that. @throws {ControlError} STORAGE_FAILED; CONFIG_INVALID when keys, files and `org` do not belong together.
 */
export async function openRepository(options: RepositoryOptions): Promise<TrustRepository> {
  const { dataDir, org, now, log } = options;
  await makeDirectory(dataDir);
  const directory = join(dataDir, 'trust');
  await makeDirectory(directory);
  const keyring = await openKeyring(join(dataDir, 'keys'));
  const path = join(directory, 'generation.json');
  const keys = await topLevelKeys(keyring);
  const found = await readText(path);
  if (found === undefined) {
    await createFileOnce(path, encode(firstGeneration(org, { ...keys, environments: new Map() }, now())), 'first');
    log.warn({ directory: join(dataDir, 'keys') }, 'made a trust root with development keys: whoever can read them can sign everything');
  }
  const generation = decode(path, found ?? (await readText(path)) ?? '');
  if (generation.org !== org) {
    throw new ControlError('CONFIG_INVALID', `the trust repository in ${directory} is that of org '${generation.org}', not '${org}': set org to '${generation.org}'`);
  }
  const environments = new Map<string, SigningKey>();
  for (const environment of generation.environments.keys()) environments.set(environment, await keyring(roleName(environment)));
  checkKeys(generation, { ...keys, environments }, join(dataDir, 'keys'));
  return await createRepository({ path, generation, keys, environments, keyring, now, log });
}

interface Opened {
  readonly path: string;
  readonly generation: Generation;
  readonly keys: Omit<RoleKeys, 'environments'>;
  readonly environments: Map<string, SigningKey>;
  readonly keyring: Keyring;
  readonly now: () => number;
  readonly log: Logger;
}

async function createRepository(opened: Opened): Promise<TrustRepository> {
  const { path, keys, environments, keyring, now, log } = opened;
  let generation = opened.generation;
  let last: Promise<unknown> = Promise.resolve();

  /** One change at a time; memory follows the disk, never the other way round. */
  const alone = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return await turn;
  };
  const advance = async (change: Change): Promise<void> => {
    const next = nextGeneration(generation, change, { ...keys, environments }, now());
    await replaceFile(path, encode(next));
    generation = next;
  };

  const publish = async (environment: string, revisions: Readonly<Record<string, RoleEntry>>): Promise<{ readonly version: number }> => {
    checkRole(environment, revisions);
    const role = generation.environments.get(environment);
    if (role !== undefined && sayTheSame(role.entries, revisions)) return { version: role.version };
    if (role === undefined && generation.environments.size >= environmentsMax) {
      throw new ControlError('SIGNING_FAILED', `there are ${environmentsMax} environments already, the most that one repository delegates to`);
    }
    environments.set(environment, await keyring(roleName(environment)));
    await advance({ environments: new Map([[environment, entriesAfter(role, revisions)]]) });
    const version = generation.environments.get(environment)?.version ?? 0;
    log.info({ environment, version }, 'published the role of an environment');
    return { version };
  };

  const refresh = async (): Promise<readonly string[]> => {
    const due = dueAt(generation, now());
    if (due.names.length > 0) await advance(due.change);
    return due.names;
  };

  // A statement key that was put there by hand since the last start: members learn of it with the next targets file.
  await alone(async () => {
    if (keysText(generation.org, keys) !== generation.keys) {
      await advance({ targets: true });
      log.warn({}, 'the keys for orders or membership are others than before: members will refuse what the old ones signed');
    }
  });

  return {
    rootDigest: () => sha256(firstRoot(generation)),
    rootFile: () => firstRoot(generation),
    files: (newerThan, wanted) => newerFiles(generation, newerThan, wanted),
    role: (environment) => {
      const role = generation.environments.get(environment);
      if (role === undefined) return undefined;
      const revisions = Object.entries(role.entries).map(([app, { revision, bytes, number }]) => [app, { revision, bytes, number }]);
      return { version: role.version, revisions: Object.fromEntries(revisions) };
    },
    publish: async (environment, revisions) => await alone(() => publish(environment, revisions)),
    refresh: async () => await alone(refresh),
    ...createStatements(keys, now),
  };
}

async function topLevelKeys(keyring: Keyring): Promise<Omit<RoleKeys, 'environments'>> {
  return {
    root: await keyring('root'),
    targets: await keyring('targets'),
    snapshot: await keyring('snapshot'),
    timestamp: await keyring('timestamp'),
    membership: await keyring('membership'),
    orders: await keyring('orders'),
  };
}

/** What is due for a new signature: members warn at half a role's life, so that is when it ends here. */
function dueAt(generation: Generation, now: number): { readonly names: readonly string[]; readonly change: Change } {
  const due = (expiresAt: number, lifetimeMs: number) => expiresAt - now <= lifetimeMs / 2;
  const root = due(generation.roots.at(-1)?.expiresAt ?? 0, lifetimesMs.root);
  const targets = due(generation.targets.expiresAt, lifetimesMs.targets);
  const snapshot = due(generation.snapshot.expiresAt, lifetimesMs.snapshot);
  const roles = [...generation.environments].filter(([, role]) => due(role.expiresAt, lifetimesMs.environment));
  const timestamp = generation.timestamp.expiresAt - now <= lifetimesMs.timestamp - timestampAgeMs;
  const names = [
    ...(root ? ['root'] : []),
    ...(targets ? ['targets'] : []),
    ...roles.map(([environment]) => roleName(environment)),
    ...(snapshot ? ['snapshot'] : []),
  ];
  const change = {
    root,
    targets,
    snapshot,
    ...(roles.length > 0 ? { environments: new Map(roles.map(([environment, role]) => [environment, role.entries])) } : {}),
  };
  return { names: timestamp || names.length > 0 ? [...names, 'timestamp'] : [], change };
}

function newerFiles(generation: Generation, newerThan: Readonly<Record<string, number>>, wanted: readonly string[] | 'all'): Readonly<Record<string, string>> {
  const held = (role: string): number => (Object.hasOwn(newerThan, role) ? (newerThan[role] ?? 0) : 0);
  const files: Record<string, string> = {};
  // A member takes at most this many steps at a time; it asks again for the rest.
  for (const root of generation.roots.slice(held('root'), held('root') + limits.rootRotationsMax)) files[`${root.version}.root.json`] = root.text;
  // Newer, not other: a member ahead of a repository that was restored from a backup would otherwise be sent the same files forever.
  if (generation.timestamp.version > held('timestamp')) files['timestamp.json'] = generation.timestamp.text;
  if (generation.snapshot.version > held('snapshot')) files['snapshot.json'] = generation.snapshot.text;
  if (generation.targets.version > held('targets')) {
    files['targets.json'] = generation.targets.text;
    files[keysFile] = generation.keys;
  }
  for (const [environment, role] of generation.environments) {
    if (wanted !== 'all' && !wanted.includes(environment)) continue;
    if (role.version > held(roleName(environment))) files[`${roleName(environment)}.json`] = role.text;
  }
  return files;
}

function checkRole(environment: string, revisions: Readonly<Record<string, RoleEntry>>): void {
  const apps = Object.entries(revisions);
  if (!namePattern.test(environment)) throw new ControlError('SIGNING_FAILED', `'${environment}' is not the name of an environment: ${namePattern.source}`);
  if (apps.length > roleEntriesMax) throw new ControlError('SIGNING_FAILED', `environment '${environment}' has ${apps.length} applications, at most ${roleEntriesMax} fit one role`);
  for (const [app, { revision, bytes, number }] of apps) {
    const valid = namePattern.test(app) && digestPattern.test(revision) && inRange(bytes, limits.revisionBytesMax) && inRange(number, Number.MAX_SAFE_INTEGER);
    if (!valid) throw new ControlError('SIGNING_FAILED', `'${app}' in environment '${environment}' names no revision that members would accept: ${revision}, ${bytes} bytes, number ${number}`);
  }
}

/** Keys that do not belong to the files would sign what every member refuses: better not to start. */
function checkKeys(generation: Generation, keys: RoleKeys, directory: string): void {
  const root = generation.roots.at(-1)?.text ?? '';
  const strangers = (['root', 'targets', 'snapshot', 'timestamp'] as const).filter((name) => !root.includes(keys[name].id));
  const roles = [...keys.environments].filter(([, key]) => !generation.targets.text.includes(key.id)).map(([environment]) => roleName(environment));
  const all = [...strangers, ...roles];
  if (all.length > 0) {
    throw new ControlError('CONFIG_INVALID', `${all.map((name) => `${name}.pem`).join(', ')} in ${directory} is not the key that the trust repository names: restore it from a backup`);
  }
}

function firstRoot(generation: Generation): string {
  return generation.roots[0]?.text ?? '';
}

function encode(generation: Generation): string {
  return JSON.stringify({ format, files: filesOf(generation) });
}

function decode(path: string, text: string): Generation {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isEnvelope(parsed)) throw new Error(`it is not a ${format}`);
    return generationOf(parsed.files);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ControlError('STORAGE_FAILED', `${path} is damaged (${reason}): restore the data directory from a backup`, { cause });
  }
}

function isEnvelope(value: unknown): value is { readonly files: Readonly<Record<string, string>> } {
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== format || !('files' in value)) return false;
  const { files } = value;
  return typeof files === 'object' && files !== null && Object.values(files).every((file) => typeof file === 'string');
}

function inRange(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= max;
}

function sha256(text: string): Digest {
  return createHash('sha256').update(text).digest('hex');
}
