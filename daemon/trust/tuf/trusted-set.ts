// What is believed: TUF's client workflow (specification 1.0.34, section 5) as functions from a set and new files to the next set.
// Pure and synchronous: the time comes in, and where files come from or are kept is not known here (file-trust.ts).

import { isDeepStrictEqual } from 'node:util';
import type { Metadata, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { checkDowngrades, environmentOf, pathsOf, readRevisions, roleOf, type RoleRevision } from './environment-role.ts';
import { keysFile, readStatementKeys, type StatementKeys } from '../statements/statement-keys.ts';
import { checkDescribed, checkFresh, checkSigned, checkVersion, isSigned, refused, wentBack } from './tuf-checks.ts';
import { describes, readRoot, readSnapshot, readTargets, readTimestamp, type Signed, type TufFile } from './tuf-file.ts';

/** The role of an environment, verified, at some version: compare with the snapshot before using it. */
export interface TrustedRole {
  readonly environment: string;
  readonly file: TufFile<Targets>;
  readonly revisions: ReadonlyMap<string, RoleRevision>;
}

/** Files that were each verified by the one before it. A set without a timestamp or snapshot authorises nothing. */
export interface TrustedSet {
  readonly root: TufFile<Root>;
  readonly timestamp: TufFile<Timestamp> | undefined;
  readonly snapshot: TufFile<Snapshot> | undefined;
  readonly targets: TufFile<Targets> | undefined;
  readonly keys: StatementKeys | undefined;
  /** By role name. */
  readonly roles: ReadonlyMap<string, TrustedRole>;
}

/** Texts by file name. */
export type Files = Readonly<Record<string, string>>;

/** Section 5.2: the set that a root trusted beforehand starts. @throws {DaemonError} METADATA_REFUSED. */
export function startSet(name: string, text: string): TrustedSet {
  const root = readRoot(name, text);
  // The specification trusts this file as it is. Signed by itself it must be all the same: everything after it depends on these keys.
  checkSigned(root.metadata, 'root', root);
  return { root, timestamp: undefined, snapshot: undefined, targets: undefined, keys: undefined, roles: new Map() };
}

/**
 * The set that was believed when it was last kept. Signatures are checked again, so that a damaged disk cannot authorise anything;
 * versions and expiry are not: they were when the files came, and what has expired since must still say so.
 * @throws {DaemonError} METADATA_REFUSED.
 */
export function restoreSet(rootName: string, rootText: string, files: Files): TrustedSet {
  const start = startSet(rootName, rootText);
  const { metadata } = start.root;
  const timestamp = restored('timestamp', 'timestamp.json', files, readTimestamp, metadata);
  const snapshot = restored('snapshot', 'snapshot.json', files, readSnapshot, metadata);
  const targets = restored('targets', 'targets.json', files, readTargets, metadata);
  if (targets === undefined) return { ...start, timestamp, snapshot };
  const roles = new Map<string, TrustedRole>();
  for (const role of Object.keys(targets.metadata.signed.delegations?.roles ?? {})) {
    const environment = environmentOf(role);
    const file = environment === undefined ? undefined : restored(role, `${role}.json`, files, readTargets, targets.metadata);
    if (environment !== undefined && file !== undefined) roles.set(role, { environment, file, revisions: readRevisions(environment, file) });
  }
  return { root: start.root, timestamp, snapshot, targets, keys: nextKeys(start, targets, files), roles };
}

function restored<S extends Signed>(
  role: string,
  name: string,
  files: Files,
  read: (name: string, text: string) => TufFile<S>,
  delegator: Metadata<Root> | Metadata<Targets>,
): TufFile<S> | undefined {
  const text = files[name];
  if (text === undefined) return undefined;
  const file = read(name, text);
  checkSigned(delegator, role, file);
  return file;
}

/** Every file of a set but its root, by name. */
export function filesOf(set: TrustedSet): Files {
  const files = [set.timestamp, set.snapshot, set.targets, ...[...set.roles.values()].map((role) => role.file)];
  return Object.fromEntries([
    ...files.flatMap((file) => (file === undefined ? [] : [[file.name, file.text]])),
    ...(set.keys === undefined ? [] : [[keysFile, set.keys.text]]),
  ]);
}

/**
 * Section 5.3, one step: from root N to root N+1. Expiry does not matter on the way (5.3.6).
 * @throws {DaemonError} METADATA_REFUSED; ROLLBACK_REFUSED for a version that is not N+1.
 */
export function advanceRoot(set: TrustedSet, name: string, text: string): TrustedSet {
  const root = readRoot(name, text);
  // 5.3.4: signed by a threshold of the old keys and by a threshold of the new ones.
  checkSigned(set.root.metadata, 'root', root);
  checkSigned(root.metadata, 'root', root);
  // 5.3.5
  if (root.version !== set.root.version + 1) {
    throw refused('ROLLBACK_REFUSED', name, `has version ${root.version}, only ${set.root.version + 1} can follow version ${set.root.version}`);
  }
  // 5.3.11: rotated keys are how an organisation recovers from versions that an attacker drove up; nothing older may bind us then.
  const rotated = (['timestamp', 'snapshot'] as const).some((role) => !sameKeys(set.root.metadata.signed, root.metadata.signed, role));
  const kept = rotated ? { ...set, timestamp: undefined, snapshot: undefined } : set;
  if (kept.targets === undefined || isSigned(root.metadata, 'targets', kept.targets)) return { ...kept, root };
  return { ...kept, root, targets: undefined, keys: undefined, roles: new Map() };
}

/**
 * Sections 5.4 to 5.6 over one group of files: all of them fit together, or nothing of them is taken. Files that are already held need
 * not be there. `now` is the fixed start time (5.1) in milliseconds since 1970.
 * @throws {DaemonError} METADATA_REFUSED, METADATA_EXPIRED, ROLLBACK_REFUSED.
 */
export function advance(set: TrustedSet, files: Files, now: number): TrustedSet {
  // 5.3.10
  checkFresh(set.root, now);
  const timestamp = nextTimestamp(set, files, now);
  const snapshot = nextSnapshot(set, timestamp, files, now);
  const targets = nextTargets(set, snapshot, files, now);
  const keys = nextKeys(set, targets, files);
  const roles = nextRoles(set, { snapshot, targets }, files, now);
  return { root: set.root, timestamp, snapshot, targets, keys, roles };
}

/** The role of an environment if it is the very version that the snapshot names: an older one would be a mix of two moments. */
export function currentRole(set: TrustedSet, environment: string): TrustedRole | undefined {
  const role = set.roles.get(roleOf(environment));
  const meta = set.snapshot?.metadata.signed.meta[`${roleOf(environment)}.json`];
  return role !== undefined && meta?.version === role.file.version && set.timestamp !== undefined ? role : undefined;
}

/** Section 5.4. */
function nextTimestamp(set: TrustedSet, files: Files, now: number): TufFile<Timestamp> {
  const name = 'timestamp.json';
  const text = files[name];
  const held = set.timestamp;
  if (text === undefined) {
    if (held === undefined) throw refused('METADATA_REFUSED', name, 'is missing, and none is held');
    checkFresh(held, now);
    return held;
  }
  const found = readTimestamp(name, text);
  // 5.4.2
  checkSigned(set.root.metadata, 'timestamp', found);
  if (held !== undefined) {
    // 5.4.3.1
    if (found.version < held.version) throw wentBack(name, found.version, held.version);
    if (found.version === held.version) {
      checkFresh(held, now);
      return held;
    }
    // 5.4.3.2
    const before = held.metadata.signed.snapshotMeta.version;
    const after = found.metadata.signed.snapshotMeta.version;
    if (after < before) throw wentBack(`snapshot.json in ${name}`, after, before);
  }
  // 5.4.4
  checkFresh(found, now);
  return found;
}

/** Section 5.5. */
function nextSnapshot(set: TrustedSet, timestamp: TufFile<Timestamp>, files: Files, now: number): TufFile<Snapshot> {
  const name = 'snapshot.json';
  const meta = timestamp.metadata.signed.snapshotMeta;
  const held = set.snapshot;
  if (held !== undefined && held.version === meta.version && describes(meta, held.text)) {
    checkFresh(held, now);
    return held;
  }
  const text = files[name];
  if (text === undefined) throw refused('METADATA_REFUSED', name, `is missing: the timestamp names version ${meta.version}, held is ${held?.version ?? 'none'}`);
  // 5.5.2
  checkDescribed(name, text, meta);
  const found = readSnapshot(name, text);
  // 5.5.3
  checkSigned(set.root.metadata, 'snapshot', found);
  // 5.5.4
  checkVersion(found, meta.version);
  // 5.5.5
  for (const [file, { version }] of Object.entries(held?.metadata.signed.meta ?? {})) {
    const after = found.metadata.signed.meta[file]?.version;
    if (after === undefined) throw refused('ROLLBACK_REFUSED', name, `no longer lists ${file}`);
    if (after < version) throw wentBack(`${file} in ${name}`, after, version);
  }
  // 5.5.6
  checkFresh(found, now);
  return found;
}

/** Section 5.6, steps 1 to 6, of the top targets role. */
function nextTargets(set: TrustedSet, snapshot: TufFile<Snapshot>, files: Files, now: number): TufFile<Targets> {
  const found = nextTargetsFile('targets.json', set.targets, snapshot, files);
  if (found === undefined) throw refused('METADATA_REFUSED', 'targets.json', 'is missing, or is older than the snapshot says');
  // 5.6.3
  checkSigned(set.root.metadata, 'targets', found);
  // 5.6.5
  checkFresh(found, now);
  for (const role of Object.values(found.metadata.signed.delegations?.roles ?? {})) {
    const environment = environmentOf(role.name);
    if (environment !== undefined && !(role.terminating && isDeepStrictEqual(role.paths, pathsOf(environment)))) {
      throw refused('METADATA_REFUSED', found.name, `delegates to ${role.name} something else than ${pathsOf(environment).join()}, terminating`);
    }
  }
  return found;
}

/** Section 5.7 for the one target that is a file of ours: the keys of statements. */
function nextKeys(set: TrustedSet, targets: TufFile<Targets>, files: Files): StatementKeys {
  const target = targets.metadata.signed.targets[keysFile];
  if (target === undefined) throw refused('METADATA_REFUSED', targets.name, `has no target ${keysFile}`);
  if (target.hashes['sha256'] === undefined) throw refused('METADATA_REFUSED', targets.name, `has no sha256 for ${keysFile}`);
  if (set.keys !== undefined && describes(target, set.keys.text)) return set.keys;
  const text = files[keysFile];
  if (text === undefined) throw refused('METADATA_REFUSED', keysFile, 'is missing: the targets role names another one than is held');
  checkDescribed(keysFile, text, target);
  return readStatementKeys(text);
}

interface Above {
  readonly snapshot: TufFile<Snapshot>;
  readonly targets: TufFile<Targets>;
}

/**
 * Section 5.6, step 7, for environments: one level, terminating. A role that is held, and of which nothing newer came, stays held even when
 * the snapshot has moved on: {@link currentRole} keeps it from being used, and its numbers still count against downgrades.
 */
function nextRoles(set: TrustedSet, above: Above, files: Files, now: number): ReadonlyMap<string, TrustedRole> {
  const roles = new Map<string, TrustedRole>();
  const delegations = above.targets.metadata.signed.delegations?.roles ?? {};
  for (const role of Object.keys(delegations)) {
    const environment = environmentOf(role);
    if (environment === undefined) continue;
    const before = set.roles.get(role);
    // Its keys may have been taken from it since. What a stolen key said of numbers must not bind the new one either.
    const held = before !== undefined && isSigned(above.targets.metadata, role, before.file) ? before : undefined;
    const file = nextTargetsFile(`${role}.json`, held?.file, above.snapshot, files);
    if (file === undefined || file === held?.file) {
      if (held !== undefined) roles.set(role, held);
      continue;
    }
    checkSigned(above.targets.metadata, role, file);
    checkFresh(file, now);
    const revisions = readRevisions(environment, file);
    checkDowngrades(file.name, held?.revisions ?? new Map(), revisions);
    roles.set(role, { environment, file, revisions });
  }
  for (const name of Object.keys(files)) {
    const role = name.slice(0, -'.json'.length);
    if (environmentOf(role) !== undefined && name.endsWith('.json') && delegations[role] === undefined) {
      throw refused('METADATA_REFUSED', name, 'is not the file of any role that the targets role delegates to');
    }
  }
  return roles;
}

/** 5.6.1, 5.6.2 and 5.6.4 of any targets file: the held one if the snapshot names it, else the new one; `undefined` when it did not come. */
function nextTargetsFile(name: string, held: TufFile<Targets> | undefined, snapshot: TufFile<Snapshot>, files: Files): TufFile<Targets> | undefined {
  const meta = snapshot.metadata.signed.meta[name];
  if (meta === undefined) {
    if (files[name] === undefined) return undefined;
    throw refused('METADATA_REFUSED', name, 'is not listed in the snapshot');
  }
  if (held !== undefined && held.version === meta.version && describes(meta, held.text)) return held;
  const text = files[name];
  if (text === undefined) return undefined;
  checkDescribed(name, text, meta);
  const found = readTargets(name, text);
  checkVersion(found, meta.version);
  return found;
}

function sameKeys(before: Root, after: Root, role: string): boolean {
  const keyIds = (root: Root) => root.roles[role]?.keyIDs.toSorted();
  return before.roles[role]?.threshold === after.roles[role]?.threshold && isDeepStrictEqual(keyIds(before), keyIds(after));
}
