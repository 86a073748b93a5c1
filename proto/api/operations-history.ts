// Rows of the operations table: what happened, and what would.

import { ChangesQuerySchema, ChangesSchema } from './history.ts';
import type { Operation } from './operation.ts';

const read = { verb: 'read', of: 'all' } as const;

export const historyOperations = {
  listChanges: { method: 'GET', path: '/v1/changes', summary: 'How far changes are in every environment, newest first', scope: read, query: ChangesQuerySchema, status: 200, reply: ChangesSchema },
  listPipelineChanges: { method: 'GET', path: '/v1/pipelines/{pipeline}/changes', summary: 'How far changes are in a pipeline, newest first', scope: read, query: ChangesQuerySchema, status: 200, reply: ChangesSchema },
} as const satisfies Record<string, Operation>;
