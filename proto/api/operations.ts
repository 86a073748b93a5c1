// The table of /v1: every operation with its path, the scope that it needs, and the schemas of what goes in and out.
// The server registers exactly these rows, the OpenAPI document is made of them, and the command line takes its types from them.

import Type, { type Static, type TSchema } from 'typebox';
import { AppSchema, CreateAppSchema, CreateUploadSchema, RevisionSchema, UploadProxySchema, UploadSchema } from './apps.ts';
import { AuditExportQuerySchema, AuditExportSchema, AuditPageSchema, AuditQuerySchema, AuditVerdictSchema, AuditVerifyQuerySchema } from './audit.ts';
import { DeploymentSchema, DeploymentSummarySchema, DeploymentTargetSchema, DeploymentsQuerySchema, TargetDeploymentsQuerySchema, TargetDeploymentsSchema } from './deployments.ts';
import { ChangeEnvironmentSchema, CreateEnvironmentSchema, EnvironmentSchema, GateQuerySchema, GateSchema } from './environments.ts';
import { AbortSchema, CreatePromotionSchema, CreateRollbackSchema, ExplanationSchema, PromotionSchema, PromotionsQuerySchema } from './promotions.ts';
import { ChannelSchema, ChannelTestSchema, NotificationSchema, NotificationsQuerySchema } from './notifications.ts';
import type { Operation } from './operation.ts';
import { governanceOperations } from './operations-governance.ts';
import { pipelineOperations } from './operations-pipelines.ts';
import { historyOperations } from './operations-history.ts';
import { buildOperations } from './operations-build.ts';
import { workOperations } from './operations-work.ts';
import { PageQuerySchema, page } from './schema.ts';
import { EventsQuerySchema, StatusSchema } from './status.ts';
import { CoverageQuerySchema, CoverageSchema, LocationSchema, ReceiptSchema, SwarmMapSchema } from './swarm.ts';
import { CordonTargetSchema, DriftSchema, EnvironmentTargetsQuerySchema, LabelTargetSchema, RevokeTargetSchema, TargetSchema, TargetsQuerySchema } from './targets.ts';
import { CreateTokenSchema, NewTokenSchema, TokenSchema, TokensQuerySchema } from './tokens.ts';

const read = { verb: 'read', of: 'all' } as const;
const admin = { verb: 'admin', of: 'all' } as const;
const readApp = { verb: 'read', of: 'app' } as const;
const readEnvironment = { verb: 'read', of: 'environment' } as const;
const promote = { verb: 'promote', of: 'environment' } as const;

