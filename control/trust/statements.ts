// What the control plane itself asserts: orders, certificates, grants and the roster, each signed by the key that members expect.
// What they say was decided elsewhere; here they are held to their schemas and bounds, because members refuse anything else.

import { Compile, type Validator } from 'typebox/compile';
import type { TSchema } from 'typebox';
import { limits } from '../../proto/limits.ts';
import { CertificateSchema, GrantSchema, OrderSchema, RosterSchema, type Certificate, type Grant, type Order, type Roster } from '../../proto/statement.ts';
import { ControlError } from '../errors.ts';
import { openCompact, signCompact } from './jws.ts';
import type { SigningKey } from './keys.ts';

/** The part of TrustRepository that is about statements. */
export interface Statements {
  signOrder(order: Order): string;
  signCertificate(certificate: Certificate): string;
  signGrant(grant: Grant): string;
  signRoster(roster: Roster): string;
  verifyGrant(compact: string): Grant;
}

type SignedKind = 'order' | 'certificate' | 'grant' | 'roster';

const schemas = {
  order: Compile(OrderSchema),
  certificate: Compile(CertificateSchema),
  grant: Compile(GrantSchema),
  roster: Compile(RosterSchema),
};

/** Lengths that members accept, in bytes of compact form: see SyncReplySchema. */
const bytesMax = {
  order: limits.statementBytesMax,
  certificate: limits.statementBytesMax,
  grant: limits.statementBytesMax,
  roster: limits.rosterBytesMax * 2,
} as const;

/** Signs with the orders key (orders, grants) and the membership key (certificates, rosters). `now` is milliseconds since 1970. */
export function createStatements(keys: { readonly orders: SigningKey; readonly membership: SigningKey }, now: () => number): Statements {
  return {
    signOrder: (order) => signed('order', order, keys.orders),
    signCertificate: (certificate) => signed('certificate', certificate, keys.membership),
    signGrant: (grant) => signed('grant', grant, keys.orders),
    signRoster: (roster) => signed('roster', roster, keys.membership, rosterText(roster)),
    verifyGrant: (compact) => {
      const opened = openCompact('grant', compact, bytesMax.grant, (kid) => (kid === keys.orders.id ? keys.orders.publicKey : undefined));
      if (typeof opened === 'string') throw new ControlError('UNAUTHENTICATED', `the grant ${opened}: ask for a new one`);
      const grant = opened.payload;
      if (!schemas.grant.Check(grant)) throw new ControlError('UNAUTHENTICATED', 'the grant does not have the form of a grant: ask for a new one');
      const at = now() / 1000;
      // No allowance for other clocks: this one signed it.
      if (at < grant.notBefore || at > grant.notAfter) {
        throw new ControlError('UNAUTHENTICATED', `the grant is valid until ${instant(grant.notAfter)}, now it is ${instant(at)}: ask for a new one`);
      }
      return grant;
    },
  };
}

/**
 * A roster in canonical JSON (RFC 8785): it has texts and whole numbers only, so that what JSON.stringify makes is canonical when keys come in order. The general way
 * takes ten times as long, which at ten thousand members is a tenth of a second in which nobody else is answered.
 */
function rosterText({ epoch, members, revoked }: Roster): string {
  const inOrder = members.map(({ addresses, environments, member, roles, zone }) => ({ addresses, environments, member, roles, zone }));
  return JSON.stringify({ epoch, members: inOrder, revoked });
}

function signed(kind: SignedKind, payload: object, key: SigningKey, text?: string): string {
  const validator: Validator<{}, TSchema> = schemas[kind];
  if (!validator.Check(payload)) {
    const first = validator.Errors(payload)[0];
    throw new ControlError('SIGNING_FAILED', `refused to sign a malformed ${kind}: ${first?.instancePath ?? ''} ${first?.message ?? 'is not what the schema says'}`);
  }
  const compact = signCompact(kind, payload, key, text);
  if (compact.length > bytesMax[kind]) {
    throw new ControlError('SIGNING_FAILED', `refused to sign a ${kind} of ${compact.length} bytes: members accept at most ${bytesMax[kind]}`);
  }
  return compact;
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
