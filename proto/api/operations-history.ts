// Rows of the operations table: what happened, and what would.

import { ChangesQuerySchema, ChangesSchema, CompareQuerySchema, ComparisonSchema, PastDeploymentSchema, ReplayQuerySchema, ReplaySchema, TraceMachineSchema, TraceMachinesQuerySchema, TraceQuerySchema, TracesSchema } from './history.ts';
import { ForecastSchema } from './forecast.ts';
import type { Operation } from './operation.ts';
import { CreatePromotionSchema } from './promotions.ts';
import { PageQuerySchema, page } from './schema.ts';

const read = { verb: 'read', of: 'all' } as const;

export const historyOperations = {
  listChanges: { method: 'GET', path: '/v1/changes', summary: 'How far changes are in every environment, newest first', scope: read, query: ChangesQuerySchema, status: 200, reply: ChangesSchema },
  listPipelineChanges: { method: 'GET', path: '/v1/pipelines/{pipeline}/changes', summary: 'How far changes are in a pipeline, newest first', scope: read, query: ChangesQuerySchema, status: 200, reply: ChangesSchema },
  trace: { method: 'GET', path: '/v1/trace', summary: 'The way of a commit or a revision through every environment', scope: read, query: TraceQuerySchema, status: 200, reply: TracesSchema },
  listTraceMachines: { method: 'GET', path: '/v1/trace/machines', summary: 'Which machines of an environment have a commit or a revision, and since when', scope: read, query: TraceMachinesQuerySchema, status: 200, reply: page(TraceMachineSchema) },
  replayDecision: { method: 'GET', path: '/v1/decisions/replay', summary: 'A decision of the past, made again from the journal', scope: read, query: ReplayQuerySchema, status: 200, reply: ReplaySchema },
  dryRunPromotion: { method: 'POST', path: '/v1/promotions/dry-run', summary: 'What a promotion would do: blockers, batches, bytes and times; makes nothing', scope: { verb: 'read', of: 'environment' }, body: CreatePromotionSchema, status: 200, reply: ForecastSchema },
  listHistory: { method: 'GET', path: '/v1/environments/{environment}/history', summary: 'The deployments of an environment, newest first, with what each can be undone by', scope: { verb: 'read', of: 'environment' }, query: PageQuerySchema, status: 200, reply: page(PastDeploymentSchema) },
  compareEnvironments: { method: 'GET', path: '/v1/environments/{environment}/compare', summary: 'What differs between two environments', scope: read, query: CompareQuerySchema, status: 200, reply: ComparisonSchema },
} as const satisfies Record<string, Operation>;
