// What people and members ask for, and the answer, as data. Ids and secrets' digests come with the command, since core draws nothing.
// Who answers which is answers/handle.ts.

import type { Cid, Digest } from '../../../proto/cid.ts';
import type { DeploymentConfig, Event, Labels, PromotionCause } from '../../../proto/events.ts';
import type { Report } from '../../../proto/fleet.ts';
import type { Role } from '../../../proto/statement.ts';
import type { BuildCommand } from './command-build.ts';
import type { GovernanceCommand } from './command-governance.ts';
import type { DeploymentCommand } from './command-deployment.ts';
import type { Blocker } from '../gates/blocker.ts';

export type CreateApp = { readonly kind: 'create-app'; readonly app: string; readonly project: string };
export type CreateEnvironment = { readonly kind: 'create-environment'; readonly environment: string; readonly app: string; readonly apps?: readonly string[]; readonly selector: Labels; readonly config: DeploymentConfig };
/** `apps`: absent leaves them as they are. */
export type ChangeEnvironment = { readonly kind: 'change-environment'; readonly environment: string; readonly apps?: readonly string[]; readonly selector: Labels; readonly config: DeploymentConfig };
export type CreateToken = {
  readonly kind: 'create-token';
  readonly token: string;
  readonly use: 'api' | 'join';
  readonly name: string;
  /** sha2-256 of the secret. */
  readonly secretDigest: Digest;
  readonly scopes: readonly string[];
  readonly groups?: readonly string[];
  readonly roles: readonly Role[];
  readonly environments: readonly string[];
  readonly labels: Labels;
  readonly usesMax: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
};
export type RevokeToken = { readonly kind: 'revoke-token'; readonly token: string; readonly reason: string };
/** The shell has verified the proof that the member knows the token's secret and holds the key. */
export type EnrolMember = {
  readonly kind: 'enrol-member';
  readonly token: string;
  readonly member: string;
  readonly name: string;
  readonly publicKey: string;
  readonly roles: readonly Role[];
  readonly attributes: Readonly<Record<string, string>>;
};
export type LocateMember = { readonly kind: 'locate-member'; readonly member: string; readonly addresses: readonly string[]; readonly uploadUrl?: string };
export type RenewMember = { readonly kind: 'renew-member'; readonly member: string };
export type RevokeMember = { readonly kind: 'revoke-member'; readonly member: string; readonly reason: string };
export type LabelMember = { readonly kind: 'label-member'; readonly member: string; readonly labels: Labels };
export type CordonMember = { readonly kind: 'cordon-member'; readonly member: string; readonly reason: string };
export type UncordonMember = { readonly kind: 'uncordon-member'; readonly member: string };
export type RegisterRevision = {
  readonly kind: 'register-revision';
  readonly app: string;
  readonly revision: Digest;
  readonly cid: Cid;
  readonly alias?: string;
  readonly manifest: string;
  readonly manifestBytes: number;
  readonly entries: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly uploadedBytes: number;
  readonly proxy: string;
};
/** `revision`: whatever findSet (model/select.ts) understands. */
export type Promote = {
  readonly kind: 'promote';
  readonly promotion: string;
  readonly environment: string;
  readonly revision: string;
  readonly reason?: string;
  /** `auto` is for automation alone; a `hotfix` needs a reason. */
  readonly cause?: PromotionCause;
  readonly edge?: string;
} & Retry;
/** Of one that tries again what an earlier deployment did not bring about. */
export type Retry = { readonly retryOf?: string; readonly attempt?: number };
/** `to`: `previous` (the default), a revision's number, or whatever findSet (model/select.ts) understands. */
export type Rollback = { readonly kind: 'rollback'; readonly promotion: string; readonly environment: string; readonly to?: string | number; readonly reason?: string } & Retry;
export type Abort = { readonly kind: 'abort'; readonly deployment: string; readonly reason?: string };
export type AbortPromotion = { readonly kind: 'abort-promotion'; readonly promotion: string; readonly reason?: string };
export type ReportCommand = { readonly kind: 'report'; readonly member: string; readonly report: Report };
export type RefuseOrder = { readonly kind: 'refuse-order'; readonly member: string; readonly environment: string; readonly seq: number; readonly code: string; readonly detail: string };

export type Command =
  | GovernanceCommand
  | DeploymentCommand
  | BuildCommand
  | CreateApp
  | CreateEnvironment
  | ChangeEnvironment
  | CreateToken
  | RevokeToken
  | EnrolMember
  | LocateMember
  | RenewMember
  | RevokeMember
  | LabelMember
  | CordonMember
  | UncordonMember
  | RegisterRevision
  | Promote
  | Rollback
  | Abort
  | AbortPromotion
  | ReportCommand
  | RefuseOrder;

/** Why a command was refused; one table maps it to HTTP. */
export type RefusalCode = 'not-found' | 'conflict' | 'invalid' | 'blocked' | 'forbidden';

/** Facts to append. None when what was asked for is so already: a repeated command is not an error. */
export interface Accepted {
  readonly kind: 'accepted';
  readonly events: readonly Event[];
  /** Of `register-revision`: the number of the revision, and whether it is new. */
  readonly revision?: { readonly number: number; readonly created: boolean };
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  /** A sentence: what was refused, what was expected, what to do. */
  readonly message: string;
  readonly blockers?: readonly Blocker[];
  /** All that is wrong, where that is several things; the message says only how many. */
  readonly problems?: readonly string[];
}

export type Answer = Accepted | Refused;
