// The metadata files of one generation: how each TUF role's file is written, signed and read back.
// Which generation follows which, and when, is in generation.ts. The specification is TUF 1.0, formats by @tufjs/models.

import { createHash } from 'node:crypto';
import { Metadata, MetadataKind, Signature, type Root, type Snapshot, type Targets, type Timestamp } from '@tufjs/models';
import { canonicalize } from 'json-canonicalize';
import { limits } from '../../proto/limits.ts';
import { ControlError } from '../errors.ts';
import { tufKeyJson, type SigningKey } from './keys.ts';
import type { RoleEntry } from './repository.ts';

const dayMs = 24 * 60 * 60_000;

/** How long each role's signature counts (trust.md, section 2), in milliseconds. */
export const lifetimesMs = { root: 365 * dayMs, targets: 365 * dayMs, environment: 30 * dayMs, snapshot: 30 * dayMs, timestamp: dayMs } as const;

/** A version and the moment of signing, in milliseconds since 1970. */
export interface Issue {
  readonly version: number;
  readonly now: number;
}

/** An environment and the key that signs its role. */
export interface Delegation {
  readonly environment: string;
  readonly key: SigningKey;
}

type Json = Parameters<typeof Metadata.fromJSON>[1];

/** Role name of an environment. */
export function roleName(environment: string): `env-${string}` {
  return `env-${environment}`;
}

/** Path of an application's revision among the TUF targets of its environment's role. */
export function revisionPath(environment: string, app: string): string {
  return `env/${environment}/${app}.revision`;
}

/** Name of the TUF target that holds the public keys for statements. */
export const keysFile = 'trust/keys.json';

/** The four top-level roles with one key each: threshold 1 is what one machine can honestly offer. */
export function rootFile(issue: Issue, keys: Readonly<Record<'root' | 'targets' | 'snapshot' | 'timestamp', SigningKey>>): string {
  const signed = {
    ...common('root', issue, lifetimesMs.root),
    consistent_snapshot: false,
    keys: Object.fromEntries(Object.values(keys).map((key) => [key.id, tufKeyJson(key.publicHex)])),
    roles: Object.fromEntries(Object.entries(keys).map(([role, key]) => [role, { keyids: [key.id], threshold: 1 }])),
    // For a person who reads the file: whoever trusts it trusts one machine.
    development_keys: true,
  };
  return signedText(Metadata.fromJSON(MetadataKind.Root, { signed, signatures: [] }), keys.root, limits.rootBytesMax);
}

/** The public keys for statements, and whose they are. A TUF target: what is believed of it is its hash. */
export function keysText(org: string, keys: { readonly membership: SigningKey; readonly orders: SigningKey }): string {
  const listed = (key: SigningKey) => ({ [key.id]: tufKeyJson(key.publicHex) });
  return canonicalize({ format: 'starling.trust-keys/1', org, membership: listed(keys.membership), orders: listed(keys.orders) });
}

/** The top targets role: the keys file, and one terminating delegation for each environment. */
export function targetsFile(issue: Issue, key: SigningKey, keysContent: string, delegations: readonly Delegation[]): string {
  const signed = {
    ...common('targets', issue, lifetimesMs.targets),
    targets: { [keysFile]: fileInfo(keysContent) },
    delegations: {
      keys: Object.fromEntries(delegations.map((one) => [one.key.id, tufKeyJson(one.key.publicHex)])),
      roles: delegations.map((one) => ({
        name: roleName(one.environment),
        keyids: [one.key.id],
        threshold: 1,
        terminating: true,
        paths: [`env/${one.environment}/*`],
      })),
    },
  };
  return signedText(Metadata.fromJSON(MetadataKind.Targets, { signed, signatures: [] }), key, limits.targetsBytesMax);
}

/** What an environment's role says of one application, and the highest number that it ever said. */
export interface Entry extends RoleEntry {
  readonly highest: number;
}

/** The role of an environment: one TUF target for each application, its hash the revision's digest. */
export function environmentFile(issue: Issue, key: SigningKey, environment: string, entries: Readonly<Record<string, Entry>>): string {
  const signed = {
    ...common('targets', issue, lifetimesMs.environment),
    targets: Object.fromEntries(
      Object.entries(entries).map(([app, entry]) => [
        revisionPath(environment, app),
        {
          length: entry.bytes,
          hashes: { sha256: entry.revision },
          // Members refuse a lower number than they have seen unless the signer says that it is meant (trust.md, section 4).
          custom: { app, number: entry.number, highest: entry.highest, ...(entry.number < entry.highest ? { downgrade: true } : {}) },
        },
      ]),
    ),
  };
  return signedText(Metadata.fromJSON(MetadataKind.Targets, { signed, signatures: [] }), key, limits.targetsBytesMax);
}

/** Versions and hashes of the targets files, by file name. */
export function snapshotFile(issue: Issue, key: SigningKey, files: Readonly<Record<string, { readonly version: number; readonly text: string }>>): string {
  const meta = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, { version: file.version, ...fileInfo(file.text) }]));
  const signed = { ...common('snapshot', issue, lifetimesMs.snapshot), meta };
  return signedText(Metadata.fromJSON(MetadataKind.Snapshot, { signed, signatures: [] }), key, limits.snapshotBytesMax);
}

/** Version and hash of the snapshot, and when this was signed: the lower bound of every member's clock. */
export function timestampFile(issue: Issue, key: SigningKey, snapshot: { readonly version: number; readonly text: string }): string {
  const meta = { 'snapshot.json': { version: snapshot.version, ...fileInfo(snapshot.text) } };
  const signed = { ...common('timestamp', issue, lifetimesMs.timestamp), meta, signed_at: instant(issue.now) };
  return signedText(Metadata.fromJSON(MetadataKind.Timestamp, { signed, signatures: [] }), key, limits.timestampBytesMax);
}

/** A file of our own, read back. @throws when it is damaged: the caller says which file it was. */
export const read = {
  root: (text: string): Metadata<Root> => Metadata.fromJSON(MetadataKind.Root, json(text)),
  targets: (text: string): Metadata<Targets> => Metadata.fromJSON(MetadataKind.Targets, json(text)),
  snapshot: (text: string): Metadata<Snapshot> => Metadata.fromJSON(MetadataKind.Snapshot, json(text)),
  timestamp: (text: string): Metadata<Timestamp> => Metadata.fromJSON(MetadataKind.Timestamp, json(text)),
};

function common(type: string, issue: Issue, lifetimeMs: number) {
  return { _type: type, spec_version: '1.0.34', version: issue.version, expires: instant(issue.now + lifetimeMs) };
}

function fileInfo(text: string) {
  return { length: Buffer.byteLength(text), hashes: { sha256: createHash('sha256').update(text).digest('hex') } };
}

function signedText(metadata: Metadata<Root | Targets | Snapshot | Timestamp>, key: SigningKey, bytesMax: number): string {
  metadata.sign((bytes) => new Signature({ keyID: key.id, sig: key.sign(bytes).toString('hex') }));
  const text = canonicalize(metadata.toJSON());
  const { type } = metadata.signed;
  if (Buffer.byteLength(text) > bytesMax) {
    throw new ControlError('SIGNING_FAILED', `refused to sign a ${type} file of ${Buffer.byteLength(text)} bytes: members accept at most ${bytesMax}`);
  }
  return text;
}

function json(text: string): Json {
  return JSON.parse(text);
}

/** As TUF writes a moment: whole seconds, UTC. */
function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
