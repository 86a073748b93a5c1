// Rows of the operations table: automatic builds.

import { AutoBuildSchema, BuildHookSchema, BuildSchema, BuildsQuerySchema, CancelBuildSchema, CreateBuildSchema, SetAutoBuildSchema } from './builds.ts';
import type { Operation } from './operation.ts';
import { page } from './schema.ts';
import { LogPageSchema, LogQuerySchema } from './workflows.ts';

const read = { verb: 'read', of: 'all' } as const;
const readApp = { verb: 'read', of: 'app' } as const;
const upload = { verb: 'upload', of: 'app' } as const;
/** What is said here is run on workers. */
const admin = { verb: 'admin', of: 'all' } as const;

export const buildOperations = {
  getAutoBuild: { method: 'GET', path: '/v1/apps/{app}/auto-build', summary: 'How an application is built by itself', scope: readApp, status: 200, reply: AutoBuildSchema },
  setAutoBuild: { method: 'PUT', path: '/v1/apps/{app}/auto-build', summary: 'Say how an application is built by itself', scope: admin, body: SetAutoBuildSchema, status: 200, reply: AutoBuildSchema },
  getBuildHook: { method: 'GET', path: '/v1/apps/{app}/auto-build/hook', summary: 'Where a repository tells of pushes, and the secret that signs them', scope: admin, status: 200, reply: BuildHookSchema },
  createBuild: { method: 'POST', path: '/v1/apps/{app}/builds', summary: 'Ask for a build of the newest commit, or of a given one', scope: upload, body: CreateBuildSchema, status: 201, reply: BuildSchema },
  listBuilds: { method: 'GET', path: '/v1/builds', summary: 'List builds, newest first', scope: read, query: BuildsQuerySchema, status: 200, reply: page(BuildSchema) },
  getBuild: { method: 'GET', path: '/v1/builds/{build}', summary: 'One build', scope: readApp, status: 200, reply: BuildSchema },
  cancelBuild: { method: 'POST', path: '/v1/builds/{build}/cancel', summary: 'Cancel a build that is not over', scope: upload, body: CancelBuildSchema, status: 200, reply: BuildSchema },
  retryBuild: { method: 'POST', path: '/v1/builds/{build}/retry', summary: 'Build the same commit again', scope: upload, status: 201, reply: BuildSchema },
  getBuildLog: { method: 'GET', path: '/v1/builds/{build}/log', summary: 'What a build wrote, page by page', scope: readApp, query: LogQuerySchema, status: 200, reply: LogPageSchema },
} as const satisfies Record<string, Operation>;
