// Statements of the control plane, opened: compact JWS whose `typ`, key, form and time are all as they must be.
// Whether an order fits what the environment's role authorises is in order.ts.

import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import { Compile } from 'typebox/compile';
import { limits } from '../../../proto/limits.ts';
import {
  CertificateSchema, GrantSchema, OrderSchema, RosterSchema, statementTypes,
  type Certificate, type Grant, type Order, type Roster,
} from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import type { Times } from '../freshness.ts';
import type { StatementKeys } from './statement-keys.ts';
import { parseStrictJson } from '../strict-json.ts';

type Kind = 'certificate' | 'order' | 'grant' | 'roster';

const forms = { certificate: Compile(CertificateSchema), order: Compile(OrderSchema), grant: Compile(GrantSchema), roster: Compile(RosterSchema) };
/** Bytes of compact form, as in SyncReplySchema. */
const rosterBytesMax = limits.rosterBytesMax * 2;

/** @throws {DaemonError} STATEMENT_REFUSED, from this and the other three. */
export async function openCertificate(compact: string, peerId: string, keys: StatementKeys, times: Times): Promise<Certificate> {
  const payload = await open('certificate', compact, limits.statementBytesMax, keys.membership);
  if (!forms.certificate.Check(payload)) throw malformed('certificate');
  if (payload.member !== peerId) throw refused(`the certificate is that of ${payload.member}, not of ${peerId}`);
  if (payload.org !== keys.org) throw refused(`the certificate is for org '${payload.org}', this is '${keys.org}'`);
  checkTime('certificate', payload, times);
  return payload;
}

export async function openOrder(compact: string, keys: StatementKeys, times: Times): Promise<Order> {
  const payload = await open('order', compact, limits.statementBytesMax, keys.orders);
  if (!forms.order.Check(payload)) throw malformed('order');
  checkTime('order', payload, times);
  return payload;
}

export async function openGrant(compact: string, keys: StatementKeys, times: Times): Promise<Grant> {
  const payload = await open('grant', compact, limits.statementBytesMax, keys.orders);
  if (!forms.grant.Check(payload)) throw malformed('grant');
  checkTime('grant', payload, times);
  return payload;
}

export async function openRoster(compact: string, keys: StatementKeys): Promise<Roster> {
  const payload = await open('roster', compact, rosterBytesMax, keys.membership);
  if (!forms.roster.Check(payload)) throw malformed('roster');
  return payload;
}

async function open(kind: Kind, compact: string, bytesMax: number, keys: ReadonlyMap<string, KeyObject>): Promise<unknown> {
  if (compact.length > bytesMax) throw refused(`the ${kind} has ${compact.length} bytes, at most ${bytesMax} are allowed`);
  const signature = compact.slice(compact.lastIndexOf('.') + 1);
  // The last digit of base64url has bits to spare: without this one statement could be written in several ways.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw refused(`the ${kind}'s signature is not canonical base64url`);
  let payload: Uint8Array;
  try {
    const verified = await compactVerify(compact, (header) => keyOf(kind, header, keys), { algorithms: ['EdDSA'] });
    payload = verified.payload;
  } catch (cause) {
    throw refused(`the ${kind} is not signed as required: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  try {
    return parseStrictJson(`the ${kind}`, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload), bytesMax);
  } catch (cause) {
    throw refused(`the ${kind} does not hold what it should: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** The key for a header that has exactly what our statements have: one kind can then never pass for another. */
function keyOf(kind: Kind, header: object, keys: ReadonlyMap<string, KeyObject>): KeyObject {
  const { alg, kid, typ, ...more }: Readonly<Record<string, unknown>> = { ...header };
  if (alg !== 'EdDSA' || typ !== statementTypes[kind] || typeof kid !== 'string' || Object.keys(more).length > 0) {
    throw new Error(`its header is not {alg: EdDSA, kid, typ: ${statementTypes[kind]}}`);
  }
  const key = keys.get(kid);
  if (key === undefined) throw new Error(`key ${kid} does not sign such statements here`);
  return key;
}

/** Clocks of members may differ. A clock that went back gives no expired statement a second life: what has certainly been counts. */
function checkTime(kind: Kind, { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number }, { now, floor }: Times): void {
  const time = Math.max(now, floor);
  if (time < notBefore * 1000 - limits.clockSkewMs) throw refused(`the ${kind} counts from ${instant(notBefore * 1000)}, here it is ${instant(time)}`);
  if (time > notAfter * 1000 + limits.clockSkewMs) throw refused(`the ${kind} counted until ${instant(notAfter * 1000)}, here it is ${instant(time)}`);
}

function malformed(kind: Kind): DaemonError {
  return refused(`the ${kind} does not have the form of one`);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function refused(message: string, cause?: unknown): DaemonError {
  return new DaemonError('STATEMENT_REFUSED', message, cause === undefined ? {} : { cause });
}
