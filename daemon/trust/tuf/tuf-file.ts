// One TUF file, read from untrusted text: within its bounds, in its form, and stricter than the specification where laxness has hurt
// others (trust.md, section 3). Who signed it, and whether it fits the rest, is judged in trusted-set.ts.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Metadata, MetadataKind, type Root, type Snapshot, type Targets, type Timestamp } from '@tufjs/models';
import { limits } from '../../../proto/limits.ts';
import { DaemonError } from '../../errors.ts';
import { keyIdOf } from '../identity/identity.ts';
import { parseStrictJson, type JsonValue } from '../strict-json.ts';

export type Signed = Root | Timestamp | Snapshot | Targets;

/** A file whose form is right. Nothing is said about who signed it. */
export interface TufFile<S extends Signed> {
  readonly name: string;
  readonly text: string;
  readonly metadata: Metadata<S>;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Entries of any list or table in a role: `@tufjs/models` is quadratic in them. */
export const roleEntriesMax = 500;
/** Signatures on one file, each of which costs a verification. */
export const signaturesMax = 64;

type Json = Parameters<typeof Metadata.fromJSON>[1];
type Table = { readonly [name: string]: JsonValue };

const hex64 = /^[0-9a-f]{64}$/;
const hex128 = /^[0-9a-f]{128}$/;
const instantPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
/** Role names become file names: nothing but these letters. `env-` and an environment's name of 64 fit. */
const rolePattern = /^[a-z0-9-]{1,68}$/;
const metaFilePattern = /^[a-z0-9-]{1,68}\.json$/;

/** @throws {DaemonError} METADATA_REFUSED, from this and the other three. */
export function readRoot(name: string, text: string): TufFile<Root> {
  const json = envelope(name, text, limits.rootBytesMax);
  checkKeys(name, table(name, json.signed, 'keys'));
  for (const role of Object.keys(table(name, json.signed, 'roles'))) checkRoleName(name, role);
  return finish(name, text, json, (data) => Metadata.fromJSON(MetadataKind.Root, data));
}

export function readTimestamp(name: string, text: string): TufFile<Timestamp> {
  const json = envelope(name, text, limits.timestampBytesMax);
  return finish(name, text, json, (data) => Metadata.fromJSON(MetadataKind.Timestamp, data));
}

export function readSnapshot(name: string, text: string): TufFile<Snapshot> {
  const json = envelope(name, text, limits.snapshotBytesMax);
  checkMeta(name, table(name, json.signed, 'meta'));
  return finish(name, text, json, (data) => Metadata.fromJSON(MetadataKind.Snapshot, data));
}

/** The top targets role or a delegated one. */
export function readTargets(name: string, text: string): TufFile<Targets> {
  const json = envelope(name, text, limits.targetsBytesMax);
  table(name, json.signed, 'targets');
  if (json.signed['delegations'] !== undefined) checkDelegations(name, table(name, json.signed, 'delegations'));
  return finish(name, text, json, (data) => Metadata.fromJSON(MetadataKind.Targets, data));
}

/** Whether these are the bytes that a meta or target entry describes, as far as it does. */
export function describes(entry: { readonly length?: number; readonly hashes?: Record<string, string> }, text: string): boolean {
  const bytes = Buffer.from(text);
  if (entry.length !== undefined && entry.length !== bytes.length) return false;
  const algorithms = Object.keys(entry.hashes ?? {});
  // Other algorithms may be listed beside sha256; alone they would be hashes that nobody here checked.
  if (algorithms.length > 0 && !algorithms.includes('sha256')) return false;
  return entry.hashes?.['sha256'] === undefined || entry.hashes['sha256'] === createHash('sha256').update(bytes).digest('hex');
}

function finish<S extends Signed>(name: string, text: string, json: Envelope, parse: (data: Json) => Metadata<S>): TufFile<S> {
  let metadata: Metadata<S>;
  try {
    metadata = parse(JSON.parse(text));
  } catch (cause) {
    throw refused(name, `is not in the form of its role: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const { version, expires } = metadata.signed;
  if (!Number.isSafeInteger(version) || version < 1) throw refused(name, `has version ${version}, expected a whole number from 1`);
  if (!instantPattern.test(expires)) throw refused(name, `expires at '${expires}', expected a moment as YYYY-MM-DDTHH:MM:SSZ`);
  // Signatures are over what the model holds: what it dropped would be in the file and under no signature.
  if (!isDeepStrictEqual(metadata.signed.toJSON(), json.signed)) throw refused(name, 'says more than its signatures cover');
  return { name, text, metadata, version, expiresAt: new Date(expires).getTime() };
}

interface Envelope {
  readonly signed: Table;
}

function envelope(name: string, text: string, bytesMax: number): Envelope {
  const { signed, signatures, ...rest } = asTable(name, parseStrictJson(name, text, bytesMax));
  if (Object.keys(rest).length > 0) throw refused(name, `has ${Object.keys(rest).join(', ')} outside of what is signed`);
  if (!Array.isArray(signatures)) throw refused(name, 'has no list of signatures');
  if (signatures.length > signaturesMax) throw refused(name, `has ${signatures.length} signatures, at most ${signaturesMax} are allowed`);
  for (const signature of signatures) {
    const { keyid, sig, ...more } = asTable(name, signature);
    // Upper case or a shorter form would be a second way of writing the same signature.
    if (!matches(hex64, keyid) || !matches(hex128, sig) || Object.keys(more).length > 0) throw refused(name, 'has a signature that is not {keyid, sig} of an ed25519 key');
  }
  return { signed: asTable(name, signed) };
}

/** Key ids must be what the keys hash to, and keys must hold nothing else: then two ids in a role are two keys (threat M8). */
function checkKeys(name: string, keys: Table): void {
  for (const [id, value] of Object.entries(keys)) {
    const { keytype, scheme, keyval, ...more } = asTable(name, value);
    const { public: publicHex, ...extra } = asTable(name, keyval);
    if (keytype !== 'ed25519' || scheme !== 'ed25519' || Object.keys(more).length + Object.keys(extra).length > 0 || !matches(hex64, publicHex)) {
      throw refused(name, `has a key ${id} that is not ed25519 with 32 bytes in hex and nothing else`);
    }
    if (keyIdOf(publicHex) !== id) throw refused(name, `lists a key under the id ${id}, which is not the sha256 of that key`);
  }
}

function checkRoleName(name: string, role: JsonValue | undefined): void {
  if (!matches(rolePattern, role)) throw refused(name, `has a role ${JSON.stringify(role)}, expected ${rolePattern.source}`);
}

function checkDelegations(name: string, delegations: Table): void {
  if (delegations['succinct_roles'] !== undefined) throw refused(name, 'delegates to hash bins, which are not in use here');
  checkKeys(name, table(name, delegations, 'keys'));
  const roles = delegations['roles'];
  if (!Array.isArray(roles) || roles.length > roleEntriesMax) throw refused(name, `delegates to more than ${roleEntriesMax} roles, or to no list`);
  for (const role of roles) checkRoleName(name, asTable(name, role)['name']);
}

function checkMeta(name: string, meta: Table): void {
  for (const file of Object.keys(meta)) {
    if (!metaFilePattern.test(file)) throw refused(name, `lists a file ${JSON.stringify(file)}, expected ${metaFilePattern.source}`);
  }
}

function table(name: string, of: Table, field: string): Table {
  const found = asTable(name, of[field]);
  const count = Object.keys(found).length;
  if (count > roleEntriesMax) throw refused(name, `has ${count} ${field}, at most ${roleEntriesMax} are allowed`);
  return found;
}

function asTable(name: string, value: JsonValue | undefined): Table {
  if (isTable(value)) return value;
  throw refused(name, 'has something else where an object belongs');
}

function isTable(value: JsonValue | undefined): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function matches(pattern: RegExp, value: JsonValue | undefined): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function refused(name: string, why: string, cause?: unknown): DaemonError {
  return new DaemonError('METADATA_REFUSED', `${name} ${why}`, cause === undefined ? {} : { cause });
}