export const operations = {
  listApps: { method: 'GET', path: '/v1/apps', summary: 'List applications by name', scope: read, query: PageQuerySchema, status: 200, reply: page(AppSchema) },
  createApp: { method: 'POST', path: '/v1/apps', summary: 'Create an application', scope: admin, body: CreateAppSchema, status: 201, reply: AppSchema },
  getApp: { method: 'GET', path: '/v1/apps/{app}', summary: 'One application', scope: readApp, status: 200, reply: AppSchema },
  listRevisions: { method: 'GET', path: '/v1/apps/{app}/revisions', summary: 'List revisions, newest first', scope: readApp, query: PageQuerySchema, status: 200, reply: page(RevisionSchema) },
  createUpload: { method: 'POST', path: '/v1/apps/{app}/uploads', summary: 'Get leave to upload a revision, and the proxies that take it', scope: { verb: 'upload', of: 'app' }, body: CreateUploadSchema, status: 201, reply: UploadSchema },
  listUploadProxies: { method: 'GET', path: '/v1/upload-proxies', summary: 'List proxies that take uploads', scope: read, query: PageQuerySchema, status: 200, reply: page(UploadProxySchema) },

  listEnvironments: { method: 'GET', path: '/v1/environments', summary: 'List environments by name', scope: read, query: PageQuerySchema, status: 200, reply: page(EnvironmentSchema) },
  createEnvironment: { method: 'POST', path: '/v1/environments', summary: 'Create an environment', scope: admin, body: CreateEnvironmentSchema, status: 201, reply: EnvironmentSchema },
  getEnvironment: { method: 'GET', path: '/v1/environments/{environment}', summary: 'One environment', scope: readEnvironment, status: 200, reply: EnvironmentSchema },
  changeEnvironment: { method: 'PUT', path: '/v1/environments/{environment}', summary: 'Replace selector and configuration', scope: { verb: 'admin', of: 'environment' }, body: ChangeEnvironmentSchema, status: 200, reply: EnvironmentSchema, ifMatch: true },
  getGate: { method: 'GET', path: '/v1/environments/{environment}/gate', summary: 'What holds an environment now, or would at another time', scope: readEnvironment, query: GateQuerySchema, status: 200, reply: GateSchema },
  explainEnvironment: { method: 'GET', path: '/v1/environments/{environment}/explain', summary: 'Why an environment is not moving', scope: readEnvironment, status: 200, reply: ExplanationSchema },
  listEnvironmentTargets: { method: 'GET', path: '/v1/environments/{environment}/targets', summary: 'List the targets of an environment by name', scope: readEnvironment, query: EnvironmentTargetsQuerySchema, status: 200, reply: page(TargetSchema) },
  listDrift: { method: 'GET', path: '/v1/environments/{environment}/drift', summary: 'List what is not as the environment has it: targets that lack its set, are not healthy, or were changed', scope: readEnvironment, query: PageQuerySchema, status: 200, reply: page(DriftSchema) },
  createRollback: { method: 'POST', path: '/v1/environments/{environment}/rollback', summary: 'Go back to a revision that succeeded before', scope: promote, body: CreateRollbackSchema, status: 202, reply: PromotionSchema },

  listPromotions: { method: 'GET', path: '/v1/promotions', summary: 'List promotions, newest first', scope: read, query: PromotionsQuerySchema, status: 200, reply: page(PromotionSchema) },
  createPromotion: { method: 'POST', path: '/v1/promotions', summary: 'Promote a revision to an environment', scope: promote, body: CreatePromotionSchema, status: 202, reply: PromotionSchema },
  getPromotion: { method: 'GET', path: '/v1/promotions/{promotion}', summary: 'One promotion', scope: readEnvironment, status: 200, reply: PromotionSchema },
  abortPromotion: { method: 'POST', path: '/v1/promotions/{promotion}/abort', summary: 'Abort a promotion, and its deployment when it has one', scope: promote, body: AbortSchema, status: 200, reply: PromotionSchema },
  explainPromotion: { method: 'GET', path: '/v1/promotions/{promotion}/explain', summary: 'Why a promotion is not moving', scope: readEnvironment, status: 200, reply: ExplanationSchema },

  listDeployments: { method: 'GET', path: '/v1/deployments', summary: 'List deployments, newest first', scope: read, query: DeploymentsQuerySchema, status: 200, reply: page(DeploymentSummarySchema) },
  getDeployment: { method: 'GET', path: '/v1/deployments/{deployment}', summary: 'One deployment with its batches and first targets', scope: readEnvironment, status: 200, reply: DeploymentSchema },
  listDeploymentTargets: { method: 'GET', path: '/v1/deployments/{deployment}/targets', summary: 'List the targets of a deployment, batch by batch', scope: readEnvironment, query: PageQuerySchema, status: 200, reply: page(DeploymentTargetSchema) },
  getReceipt: { method: 'GET', path: '/v1/deployments/{deployment}/receipt', summary: 'How the bytes of a deployment travelled, and how fast', scope: readEnvironment, query: PageQuerySchema, status: 200, reply: ReceiptSchema },
  abortDeployment: { method: 'POST', path: '/v1/deployments/{deployment}/abort', summary: 'Abort a deployment', scope: promote, body: AbortSchema, status: 200, reply: DeploymentSummarySchema },
  pauseDeployment: { method: 'POST', path: '/v1/deployments/{deployment}/pause', summary: 'Activate nothing more until it is resumed', scope: promote, body: AbortSchema, status: 200, reply: DeploymentSummarySchema },
  resumeDeployment: { method: 'POST', path: '/v1/deployments/{deployment}/resume', summary: 'Let a paused deployment go on', scope: promote, body: AbortSchema, status: 200, reply: DeploymentSummarySchema },
  nextBatch: { method: 'POST', path: '/v1/deployments/{deployment}/next-batch', summary: 'Go on to the next batch without the rest of the bake', scope: promote, body: AbortSchema, status: 200, reply: DeploymentSummarySchema },
  retryDeployment: { method: 'POST', path: '/v1/deployments/{deployment}/retry', summary: 'Bring the same set once more to the targets that lack it', scope: promote, body: AbortSchema, status: 202, reply: PromotionSchema },

  ...governanceOperations,
  ...pipelineOperations,
  ...historyOperations,

  ...workOperations,
  ...buildOperations,

  listTargets: { method: 'GET', path: '/v1/targets', summary: 'List targets by name', scope: read, query: TargetsQuerySchema, status: 200, reply: page(TargetSchema) },
  getTarget: { method: 'GET', path: '/v1/targets/{target}', summary: 'One target, by member id or name', scope: read, status: 200, reply: TargetSchema },
  listTargetDeployments: { method: 'GET', path: '/v1/targets/{target}/deployments', summary: 'What was deployed to a target, newest first, and how far it came', scope: read, query: TargetDeploymentsQuerySchema, status: 200, reply: TargetDeploymentsSchema },
  labelTarget: { method: 'PUT', path: '/v1/targets/{target}/labels', summary: 'Set the labels of a target: they select what it runs', scope: admin, body: LabelTargetSchema, status: 200, reply: TargetSchema },
  cordonTarget: { method: 'POST', path: '/v1/targets/{target}/cordon', summary: 'Leave a target out of whatever begins from now on', scope: admin, body: CordonTargetSchema, status: 200, reply: TargetSchema },
  uncordonTarget: { method: 'POST', path: '/v1/targets/{target}/uncordon', summary: 'Let deployments begin with a target again', scope: admin, status: 200, reply: TargetSchema },
  revokeTarget: { method: 'POST', path: '/v1/targets/{target}/revoke', summary: 'Bar a member from the fleet', scope: admin, body: RevokeTargetSchema, status: 200, reply: TargetSchema },

  getSwarmMap: { method: 'GET', path: '/v1/swarm/map', summary: 'The members by zone, and who fed whom', scope: read, query: PageQuerySchema, status: 200, reply: SwarmMapSchema },
  listLocations: { method: 'GET', path: '/v1/apps/{app}/revisions/{revision}/locations', summary: 'List the members that have the content of a revision', scope: read, query: PageQuerySchema, status: 200, reply: page(LocationSchema) },
  getSwarmCoverage: { method: 'GET', path: '/v1/swarm/coverage', summary: 'How far a revision has spread, zone by zone', scope: read, query: CoverageQuerySchema, status: 200, reply: CoverageSchema },

  listAudit: { method: 'GET', path: '/v1/audit', summary: 'Who did what, newest first, or from an entry on', scope: read, query: AuditQuerySchema, status: 200, reply: AuditPageSchema },
  verifyAudit: { method: 'GET', path: '/v1/audit/verify', summary: 'Whether the journal is still what was written', scope: read, query: AuditVerifyQuerySchema, status: 200, reply: AuditVerdictSchema },
  exportAudit: { method: 'GET', path: '/v1/audit/export', summary: 'The entries as they are hashed, to be checked elsewhere', scope: read, query: AuditExportQuerySchema, status: 200, reply: AuditExportSchema },

  listTokens: { method: 'GET', path: '/v1/tokens', summary: 'List tokens, newest first', scope: admin, query: TokensQuerySchema, status: 200, reply: page(TokenSchema) },
  createToken: { method: 'POST', path: '/v1/tokens', summary: 'Create a token; its text is in this answer only', scope: admin, body: CreateTokenSchema, status: 201, reply: NewTokenSchema },
  getToken: { method: 'GET', path: '/v1/tokens/{token}', summary: 'One token', scope: admin, status: 200, reply: TokenSchema },
  revokeToken: { method: 'DELETE', path: '/v1/tokens/{token}', summary: 'Revoke a token', scope: admin, status: 204, ifMatch: true },

  listChannels: { method: 'GET', path: '/v1/channels', summary: 'List the channels of the settings', scope: read, query: PageQuerySchema, status: 200, reply: page(ChannelSchema) },
  testChannel: { method: 'POST', path: '/v1/channels/{channel}/test', summary: 'Send a test, and say whether it was taken', scope: admin, status: 200, reply: ChannelTestSchema },
  listNotifications: { method: 'GET', path: '/v1/notifications', summary: 'List what was sent, newest first', scope: read, query: NotificationsQuerySchema, status: 200, reply: page(NotificationSchema) },
  redeliverNotification: { method: 'POST', path: '/v1/notifications/{notification}/redeliver', summary: 'Send again what is over', scope: admin, status: 200, reply: NotificationSchema },

  getStatus: { method: 'GET', path: '/v1/status', summary: 'A summary of everything', scope: read, status: 200, reply: StatusSchema },
  streamEvents: { method: 'GET', path: '/v1/events', summary: 'What happens, as server-sent events', scope: read, query: EventsQuerySchema, status: 200 },
  getTrustRoot: { method: 'GET', path: '/v1/trust/root.json', summary: 'The first trust root, which joining machines pin', scope: 'none', status: 200, reply: Type.Unknown() },
} as const satisfies Record<string, Operation>;

export type Operations = typeof operations;
export type OperationId = keyof Operations;

/** What an operation takes and answers, as types. */
export type BodyOf<Id extends OperationId> = Operations[Id] extends { readonly body: infer Schema extends TSchema } ? Static<Schema> : undefined;
export type QueryOf<Id extends OperationId> = Operations[Id] extends { readonly query: infer Schema extends TSchema } ? Static<Schema> : undefined;
export type ReplyOf<Id extends OperationId> = Operations[Id] extends { readonly reply: infer Schema extends TSchema } ? Static<Schema> : undefined;

type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | ParameterOf<Rest> : never;
/** The parameters of an operation's path. */
export type ParamsOf<Id extends OperationId> = Readonly<Record<ParameterOf<Operations[Id]['path']>, string>>;

/** The path of an operation with its parameters filled in. */
export function pathOf<Id extends OperationId>(id: Id, params: ParamsOf<Id>): string {
  const values: Readonly<Record<string, string>> = params;
  return operations[id].path.replace(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(values[name] ?? ''));
}
