// The port towards the control plane: what a member asks it and tells it. Implementation: http-link.ts.
// What the answers mean is decided by those who called; nothing here is believed before daemon/trust has checked it.

import type { ChallengeReply, EnrolReply, EnrolRequest, HandOverReply, HandOverRequest, Report, SyncReply, SyncRequest } from '../../proto/fleet.ts';
import type { Digest } from '../../proto/cid.ts';

interface Waiting {
  readonly signal: AbortSignal;
}

/** The conversation of an enrolled member. Every call throws {@link DaemonError} CONTROL_UNREACHABLE or CONTROL_REFUSED. */
export interface Link {
  /** One long poll: answers when there is news, or after `request.waitMs`. */
  sync(request: SyncRequest, options: Waiting): Promise<SyncReply>;
  /** Resolves when the control plane has recorded them durably. */
  report(reports: readonly Report[], options: Waiting): Promise<void>;
  /** A proxy hands a complete revision over. */
  handOver(request: HandOverRequest, options: Waiting): Promise<HandOverReply>;
  /** The encoded revision manifest, or `undefined` when it is unknown there. Not yet verified. */
  manifest(revision: Digest, options: Waiting): Promise<Uint8Array | undefined>;
}

/** What a machine may say before it is a member. */
export interface EnrolmentLink {
  /** `1.root.json`, to be compared with the pin before anything else is said. */
  root(options: Waiting): Promise<Uint8Array>;
  challenge(options: Waiting): Promise<ChallengeReply>;
  enrol(request: EnrolRequest, options: Waiting): Promise<EnrolReply>;
}
