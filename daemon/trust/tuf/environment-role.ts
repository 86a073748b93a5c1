// What the role of an environment says: which revision of each application it authorises.
// Whether the file is to be believed was judged before, in trusted-set.ts.

import type { Targets } from '@tufjs/models';
import { limits } from '../../../proto/limits.ts';
import { DaemonError } from '../../errors.ts';
import type { TufFile } from './tuf-file.ts';
import type { AuthorisedRevision } from '../trust.ts';

const name = '[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?';
const rolePattern = new RegExp(`^env-(${name})$`);
const namePattern = new RegExp(`^${name}$`);
const digestPattern = /^[0-9a-f]{64}$/;

/** A revision with the highest number that the environment ever had of its application, and whether going below it is meant. */
export interface RoleRevision extends AuthorisedRevision {
  readonly highest: number;
  readonly downgrade: boolean;
}

/** The environment of a role by its name, or `undefined` for a role of another kind. */
export function environmentOf(role: string): string | undefined {
  return rolePattern.exec(role)?.[1];
}

/** The role name of an environment. */
export function roleOf(environment: string): string {
  return `env-${environment}`;
}

/** The only path pattern that an environment's role may be trusted with: nothing of another environment (threat M15). */
export function pathsOf(environment: string): readonly string[] {
  return [`env/${environment}/*`];
}

/** @throws {DaemonError} METADATA_REFUSED when a target of the role is not a revision of an application in this environment. */
export function readRevisions(environment: string, file: TufFile<Targets>): ReadonlyMap<string, RoleRevision> {
  const revisions = new Map<string, RoleRevision>();
  if (file.metadata.signed.delegations !== undefined) throw refused(file.name, 'delegates further');
  for (const target of Object.values(file.metadata.signed.targets)) {
    const { app, number, highest = number, downgrade = false } = target.custom;
    const revision = target.hashes['sha256'];
    if (typeof app !== 'string' || !namePattern.test(app) || target.path !== `env/${environment}/${app}.revision`) {
      throw refused(file.name, `has a target ${JSON.stringify(target.path)}, expected env/${environment}/<application>.revision`);
    }
    if (revision === undefined || !digestPattern.test(revision) || target.length < 1 || target.length > limits.revisionBytesMax) {
      throw refused(file.name, `names no revision for ${target.path}: a sha256 and 1 to ${limits.revisionBytesMax} bytes are expected`);
    }
    if (!isCount(number) || !isCount(highest) || typeof downgrade !== 'boolean') throw refused(file.name, `gives ${target.path} no number`);
    revisions.set(app, { revision, bytes: target.length, number, highest, downgrade });
  }
  return revisions;
}

/**
 * Refuses a role that takes an application below a number that was seen, unless it says that this is meant (threat M13).
 * @throws {DaemonError} ROLLBACK_REFUSED.
 */
export function checkDowngrades(file: string, from: ReadonlyMap<string, RoleRevision>, to: ReadonlyMap<string, RoleRevision>): void {
  for (const [app, { number, downgrade }] of to) {
    const before = from.get(app);
    if (before !== undefined && number < before.highest && !downgrade) {
      throw new DaemonError('ROLLBACK_REFUSED', `${file} takes '${app}' from revision ${before.highest} back to ${number} without saying that it is a downgrade`);
    }
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function refused(file: string, why: string): DaemonError {
  return new DaemonError('METADATA_REFUSED', `${file} ${why}`);
}
