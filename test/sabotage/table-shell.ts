// Sabotages of the shell: words and chunks on their way, what a disk keeps, and what loops say once.

import type { Sabotage } from './sabotage.ts';

const words = { file: 'daemon/swarm/libp2p/word-order.ts', test: 'test/daemon/swarm/libp2p/word-order.test.ts' } as const;
const port = { file: 'daemon/swarm/bulk/port.ts', test: 'test/daemon/swarm/bulk/port.test.ts' } as const;
const packing = { file: 'daemon/swarm/exchange/packing.ts', test: 'test/daemon/swarm/exchange/packing.test.ts' } as const;
const pack = 'daemon/content/pack/pack.ts';
const collect = { file: 'daemon/run/seed/collect.ts', test: 'test/daemon/run/seed/collect.test.ts' } as const;
const drift = { file: 'daemon/content/installed/drift.ts', test: 'test/daemon/content/installed/drift.test.ts' } as const;
const journal = 'test/control/journal/journal.test.ts';

export const shellSabotages: readonly Sabotage[] = [
  { id: 'N-5-word-twice', invariant: 'N-5', ...words, find: 'if (number < this.#heard) return;', replace: '' },
  { id: 'N-5-word-early', invariant: 'N-5', ...words, find: 'if (number > this.#heard) return this.#keepEarly(message);', replace: '' },
  { id: 'N-5-words-kept', invariant: 'N-5', ...words, find: 'if (this.#keptBytes + keptBytes * this.#kept.length > backlogBytesMax) return', replace: 'if (false) return' },
  { id: 'N-5-words-early-bound', invariant: 'N-5', ...words, find: 'if (this.#early.length >= earlyMax || this.#earlyBytes > backlogBytesMax) return', replace: 'if (false) return' },
  { id: 'N-5-mark-on-the-stream', invariant: 'N-5', ...words, find: "if (way === 'stream' && number > this.#heard) return", replace: 'if (false) return' },
  { id: 'N-8-bulk-of-another', invariant: 'N-8', ...port, find: 'if (invited?.member !== member) throw', replace: 'if (invited === undefined) throw' },
  { id: 'N-8-bulk-twice', invariant: 'N-8', ...port, find: 'this.#invited.delete(token);', replace: '' },
  { id: 'N-8-bulk-to-another', invariant: 'N-8', ...port, find: 'if (found !== member) throw', replace: 'if (false) throw' },
  { id: 'N-1-unpacked-length', invariant: 'N-1', ...packing, find: 'return plain.length === length ? plain : undefined;', replace: 'return plain;' },
  { id: 'N-1-unpacked-bomb', invariant: 'N-1', ...packing, find: '{ maxOutputLength: length }', replace: '{}' },
  { id: 'N-1-collected-touched', invariant: 'N-1', file: pack, find: ' && !touched.has(id))', replace: ')', test: 'test/daemon/content/pack/collect.test.ts' },
  { id: 'N-1-moved-damaged', invariant: 'N-1', file: pack, find: "if (bytes !== undefined && hash('sha256', bytes) === id) moving.push", replace: 'if (bytes !== undefined) moving.push', test: 'test/daemon/content/pack/collect.test.ts' },
  { id: 'N-1-unsure', invariant: 'N-1', file: pack, find: 'await this.#assure();\n    const distinct', replace: 'const distinct', test: 'test/daemon/content/pack/pack.test.ts' },
  { id: 'N-1-collected-upload', invariant: 'N-1', ...collect, find: 'const inUse = Array.from(chunksInUse());', replace: 'const inUse: Digest[] = [];' },
  { id: 'N-1-collected-unread', invariant: 'N-1', ...collect, find: "if (manifest === undefined) throw new DaemonError('CORRUPT_STATE'", replace: "if (manifest === undefined) continue;\n    if (false) throw new DaemonError('CORRUPT_STATE'" },
  { id: 'N-1-drift-behind-a-link', invariant: 'N-1', ...drift, find: 'requireDirectories(directory, entry.path);\n    if (', replace: 'if (' },
  { id: 'N-1-drift-unverified', invariant: 'N-1', ...drift, find: 'if (!(await holdsAt(scratch, entry, spend))) throw', replace: 'if (false) throw' },
  { id: 'O-1-gap', invariant: 'O-1', file: 'control/journal/reading.ts', find: 'if (first > reached + 1) throw', replace: 'if (false) throw', test: journal },
  { id: 'O-1-left-over', invariant: 'O-1', file: 'control/journal/level.ts', find: 'if (leftover.length > 0) await', replace: 'if (false) await', test: journal },
  { id: 'N-2-request-twice', invariant: 'N-2', file: 'control/trust/member-request.ts', find: 'if (seen.has(key)) throw', replace: 'if (false) throw', test: 'test/contract/trust-enrolment.test.ts' },
  { id: 'R-5-verified-before', invariant: 'R-5', file: 'control/core/automation/verification.ts', find: 'run.verifies !== environment.verifying', replace: 'false', test: 'test/control/core/automation/verification.test.ts' },
  { id: 'R-7-watch-unanswered', invariant: 'R-7', file: 'control/work/guard.ts', find: 'command = errors < consecutiveErrorsMax ? undefined :', replace: 'command = false ? undefined :', test: 'test/control/work/guard.test.ts' },
];
