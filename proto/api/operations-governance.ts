// Rows of the operations table: what holds promotions back, what people say to them, and what is known of revisions.

import { ApprovalSchema, ApprovalsQuerySchema, ApproveSchema, CompliancePolicySchema, CreateOverrideSchema, EvidenceSchema, PoliciesQuerySchema, RejectSchema } from './approvals.ts';
import type { Operation } from './operation.ts';
import {
  AutomationSchema, BecauseQuerySchema, BecauseSchema, CreateLockSchema, FreezeSchema, FreezesQuerySchema, HoldSchema, HoldsQuerySchema, LockSchema, LocksQuerySchema, PinSchema, PlacePinSchema,
  PlaceVetoSchema, PromotionConfigSchema, RemoveVetoQuerySchema, SetAutomationSchema, StartFreezeSchema, SwitchSchema, VetoesSchema,
} from './restraints.ts';
import { DescribeRevisionSchema, DiffQuerySchema, PrioritySchema, RevisionDetailSchema, RevisionDiffSchema } from './revisions.ts';
import { PageQuerySchema, page } from './schema.ts';
import { EnvironmentWindowsQuerySchema, EnvironmentWindowsSchema, OccurrencesQuerySchema, OccurrencesSchema, WindowSchema, WindowsQuerySchema } from './windows.ts';

const read = { verb: 'read', of: 'all' } as const;
const admin = { verb: 'admin', of: 'all' } as const;
const readApp = { verb: 'read', of: 'app' } as const;
const readEnvironment = { verb: 'read', of: 'environment' } as const;
const readSubject = { verb: 'read', of: 'subject' } as const;
const promoteApp = { verb: 'promote', of: 'app' } as const;
const promoteEnvironment = { verb: 'promote', of: 'environment' } as const;
const promoteSubject = { verb: 'promote', of: 'subject' } as const;
const approve = { verb: 'approve', of: 'subject' } as const;

const edge = '/v1/pipelines/{pipeline}/promotion-configs/{edge}';
const revision = '/v1/apps/{app}/revisions/{revision}';

