// The rows of the operations table that are about pipelines. What a row says is operations.ts.

import { ApplyPipelineQuerySchema, ApplyPipelineSchema, DeletePipelineQuerySchema, GraphSchema, PipelineSchema, PipelineSummarySchema, PipelinesQuerySchema, PlanSchema, SwitchPipelineSchema, ValidationSchema } from './pipelines.ts';
import { page } from './schema.ts';

const read = { verb: 'read', of: 'all' } as const;
/** Whoever changes a pipeline may cause promotions in all of it (G-3). */
const admin = { verb: 'admin', of: 'all' } as const;

export const pipelineOperations = {
  listPipelines: { method: 'GET', path: '/v1/pipelines', summary: 'List pipelines by name', scope: read, query: PipelinesQuerySchema, status: 200, reply: page(PipelineSummarySchema) },
  getPipeline: { method: 'GET', path: '/v1/pipelines/{pipeline}', summary: 'One pipeline, whole', scope: read, status: 200, reply: PipelineSchema },
  applyPipeline: { method: 'PUT', path: '/v1/pipelines/{pipeline}', summary: 'Make or replace a pipeline with its environments; If-Match is needed where there is one', scope: admin, query: ApplyPipelineQuerySchema, body: ApplyPipelineSchema, status: 200, reply: PipelineSchema },
  deletePipeline: { method: 'DELETE', path: '/v1/pipelines/{pipeline}', summary: 'Delete a pipeline; its environments stay', scope: admin, query: DeletePipelineQuerySchema, status: 204, ifMatch: true },
  validatePipeline: { method: 'POST', path: '/v1/pipelines/{pipeline}/validate', summary: 'Say everything that is wrong with a pipeline', scope: read, body: ApplyPipelineSchema, status: 200, reply: ValidationSchema },
  planPipeline: { method: 'POST', path: '/v1/pipelines/{pipeline}/plan', summary: 'Say what applying a pipeline would change, invalidate and begin', scope: read, body: ApplyPipelineSchema, status: 200, reply: PlanSchema },
  enablePipeline: { method: 'POST', path: '/v1/pipelines/{pipeline}/enable', summary: 'Enable a pipeline', scope: admin, body: SwitchPipelineSchema, status: 200, reply: PipelineSchema },
  disablePipeline: { method: 'POST', path: '/v1/pipelines/{pipeline}/disable', summary: 'Disable a pipeline: nothing is promoted in it', scope: admin, body: SwitchPipelineSchema, status: 200, reply: PipelineSchema },
  getPipelineGraph: { method: 'GET', path: '/v1/pipelines/{pipeline}/graph', summary: 'A pipeline with what goes on in it', scope: read, status: 200, reply: GraphSchema },
} as const;
