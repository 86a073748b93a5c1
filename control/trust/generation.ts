// One generation of the repository: every file at versions that fit together, and how the next one follows from it.
// Pure but for the signing. Keeping generations on disk, and deciding when a next one is due, is in file-repository.ts.

import { ControlError } from '../errors.ts';
import type { SigningKey } from './keys.ts';
import {
  environmentFile, keysFile, keysText, lifetimesMs, read, revisionPath, roleName, rootFile, snapshotFile, targetsFile, timestampFile, type Entry,
} from './metadata.ts';
import type { RoleEntry } from './repository.ts';

/** A signed file with what must be known of it without opening it again. */
export interface SignedFile {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly text: string;
}

export interface EnvironmentRole extends SignedFile {
  readonly entries: Readonly<Record<string, Entry>>;
}

export interface Generation {
  readonly org: string;
  /** All that ever were, version 1 first: members walk the chain. */
  readonly roots: readonly SignedFile[];
  readonly targets: SignedFile;
  readonly keys: string;
  readonly snapshot: SignedFile;
  readonly timestamp: SignedFile;
  readonly environments: ReadonlyMap<string, EnvironmentRole>;
}

/** The private keys of every role. */
export interface RoleKeys {
  readonly root: SigningKey;
  readonly targets: SigningKey;
  readonly snapshot: SigningKey;
  readonly timestamp: SigningKey;
  readonly membership: SigningKey;
  readonly orders: SigningKey;
  readonly environments: ReadonlyMap<string, SigningKey>;
}

/** What is to be signed anew, besides what follows from it. The timestamp always is. */
export interface Change {
  readonly root?: boolean;
  readonly targets?: boolean;
  readonly snapshot?: boolean;
  /** Environments and what their roles shall say. */
  readonly environments?: ReadonlyMap<string, Readonly<Record<string, Entry>>>;
}

/** The first generation: no environments yet. `now` is milliseconds since 1970. */
export function firstGeneration(org: string, keys: RoleKeys, now: number): Generation {
  const issue = { version: 1, now };
  const keysContent = keysText(org, keys);
  const root = { version: 1, expiresAt: now + lifetimesMs.root, text: rootFile(issue, topKeys(keys)) };
  const targets = { version: 1, expiresAt: now + lifetimesMs.targets, text: targetsFile(issue, keys.targets, keysContent, []) };
  const snapshot = { version: 1, expiresAt: now + lifetimesMs.snapshot, text: snapshotFile(issue, keys.snapshot, { 'targets.json': targets }) };
  const timestamp = { version: 1, expiresAt: now + lifetimesMs.timestamp, text: timestampFile(issue, keys.timestamp, snapshot) };
  return { org, roots: [root], targets, keys: keysContent, snapshot, timestamp, environments: new Map() };
}

/** The generation after `from`. @throws {ControlError} SIGNING_FAILED when a file would be larger than members accept. */
export function nextGeneration(from: Generation, change: Change, keys: RoleKeys, now: number): Generation {
  const roots = change.root === true ? [...from.roots, nextRoot(from.roots, keys, now)] : from.roots;
  const environments = new Map(from.environments);
  for (const [environment, entries] of change.environments ?? []) {
    const version = (from.environments.get(environment)?.version ?? 0) + 1;
    const key = environmentKey(keys, environment);
    const text = environmentFile({ version, now }, key, environment, entries);
    environments.set(environment, { version, expiresAt: now + lifetimesMs.environment, text, entries });
  }
  const keysContent = keysText(from.org, keys);
  const delegated = environments.size > from.environments.size;
  const targets = change.targets === true || delegated || keysContent !== from.keys ? nextTargets(from, keysContent, environments, keys, now) : from.targets;
  const snapshot =
    change.snapshot === true || targets !== from.targets || change.environments !== undefined ? nextSnapshot(from, targets, environments, keys, now) : from.snapshot;
  const version = from.timestamp.version + 1;
  const timestamp = { version, expiresAt: now + lifetimesMs.timestamp, text: timestampFile({ version, now }, keys.timestamp, snapshot) };
  return { org: from.org, roots, targets, keys: keysContent, snapshot, timestamp, environments };
}

/** What the role shall say, with the highest number of each application carried on. */
export function entriesAfter(role: EnvironmentRole | undefined, revisions: Readonly<Record<string, RoleEntry>>): Readonly<Record<string, Entry>> {
  return Object.fromEntries(
    Object.entries(revisions).map(([app, entry]) => [
      app,
      { revision: entry.revision, bytes: entry.bytes, number: entry.number, highest: Math.max(entry.number, role?.entries[app]?.highest ?? 0) },
    ]),
  );
}

/** Whether a role says exactly this already. */
export function sayTheSame(a: Readonly<Record<string, RoleEntry>>, b: Readonly<Record<string, RoleEntry>>): boolean {
  const apps = Object.keys(a);
  return (
    apps.length === Object.keys(b).length &&
    apps.every((app) => a[app]?.revision === b[app]?.revision && a[app]?.bytes === b[app]?.bytes && a[app]?.number === b[app]?.number)
  );
}

