// The revision manifest: the small document whose digest is signed and promoted.
// It names the tree index by digest and by chunks; the index itself is in tree-index.ts.

import type { Digest } from './cid.ts';
import type { DeploySpec } from './deploy-spec.ts';
import type { ChunkRef } from './tree.ts';

/** The chunking profile of content.md, section 2. There is one; another name is refused. */
export const chunkerProfile = 'gear32-nc2/16-64-256/v1';

/** One published version of an application, identified by the sha2-256 of its encoding. */
export interface Revision {
  readonly format: 'starling.revision/1';
  readonly app: string;
  readonly chunker: typeof chunkerProfile;
  /** sha2-256 of the encoded tree index. */
  readonly tree: Digest;
  /** Length of the encoded tree index in bytes. */
  readonly indexBytes: number;
  /** The encoded tree index, cut by the same chunker. */
  readonly indexChunks: readonly ChunkRef[];
  readonly entries: number;
  readonly chunks: number;
  /** Sum of the sizes of all files, in bytes. */
  readonly bytes: number;
  readonly spec: DeploySpec;
}
