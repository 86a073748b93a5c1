// The port of the proxy's uploads: what a client may ask of it, HTTP apart. Implementation: sessions.ts; routes.ts carries it.
// The proxy answers what is missing only against what the grant's project already owns (trust.md, section 8).

import type { Digest } from '../../proto/cid.ts';
import type { Grant } from '../../proto/statement.ts';
import type { CompleteReply, SessionReply } from '../../proto/upload.ts';

/** A grant that was verified, with the form in which it is handed on. */
export interface Bearer {
  readonly grant: Grant;
  readonly compact: string;
}

interface Waiting {
  readonly signal: AbortSignal;
}

/**
 * Upload sessions. Every call throws {@link DaemonError}: FORBIDDEN when the grant is for something else, UNKNOWN_SESSION,
 * TOO_MANY_SESSIONS, CORRUPT_CHUNK (bytes that do not hash to what was announced), INCOMPLETE, NO_SPACE, STORAGE_FAILED,
 * CONTROL_REFUSED or CONTROL_UNREACHABLE; and {@link ProtocolError} for bytes that are not of the agreed form.
 */
export interface Uploads {
  /** Opens a session for an encoded revision manifest, and says what to send. Opening again after a lost connection goes on. */
  open(bearer: Bearer, manifest: Uint8Array, alias: string | undefined, options: Waiting): Promise<SessionReply>;
  /** Takes the zstd form of the encoded tree index. */
  index(bearer: Bearer, session: string, compressed: Uint8Array, options: Waiting): Promise<SessionReply>;
  /** Takes the zstd form of one upload frame; resolves when its chunks are synced. */
  frame(bearer: Bearer, session: string, compressed: Uint8Array, options: Waiting): Promise<void>;
  /** Verifies the whole, hands it over to the control plane, and forgets the session. */
  complete(bearer: Bearer, session: string, options: Waiting): Promise<CompleteReply>;
  /** The chunks that sessions under way count on, repetitions included. */
  chunksInUse(): Iterable<Digest>;
}

/** Which identifiers a project has proved to possess by sending their bytes. */
export interface Ownership {
  owns(project: string, ids: readonly Digest[]): Promise<readonly boolean[]>;
  /** Resolves when synced. */
  add(project: string, ids: readonly Digest[]): Promise<void>;
}
