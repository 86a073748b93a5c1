// Makes TUF files of any content, signed by any keys: what an honest repository would write, and what an attacker would.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { canonicalize } from 'json-canonicalize';
import { signingKey, tufKeyJson, type SigningKey } from '../../../../control/trust/keys.ts';
import { keysText } from '../../../../control/trust/metadata.ts';
import { advance, advanceRoot, startSet, type Files, type TrustedSet } from '../../../../daemon/trust/tuf/trusted-set.ts';

/** 2026-01-01, when all these stories begin. */
export const start = Date.UTC(2026, 0, 1);
export const hourMs = 60 * 60_000;
export const dayMs = 24 * hourMs;

export function newKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey);
}

const known = new Map<string, SigningKey>();

/** The same key for the same name, in one test file. */
export function key(name: string): SigningKey {
  const found = known.get(name) ?? newKey();
  known.set(name, found);
  return found;
}

export function at(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A file with these signatures over `signed`, whatever it is. */
export function signFile(signed: object, ...keys: readonly SigningKey[]): string {
  const bytes = Buffer.from(canonicalize(signed));
  return canonicalize({ signed, signatures: keys.map((one) => ({ keyid: one.id, sig: one.sign(bytes).toString('hex') })) });
}

export function described(text: string, version: number) {
  return { version, length: Buffer.byteLength(text), hashes: { sha256: sha256(text) } };
}

export interface RootSpec {
  readonly version: number;
  readonly expires?: number;
  readonly keys?: Readonly<Partial<Record<'root' | 'targets' | 'snapshot' | 'timestamp', readonly SigningKey[]>>>;
  readonly threshold?: number;
  readonly signers?: readonly SigningKey[];
}

export function rootFile({ version, expires = start + 365 * dayMs, keys = {}, threshold = 1, signers }: RootSpec): string {
  const roles = Object.fromEntries((['root', 'targets', 'snapshot', 'timestamp'] as const).map((role) => [role, keys[role] ?? [key(role)]]));
  const signed = {
    _type: 'root',
    spec_version: '1.0.34',
    version,
    expires: at(expires),
    consistent_snapshot: false,
    keys: Object.fromEntries(Object.values(roles).flatMap((list) => list.map((one) => [one.id, tufKeyJson(one.publicHex)]))),
    roles: Object.fromEntries(Object.entries(roles).map(([role, list]) => [role, { keyids: list.map((one) => one.id), threshold: role === 'root' ? threshold : 1 }])),
  };
  return signFile(signed, ...(signers ?? roles['root'] ?? []));
}

export interface RevisionSpec {
  readonly digest?: string;
  readonly number?: number;
  readonly custom?: object;
  readonly path?: string;
}

export interface WorldSpec {
  readonly timestamp?: number;
  readonly snapshot?: number;
  readonly targets?: number;
  /** Version of the role of `dev`. */
  readonly dev?: number;
  readonly revisions?: Readonly<Record<string, RevisionSpec>>;
  readonly now?: number;
  readonly expires?: Readonly<Partial<Record<'timestamp' | 'snapshot' | 'targets' | 'dev', number>>>;
  readonly signers?: Readonly<Partial<Record<'timestamp' | 'snapshot' | 'targets' | 'dev', readonly SigningKey[]>>>;
  /** Key listed for the role of `dev`. */
  readonly devKey?: SigningKey;
  /** Laid over the delegation of `dev`. */
  readonly delegation?: object;
  /** Laid over the signed part of a file. */
  readonly lay?: Readonly<Partial<Record<'timestamp' | 'snapshot' | 'targets' | 'dev', object>>>;
  /** Whether files name one another by version alone, as the specification allows. */
  readonly bare?: boolean;
  /** Versions as the file above announces them, when they are not those that the files have. */
  readonly announced?: Readonly<Partial<Record<'snapshot' | 'targets' | 'dev', number>>>;
}

/** The files of a consistent repository with the environment `dev`, all but the roots. */
export function world(spec: WorldSpec = {}): Record<string, string> {
  const now = spec.now ?? start;
  const versions = { timestamp: 1, snapshot: 1, targets: 1, dev: 1, ...spec };
  const body = (type: string, name: 'timestamp' | 'snapshot' | 'targets' | 'dev', lifeMs: number) => ({
    _type: type,
    spec_version: '1.0.34',
    version: versions[name],
    expires: at(spec.expires?.[name] ?? now + lifeMs),
  });
  const named = (text: string, name: 'snapshot' | 'targets' | 'dev') => {
    const version = spec.announced?.[name] ?? versions[name];
    return spec.bare === true ? { version } : described(text, version);
  };
  const signers = (name: 'timestamp' | 'snapshot' | 'targets' | 'dev') => spec.signers?.[name] ?? [key(name)];
  const devKey = spec.devKey ?? key('dev');
  const keys = keysText('acme', { membership: key('membership'), orders: key('orders') });
  const { version: _version, ...keysInfo } = described(keys, 1);
  const dev = signFile({ ...body('targets', 'dev', 30 * dayMs), targets: revisionTargets(spec.revisions ?? { web: {} }), ...spec.lay?.dev }, ...signers('dev'));
  const targets = signFile(
    {
      ...body('targets', 'targets', 365 * dayMs),
      targets: { 'trust/keys.json': keysInfo },
      delegations: {
        keys: { [devKey.id]: tufKeyJson(devKey.publicHex) },
        roles: [{ name: 'env-dev', keyids: [devKey.id], threshold: 1, terminating: true, paths: ['env/dev/*'], ...spec.delegation }],
      },
      ...spec.lay?.targets,
    },
    ...signers('targets'),
  );
  const snapshot = signFile(
    {
      ...body('snapshot', 'snapshot', 30 * dayMs),
      meta: { 'targets.json': named(targets, 'targets'), 'env-dev.json': named(dev, 'dev') },
      ...spec.lay?.snapshot,
    },
    ...signers('snapshot'),
  );
  const timestamp = timestampFile({ ...body('timestamp', 'timestamp', dayMs), signed_at: at(now), ...spec.lay?.timestamp }, named(snapshot, 'snapshot'), signers('timestamp'));
  return { 'timestamp.json': timestamp, 'snapshot.json': snapshot, 'targets.json': targets, 'env-dev.json': dev, 'trust/keys.json': keys };
}

export function timestampFile(body: object, snapshot: object, signers: readonly SigningKey[]): string {
  return signFile({ meta: { 'snapshot.json': snapshot }, ...body }, ...signers);
}

function revisionTargets(revisions: Readonly<Record<string, RevisionSpec>>) {
  return Object.fromEntries(
    Object.entries(revisions).map(([app, { digest = 'a'.repeat(64), number = 1, custom = {}, path = `env/dev/${app}.revision` }]) => [
      path,
      { length: 100, hashes: { sha256: digest }, custom: { app, number, ...custom } },
    ]),
  );
}

/** A set that believes root 1 and the files of {@link world}. */
export function believing(files: Files = world(), root: string = rootFile({ version: 1 })): TrustedSet {
  return advance(startSet('1.root.json', root), files, start);
}

/** The code with which `work` fails, or `undefined` when it does not. Anything but an error of ours fails the test. */
export function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === 'DaemonError' && 'code' in error) return String(error.code);
    throw error;
  }
}

/** The set after root files of ascending version. */
export function withRoots(set: TrustedSet, ...roots: readonly string[]): TrustedSet {
  return roots.reduce((before, text) => advanceRoot(before, `${before.root.version + 1}.root.json`, text), set);
}
