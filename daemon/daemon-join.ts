// Becoming a member: `starlingd join`. The trust root is fetched and compared with the pin in the token before anything else is said;
// the certificate that comes back is kept for `starlingd run`.

import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { DaemonError } from './errors.ts';
import { createEnrolmentLink } from './link/http-link.ts';
import { readBytes, replaceFile } from './trust/durable.ts';
import { enrolmentProof, parseJoinToken } from './trust/identity/enrolment.ts';
import { openTrust } from './trust/file-trust.ts';
import { createIdentity } from './trust/identity/identity.ts';

/** What `join` leaves for `run`: where the control plane is, and the newest certificate. */
export interface Membership {
  readonly url: string;
  readonly certificate: string;
}

/** Where the membership is kept. */
export function membershipFile(dataDir: string): string {
  return join(dataDir, 'membership.json');
}

/** @throws {DaemonError} CORRUPT_STATE when the file is not a membership; `undefined` when there is none. */
export async function readMembership(dataDir: string): Promise<Membership | undefined> {
  const bytes = await readBytes(membershipFile(dataDir));
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new DaemonError('CORRUPT_STATE', `${membershipFile(dataDir)} is not JSON; remove it and join again`, { cause });
  }
  if (typeof value === 'object' && value !== null && 'url' in value && 'certificate' in value && typeof value.url === 'string' && typeof value.certificate === 'string') {
    return { url: value.url, certificate: value.certificate };
  }
  throw new DaemonError('CORRUPT_STATE', `${membershipFile(dataDir)} lacks the control plane's url or the certificate; remove it and join again`);
}

/** Keeps the membership; resolves when it is synced. */
export async function writeMembership(dataDir: string, membership: Membership): Promise<void> {
  await replaceFile(membershipFile(dataDir), `${JSON.stringify(membership)}\n`);
}

/** Whether a control plane keeps its state there: a daemon beside it would mix its keys with those that sign for the fleet. */
async function isControlPlanes(dataDir: string): Promise<boolean> {
  return await access(join(dataDir, 'journal')).then(() => true, () => false);
}

interface JoinDeps {
  readonly clock: Clock;
  readonly attributes: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What a person wants to know after joining. */
export interface Joined {
  readonly member: string;
  readonly environments: readonly string[];
}

/**
 * Enrols this machine with the control plane at `url`.
 * @throws {DaemonError} CONFIG_INVALID (the token), CONFLICT-like CONTROL_REFUSED (used, expired), WRONG_TRUST_ROOT, CONTROL_UNREACHABLE.
 */
export async function joinFleet(config: Config, url: string, tokenText: string, { clock, attributes, signal }: JoinDeps): Promise<Joined> {
  const token = parseJoinToken(tokenText);
  if (!URL.canParse(url)) throw new DaemonError('CONFIG_INVALID', `'${url}' is not a URL; expected something like https://control.example.com:7400`);
  if (!/^https?:$/.test(new URL(url).protocol) || new URL(url).pathname !== '/') throw new DaemonError('CONFIG_INVALID', `'${url}' is not the base URL of a control plane; expected something like https://control.example.com:7400, without a path`);
  try {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DaemonError('STORAGE_FAILED', `cannot make the data directory ${config.dataDir}: ${cause instanceof Error ? cause.message : String(cause)}; name another with --data-dir, or run as a user who may write there`, { cause });
  }
  if (await isControlPlanes(config.dataDir)) throw new DaemonError('CONFIG_INVALID', `${config.dataDir} is the data directory of a control plane; name another with --data-dir or in the configuration`);
  const link = createEnrolmentLink(url);
  const trust = await openTrust({ dataDir: config.dataDir, pin: token.root, now: () => clock.now() });
  if (!trust.isPinned()) await trust.pinRoot(await link.root({ signal }));
  const identity = await createIdentity(config.dataDir);
  const { nonce } = await link.challenge({ signal });
  const reply = await link.enrol(enrolmentProof(identity, token, nonce, { name: config.name, roles: config.roles, attributes }), { signal });
  await writeMembership(config.dataDir, { url, certificate: reply.certificate });
  return { member: identity.member, environments: reply.environments };
}
