// Handlers of the audit: pages, the check of the chain, and the export that can be checked elsewhere.

import { pageItemsDefault } from '../../../proto/api/schema.ts';
import { parseCheckpoint } from '../../../proto/audit-chain.ts';
import { ControlError } from '../../errors.ts';
import type { ApiOptions, Handlers } from './api.ts';
import type { AuditTrail } from '../audit-trail.ts';

export function auditHandlers({ audit, facts }: ApiOptions & { readonly audit: AuditTrail }): Handlers<'listAudit' | 'exportAudit' | 'verifyAudit'> {
  return {
    listAudit: async ({ query: { limit = pageItemsDefault, cursor, after, ...filter } }) => {
      const { direction, seq } = cursor === undefined ? startOf(after, facts.state().head) : placeOf(cursor);
      const { items, lookedAt } = direction === 'up' ? await audit.after(seq, limit, filter) : await audit.before(seq, limit, filter);
      return { body: { items, ...(lookedAt === undefined ? {} : { next: cursorOf(direction, lookedAt) }) } };
    },
    exportAudit: async ({ query: { limit = pageItemsDefault, cursor, after = 0 } }) => {
      const lines = await audit.lines(cursor === undefined ? after : placeOf(cursor).seq, limit);
      const last = lines.at(-1)?.seq;
      const more = last !== undefined && last < facts.state().head;
      return { body: { items: lines.map((line) => ({ ...line, event: { ...line.event } })), ...(more ? { next: cursorOf('up', last) } : {}) } };
    },
    verifyAudit: async ({ query: { from, checkpoint } }) => ({ body: await audit.verify(parseCheckpoint(from ?? ''), parseCheckpoint(checkpoint ?? '')) }),
  };
}

interface Place {
  readonly direction: 'up' | 'down';
  readonly seq: number;
}

function startOf(after: number | undefined, head: number): Place {
  return after === undefined ? { direction: 'down', seq: head + 1 } : { direction: 'up', seq: after };
}

function cursorOf(direction: Place['direction'], seq: number): string {
  return Buffer.from(`audit ${direction} ${seq}`).toString('base64url');
}

/** @throws {ControlError} INVALID_REQUEST */
function placeOf(cursor: string): Place {
  const [, direction, seq] = /^audit (up|down) ([0-9]{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? [];
  if (seq === undefined) throw new ControlError('INVALID_REQUEST', 'this cursor is not one of the audit: begin again without it');
  return { direction: direction === 'up' ? 'up' : 'down', seq: Number(seq) };
}
