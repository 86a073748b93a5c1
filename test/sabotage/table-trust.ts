// Sabotages of what stands between a stranger and a machine: what is believed, what is installed, who is let in.

import type { Sabotage } from './sabotage.ts';

const order = { file: 'daemon/trust/statements/order.ts', test: 'test/contract/trust-statements.test.ts' } as const;
const statement = { file: 'daemon/trust/statements/statements.ts', test: 'test/contract/trust-statements.test.ts' } as const;
const believed = { file: 'daemon/trust/file-trust.ts', test: 'test/daemon/trust/file-trust.test.ts' } as const;
const role = { file: 'daemon/trust/tuf/environment-role.ts', test: 'test/daemon/trust/tuf/trusted-set-details.test.ts' } as const;
const json = { file: 'daemon/trust/strict-json.ts', test: 'test/daemon/trust/tuf/tuf-file.test.ts' } as const;
const upload = { file: 'daemon/upload/sessions.ts', test: 'test/daemon/upload/sessions.test.ts' } as const;
const install = 'test/daemon/install/install.test.ts';
const access = 'test/control/http/access.test.ts';

export const trustSabotages: readonly Sabotage[] = [
  { id: 'N-8-order-for-others', invariant: 'N-8', ...order, find: 'if (!order.targets.includes(audience.member)) throw', replace: 'if (false) throw' },
  { id: 'N-8-order-elsewhere', invariant: 'N-8', ...order, find: 'if (!audience.environments.includes(order.environment)) throw', replace: 'if (false) throw' },
  { id: 'N-8-order-newer-role', invariant: 'N-8', ...order, find: 'if (authorised.version < order.roleVersion) throw', replace: 'if (false) throw' },
  { id: 'N-8-order-other-number', invariant: 'N-8', ...order, find: 'if (entry.number !== order.revisionNumber) throw', replace: 'if (false) throw' },
  { id: 'N-8-order-stale', invariant: 'N-8', ...order, find: "if (order.action !== 'rollback') checkFresh", replace: 'if (false) checkFresh', test: 'test/contract/trust.test.ts' },
  { id: 'N-8-certificate-of-another', invariant: 'N-8', ...statement, find: 'if (payload.member !== peerId) throw', replace: 'if (false) throw' },
  { id: 'N-8-certificate-elsewhere', invariant: 'N-8', ...statement, find: 'if (payload.org !== keys.org) throw', replace: 'if (false) throw' },
  { id: 'N-8-second-life', invariant: 'N-8', ...statement, find: 'const time = Math.max(now, floor);', replace: 'const time = now;', test: 'test/contract/trust.test.ts' },
  { id: 'N-2-order-again', invariant: 'N-2', ...believed, find: 'if (seq <= seen) throw', replace: 'if (false) throw', test: statement.test },
  { id: 'N-8-roster-again', invariant: 'N-8', ...believed, find: 'if (roster.epoch < held) throw', replace: 'if (false) throw', test: statement.test },
  { id: 'N-8-other-root', invariant: 'N-8', ...believed, find: 'if (this.#pin !== found) {', replace: 'if (false) {' },
  { id: 'N-8-downgrade', invariant: 'N-8', ...role, find: 'number < before.highest && !downgrade', replace: 'false', test: 'test/daemon/trust/tuf/trusted-set.test.ts' },
  { id: 'N-8-delegates-further', invariant: 'N-8', ...role, find: 'if (file.metadata.signed.delegations !== undefined) throw', replace: 'if (false) throw' },
  { id: 'N-8-key-twice', invariant: 'N-8', ...json, find: 'if (names?.has(name) === true) throw', replace: 'if (false) throw' },
  { id: 'N-8-nested', invariant: 'N-8', ...json, find: 'if (open.length > depthMax) throw', replace: 'if (false) throw' },
  { id: 'N-8-session-of-another', invariant: 'N-8', ...upload, find: ' || session.user !== grant.user', replace: '' },
  { id: 'N-8-upload-bomb', invariant: 'N-8', ...upload, find: '{ maxOutputLength: bytesMax }', replace: '{}' },
  { id: 'N-1-upload-file', invariant: 'N-1', ...upload, find: 'if (found !== entry.digest) throw', replace: 'if (false) throw' },
  { id: 'N-1-torn-record', invariant: 'N-1', file: 'daemon/install/journal/journal.ts', find: 'index === lines.length - 1 ? undefined : decodeLine(line)', replace: 'decodeLine(line)', test: 'test/daemon/install/journal/journal.test.ts' },
  { id: 'N-3-order-too-late', invariant: 'N-3', file: 'daemon/install/releases.ts', find: 'app.tools.clock.now() > notAfterMs', replace: 'false', test: install, name: 'orders' },
  { id: 'N-3-shared-detour', invariant: 'N-3', file: 'daemon/install/layout.ts', find: "if (kind !== undefined && kind !== 'directory') {", replace: 'if (false) {', test: install, name: 'leads through a link of the release' },
  { id: 'N-3-owner-late', invariant: 'N-3', file: 'daemon/install/machine/owner.ts', find: "await disk.writeSynced(own, '');", replace: "await Promise.resolve().then(() => setImmediate(() => void disk.writeSynced(own, '')));", test: 'test/daemon/owner.test.ts' },
  { id: 'N-3-owner-not-ours', invariant: 'N-3', file: 'daemon/install/application.ts', find: "this.#owned ? how : 'leave'", replace: 'how', test: install, name: 'leave alone what runs under the root' },
  { id: 'N-1-installed-changed', invariant: 'N-1', file: 'daemon/content/installed/installed.ts', find: "(done === 'read' && hash('sha256', bytes) === id)", replace: "done === 'read'", test: 'test/daemon/content/installed/installed.test.ts' },
  { id: 'N-1-installed-run-changed', invariant: 'N-1', file: 'daemon/content/installed/installed.ts', find: "(done === 'read' && taken.every((place, at) => hash('sha256', place) === ids[at]))", replace: "done === 'read'", test: 'test/daemon/content/installed/installed.test.ts' },
  { id: 'H-4-token-revoked', invariant: 'H-4', file: 'control/http/auth.ts', find: 'if (known.revoked) throw', replace: 'if (false) throw', test: 'test/control/http/api.test.ts' },
  { id: 'H-4-token-expired', invariant: 'H-4', file: 'control/http/auth.ts', find: 'if (expiresAt <= this.#options.clock.now()) throw', replace: 'if (false) throw', test: access },
  { id: 'H-4-guessing', invariant: 'H-4', file: 'control/http/throttle.ts', find: 'found.count < failuresMax', replace: 'true', test: 'test/control/http/throttle.test.ts' },
  { id: 'H-6-never-asked', invariant: 'H-6', file: 'control/outbound.ts', find: 'if (isIP(host) !== 0) check(host, host);', replace: '', test: 'test/control/outbound.test.ts' },
  { id: 'H-4-key-of-another-request', invariant: 'H-4', file: 'control/http/idempotency.ts', find: 'if (found.request !== sha256(request)) return', replace: 'if (false) return', test: 'test/control/http/idempotency.test.ts' },
];
