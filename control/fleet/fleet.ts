// What members may ask of the control plane, HTTP apart (proto/fleet.ts). Implementation: members.ts.
// Who sent a request is proven before it gets here; `member` is the id that its signature showed.

import type { Cid } from '../../proto/cid.ts';
import type { ChallengeReply, EnrolReply, EnrolRequest, HandOverReply, HandOverRequest, Report, SyncReply, SyncRequest } from '../../proto/fleet.ts';

/** What became of reports: refused ones answer nothing that is on record, and need not be sent again. */
export interface ReportsReply {
  readonly recorded: number;
  readonly refused: number;
}

/** Every call throws {@link ControlError}; UNAUTHENTICATED when the member was revoked meanwhile. */
export interface Fleet {
  challenge(): ChallengeReply;
  /** @throws {ControlError} UNAUTHENTICATED when the proof fails; FORBIDDEN when the token is used up, expired or revoked; CONFLICT. */
  enrol(request: EnrolRequest): Promise<EnrolReply>;
  /** A request was proven to be this member's, and refused since its clock is ahead of ours by so much, or behind. */
  mistimed(member: string, aheadMs: number): void;
  /** Answers when there is news for the member, or after `request.waitMs`. */
  sync(member: string, request: SyncRequest, options: { readonly signal: AbortSignal }): Promise<SyncReply>;
  /** Resolves when they are durable. */
  report(member: string, reports: readonly Report[]): Promise<ReportsReply>;
  /** @throws {ControlError} FORBIDDEN unless it is a proxy and the grant is for that application; CONFLICT when the grant served another revision. */
  handOver(member: string, request: HandOverRequest): Promise<HandOverReply>;
  /** The encoded manifest of a revision; undefined when it is unknown or none of the member's business. */
  manifest(member: string, cid: Cid): Uint8Array | undefined;
}