export const governanceOperations = {
  listLocks: { method: 'GET', path: '/v1/locks', summary: 'List locks, newest first', scope: read, query: LocksQuerySchema, status: 200, reply: page(LockSchema) },
  createLock: { method: 'POST', path: '/v1/locks', summary: 'Stop new deployments from starting in a scope', scope: promoteSubject, body: CreateLockSchema, status: 201, reply: LockSchema },
  getLock: { method: 'GET', path: '/v1/locks/{lock}', summary: 'One lock', scope: readSubject, status: 200, reply: LockSchema },
  releaseLock: { method: 'DELETE', path: '/v1/locks/{lock}', summary: 'Release a lock, as its holder', scope: promoteSubject, status: 204, ifMatch: true },
  breakLock: { method: 'POST', path: '/v1/locks/{lock}/break', summary: 'Take away a lock that somebody else holds', scope: promoteSubject, body: BecauseSchema, status: 200, reply: LockSchema },

  listHolds: { method: 'GET', path: '/v1/holds', summary: 'List holds of automatic promotion by promotion configuration', scope: read, query: HoldsQuerySchema, status: 200, reply: page(HoldSchema) },
  releaseHold: { method: 'DELETE', path: `${edge}/hold`, summary: 'Let automatic promotion go on', scope: promoteSubject, query: BecauseQuerySchema, status: 204, ifMatch: true },
  listPromotionConfigs: { method: 'GET', path: '/v1/pipelines/{pipeline}/promotion-configs', summary: 'List promotion configurations with what is switched off or held', scope: read, query: PageQuerySchema, status: 200, reply: page(PromotionConfigSchema) },
  getPromotionConfig: { method: 'GET', path: edge, summary: 'One promotion configuration', scope: readSubject, status: 200, reply: PromotionConfigSchema },
  enablePromotionConfig: { method: 'POST', path: `${edge}/enable`, summary: 'Let promotions pass a promotion configuration again', scope: admin, body: SwitchSchema, status: 200, reply: PromotionConfigSchema },
  disablePromotionConfig: { method: 'POST', path: `${edge}/disable`, summary: 'Let nothing pass a promotion configuration', scope: admin, body: BecauseSchema, status: 200, reply: PromotionConfigSchema },
  listAutomation: { method: 'GET', path: '/v1/automation', summary: 'List automations that are switched off', scope: read, query: PageQuerySchema, status: 200, reply: page(AutomationSchema) },
  getAutomation: { method: 'GET', path: '/v1/automation/{kind}/{id}', summary: 'Whether an automation is on', scope: readSubject, status: 200, reply: AutomationSchema },
  setAutomation: { method: 'PUT', path: '/v1/automation/{kind}/{id}', summary: 'Switch an automation on or off', scope: promoteSubject, body: SetAutomationSchema, status: 200, reply: AutomationSchema, ifMatch: true },

  getPin: { method: 'GET', path: '/v1/environments/{environment}/pin', summary: 'Whether an environment is pinned, and to what', scope: readEnvironment, status: 200, reply: PinSchema },
  placePin: { method: 'PUT', path: '/v1/environments/{environment}/pin', summary: 'Keep an environment at a set', scope: promoteEnvironment, body: PlacePinSchema, status: 200, reply: PinSchema, ifMatch: true },
  removePin: { method: 'DELETE', path: '/v1/environments/{environment}/pin', summary: 'Let an environment change again', scope: promoteEnvironment, query: BecauseQuerySchema, status: 204, ifMatch: true },

  listFreezes: { method: 'GET', path: '/v1/freezes', summary: 'List freezes, newest first', scope: read, query: FreezesQuerySchema, status: 200, reply: page(FreezeSchema) },
  startFreeze: { method: 'POST', path: '/v1/freezes', summary: 'Let nothing start in a scope until told otherwise', scope: promoteSubject, body: StartFreezeSchema, status: 201, reply: FreezeSchema },
  getFreeze: { method: 'GET', path: '/v1/freezes/{freeze}', summary: 'One freeze', scope: readSubject, status: 200, reply: FreezeSchema },
  endFreeze: { method: 'POST', path: '/v1/freezes/{freeze}/end', summary: 'End a freeze', scope: promoteSubject, body: BecauseSchema, status: 200, reply: FreezeSchema },

  listWindows: { method: 'GET', path: '/v1/windows', summary: 'List time windows by pipeline and name', scope: read, query: WindowsQuerySchema, status: 200, reply: page(WindowSchema) },
  listOccurrences: { method: 'GET', path: '/v1/pipelines/{pipeline}/windows/{window}/occurrences', summary: 'When a window is active', scope: read, query: OccurrencesQuerySchema, status: 200, reply: OccurrencesSchema },
  getEnvironmentWindows: { method: 'GET', path: '/v1/environments/{environment}/windows', summary: 'Whether the windows of an environment are open, and when next', scope: readEnvironment, query: EnvironmentWindowsQuerySchema, status: 200, reply: EnvironmentWindowsSchema },

  listApprovals: { method: 'GET', path: '/v1/approvals', summary: 'List requests for approval, newest first', scope: read, query: ApprovalsQuerySchema, status: 200, reply: page(ApprovalSchema) },
  getApproval: { method: 'GET', path: '/v1/approvals/{approval}', summary: 'One request for approval', scope: readSubject, status: 200, reply: ApprovalSchema },
  approve: { method: 'POST', path: '/v1/approvals/{approval}/approve', summary: 'Say yes to a request', scope: approve, body: ApproveSchema, status: 200, reply: ApprovalSchema },
  reject: { method: 'POST', path: '/v1/approvals/{approval}/reject', summary: 'Say no to a request', scope: approve, body: RejectSchema, status: 200, reply: ApprovalSchema },
  revokeVote: { method: 'POST', path: '/v1/approvals/{approval}/revoke', summary: 'Take back what one said to a request', scope: approve, body: BecauseSchema, status: 200, reply: ApprovalSchema },
  reviewOverride: { method: 'POST', path: '/v1/approvals/{approval}/review', summary: 'Say what was seen of a break-glass that was used, as somebody who had no part in it', scope: approve, body: RejectSchema, status: 200, reply: ApprovalSchema },
  askAgain: { method: 'POST', path: '/v1/approvals/{approval}/ask-again', summary: 'Ask once more what was rejected, expired or revoked', scope: promoteSubject, body: BecauseSchema, status: 201, reply: ApprovalSchema },
  createOverride: { method: 'POST', path: '/v1/promotions/{promotion}/override', summary: 'Ask to lift what holds a promotion: windows, freezes, compliance policies', scope: promoteEnvironment, body: CreateOverrideSchema, status: 201, reply: ApprovalSchema },

  listCompliancePolicies: { method: 'GET', path: '/v1/compliance-policies', summary: 'List compliance policies by pipeline and name', scope: read, query: PoliciesQuerySchema, status: 200, reply: page(CompliancePolicySchema) },
  getEvidence: { method: 'GET', path: '/v1/promotions/{promotion}/evidence', summary: 'Why a promotion was let go, from stored data alone', scope: readEnvironment, status: 200, reply: EvidenceSchema },

  getRevision: { method: 'GET', path: revision, summary: 'One revision with what is known of it', scope: readApp, status: 200, reply: RevisionDetailSchema },
  diffRevisions: { method: 'GET', path: `${revision}/diff`, summary: 'What changed since another revision', scope: readApp, query: DiffQuerySchema, status: 200, reply: RevisionDiffSchema },
  describeRevision: { method: 'POST', path: `${revision}/describe`, summary: 'Tell what is known of a revision', scope: { verb: 'upload', of: 'app' }, body: DescribeRevisionSchema, status: 200, reply: RevisionDetailSchema },
  setPriority: { method: 'PUT', path: `${revision}/priority`, summary: 'Prefer a revision, or put it behind others', scope: promoteApp, body: PrioritySchema, status: 200, reply: RevisionDetailSchema, ifMatch: true },
  getVetoes: { method: 'GET', path: `${revision}/veto`, summary: 'The vetoes of a revision', scope: readApp, status: 200, reply: VetoesSchema },
  placeVeto: { method: 'PUT', path: `${revision}/veto`, summary: 'Let a revision go nowhere, or not to one environment', scope: promoteApp, body: PlaceVetoSchema, status: 200, reply: VetoesSchema, ifMatch: true },
  removeVeto: { method: 'DELETE', path: `${revision}/veto`, summary: 'Take a veto away', scope: promoteApp, query: RemoveVetoQuerySchema, status: 204, ifMatch: true },
} as const satisfies Record<string, Operation>;
