// The administrator's first token: made when there is none that works, written once to a file that only its owner can read, and kept
// in the journal as the digest of its secret. Part of the composition root.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import type { State } from './core/model/model.ts';
import { demand, submit, type Facts } from './fleet/facts.ts';
import type { RandomBytes } from './random.ts';
import { createFileOnce, readText } from './trust/durable.ts';
import { createApiToken, parseToken, secretDigestOf } from './trust/tokens.ts';

/** Where the text is. It is the operator's to move away: everything else in the data directory is of no use as a token. */
export const firstTokenFile = 'admin.token';
const lifeMs = 90 * 86_400_000;

/**
 * The text of a new token, or undefined when the administrator has one that works. The file comes first: a crash between the two
 * leaves a file whose token is put on record at the next start. @throws {ControlError} STORAGE_FAILED.
 */
export async function firstToken(facts: Facts, dataDir: string, clock: Clock, random: RandomBytes): Promise<string | undefined> {
  if (hasAdministrator(facts.state(), clock.now())) return undefined;
  const path = join(dataDir, firstTokenFile);
  const text = (await unrecorded(facts.state(), path)) ?? (await written(path, random));
  const { token, secret } = parseToken(text);
  const command = {
    kind: 'create-token',
    token,
    use: 'api',
    name: 'admin',
    secretDigest: secretDigestOf(secret),
    scopes: ['admin:*'],
    roles: [],
    environments: [],
    labels: {},
    usesMax: 0,
    expiresAt: clock.now() + lifeMs,
  } as const;
  demand(await submit(facts, 'system', command, clock));
  return text;
}

function hasAdministrator(state: State, now: number): boolean {
  return [...state.tokens.values()].some(({ use, scopes, revoked, expiresAt }) => use === 'api' && scopes.includes('admin:*') && !revoked && expiresAt > now);
}

/** A token that an earlier start wrote down and did not live to record. */
async function unrecorded(state: State, path: string): Promise<string | undefined> {
  const text = (await readText(path))?.trim();
  if (text === undefined || state.tokens.has(parseToken(text).token)) return undefined;
  return text;
}

async function written(path: string, random: RandomBytes): Promise<string> {
  const { text, token } = createApiToken(random);
  // What is there has expired or was revoked.
  await rm(path, { force: true });
  await createFileOnce(path, `${text}\n`, token);
  return text;
}