/** The files of a generation, by the names that members know them by. */
export function filesOf(generation: Generation): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(generation.roots.map((root) => [`${root.version}.root.json`, root.text])),
    'targets.json': generation.targets.text,
    [keysFile]: generation.keys,
    'snapshot.json': generation.snapshot.text,
    'timestamp.json': generation.timestamp.text,
    ...Object.fromEntries([...generation.environments].map(([environment, role]) => [`${roleName(environment)}.json`, role.text])),
  };
}

/** The generation that these files are. @throws when one is missing or damaged. */
export function generationOf(files: Readonly<Record<string, string>>): Generation {
  const text = (name: string): string => {
    const found = files[name];
    if (found === undefined) throw new Error(`${name} is missing`);
    return found;
  };
  const roots: SignedFile[] = [];
  for (let version = 1; files[`${version}.root.json`] !== undefined; version += 1) roots.push(signedFile(text(`${version}.root.json`), read.root));
  const newest = roots.at(-1);
  if (newest === undefined) throw new Error('1.root.json is missing');
  const targets = read.targets(text('targets.json'));
  const root = read.root(newest.text);
  root.verifyDelegate('targets', targets);
  root.verifyDelegate('snapshot', read.snapshot(text('snapshot.json')));
  root.verifyDelegate('timestamp', read.timestamp(text('timestamp.json')));
  const environments = new Map<string, EnvironmentRole>();
  for (const role of Object.keys(targets.signed.delegations?.roles ?? {})) {
    const environment = role.slice('env-'.length);
    targets.verifyDelegate(role, read.targets(text(`${role}.json`)));
    environments.set(environment, environmentRole(environment, text(`${role}.json`)));
  }
  return {
    org: orgOf(text(keysFile)),
    roots,
    targets: signedFile(text('targets.json'), read.targets),
    keys: text(keysFile),
    snapshot: signedFile(text('snapshot.json'), read.snapshot),
    timestamp: signedFile(text('timestamp.json'), read.timestamp),
    environments,
  };
}

function topKeys(keys: RoleKeys) {
  return { root: keys.root, targets: keys.targets, snapshot: keys.snapshot, timestamp: keys.timestamp };
}

function nextRoot(roots: readonly SignedFile[], keys: RoleKeys, now: number): SignedFile {
  const version = roots.length + 1;
  return { version, expiresAt: now + lifetimesMs.root, text: rootFile({ version, now }, topKeys(keys)) };
}

function nextTargets(from: Generation, keysContent: string, environments: Generation['environments'], keys: RoleKeys, now: number): SignedFile {
  const version = from.targets.version + 1;
  const delegations = [...environments.keys()].toSorted().map((environment) => ({ environment, key: environmentKey(keys, environment) }));
  return { version, expiresAt: now + lifetimesMs.targets, text: targetsFile({ version, now }, keys.targets, keysContent, delegations) };
}

function nextSnapshot(from: Generation, targets: SignedFile, environments: Generation['environments'], keys: RoleKeys, now: number): SignedFile {
  const version = from.snapshot.version + 1;
  const roles = Object.fromEntries([...environments].map(([environment, role]) => [`${roleName(environment)}.json`, role]));
  const text = snapshotFile({ version, now }, keys.snapshot, { 'targets.json': targets, ...roles });
  return { version, expiresAt: now + lifetimesMs.snapshot, text };
}

function environmentKey(keys: RoleKeys, environment: string): SigningKey {
  const key = keys.environments.get(environment);
  if (key === undefined) throw new ControlError('SIGNING_FAILED', `there is no key for the role of environment '${environment}'`);
  return key;
}

function signedFile(text: string, parse: (text: string) => { readonly signed: { readonly version: number; readonly expires: string } }): SignedFile {
  const { signed } = parse(text);
  return { version: signed.version, expiresAt: new Date(signed.expires).getTime(), text };
}

function environmentRole(environment: string, text: string): EnvironmentRole {
  const { signed } = read.targets(text);
  const entries: Record<string, Entry> = {};
  for (const target of Object.values(signed.targets)) {
    const { app, number, highest } = target.custom;
    const revision = target.hashes['sha256'];
    if (typeof app !== 'string' || typeof number !== 'number' || typeof highest !== 'number' || revision === undefined || target.path !== revisionPath(environment, app)) {
      throw new Error(`${roleName(environment)}.json has a target ${target.path} that is not one of ours`);
    }
    entries[app] = { revision, bytes: target.length, number, highest };
  }
  return { ...signedFile(text, read.targets), entries };
}

function orgOf(keysContent: string): string {
  const parsed: unknown = JSON.parse(keysContent);
  if (typeof parsed !== 'object' || parsed === null || !('org' in parsed) || typeof parsed.org !== 'string') throw new Error(`${keysFile} names no org`);
  return parsed.org;
}
