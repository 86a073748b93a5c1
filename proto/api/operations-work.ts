// Rows of the operations table: runs of workflows, and the workers' side.

import type { Operation } from './operation.ts';
import { page } from './schema.ts';
import { LeaseQuerySchema, LeaseReplySchema, RenewReplySchema, WorkLogReplySchema, WorkLogSchema, WorkReportSchema } from './work.ts';
import { AbortRunSchema, CreateWorkflowRunSchema, DecideStepSchema, LogPageSchema, LogQuerySchema, ReportStepSchema, WorkflowRunSchema, WorkflowRunsQuerySchema } from './workflows.ts';

const read = { verb: 'read', of: 'all' } as const;
const readEnvironment = { verb: 'read', of: 'environment' } as const;
const promote = { verb: 'promote', of: 'environment' } as const;
const work = { verb: 'work', of: 'all' } as const;

export const workOperations = {
  listWorkflowRuns: { method: 'GET', path: '/v1/workflow-runs', summary: 'List runs of approval workflows, newest first', scope: read, query: WorkflowRunsQuerySchema, status: 200, reply: page(WorkflowRunSchema) },
  createWorkflowRun: { method: 'POST', path: '/v1/workflow-runs', summary: 'Run the workflow of an environment for what it runs now', scope: promote, body: CreateWorkflowRunSchema, status: 201, reply: WorkflowRunSchema },
  getWorkflowRun: { method: 'GET', path: '/v1/workflow-runs/{run}', summary: 'One run with its steps', scope: readEnvironment, status: 200, reply: WorkflowRunSchema },
  abortWorkflowRun: { method: 'POST', path: '/v1/workflow-runs/{run}/abort', summary: 'Abort a run', scope: promote, body: AbortRunSchema, status: 200, reply: WorkflowRunSchema },
  rerunWorkflow: { method: 'POST', path: '/v1/workflow-runs/{run}/rerun', summary: 'Run a workflow again for the same set; a failure revokes what an earlier run approved', scope: promote, status: 201, reply: WorkflowRunSchema },
  decideStep: { method: 'POST', path: '/v1/workflow-runs/{run}/steps/{step}/decide', summary: 'Decide a step that was inconclusive', scope: promote, body: DecideStepSchema, status: 200, reply: WorkflowRunSchema },
  reportStep: { method: 'POST', path: '/v1/workflow-runs/{run}/steps/{step}/report', summary: 'Say how a step goes that something outside carries out', scope: work, body: ReportStepSchema, status: 200, reply: WorkflowRunSchema },
  getStepLog: { method: 'GET', path: '/v1/workflow-runs/{run}/steps/{step}/log', summary: 'What a step wrote, page by page', scope: readEnvironment, query: LogQuerySchema, status: 200, reply: LogPageSchema },

  leaseWork: { method: 'POST', path: '/v1/work/lease', summary: 'Take one piece of work, waiting for it', scope: work, body: LeaseQuerySchema, status: 200, reply: LeaseReplySchema },
  renewWork: { method: 'POST', path: '/v1/work/{lease}/renew', summary: 'Go on with work that was taken', scope: work, status: 200, reply: RenewReplySchema },
  writeWorkLog: { method: 'PUT', path: '/v1/work/{lease}/log', summary: 'Append to the log of work that was taken', scope: work, body: WorkLogSchema, status: 200, reply: WorkLogReplySchema },
  reportWork: { method: 'POST', path: '/v1/work/{lease}/report', summary: 'Say how work that was taken ended', scope: work, body: WorkReportSchema, status: 204 },
} as const satisfies Record<string, Operation>;
