// Checks of what is told of the past: the chain of the audit, progress of changes, decisions made again, and where a rollback may go.

import type { Sabotage } from './sabotage.ts';

const chain = 'test/proto/audit-chain.test.ts';
const changes = 'test/control/core/history/changes.test.ts';
const replay = 'test/control/core/history/replay.test.ts';
const environment = 'test/control/core/history/environment.test.ts';
const history = 'control/core/history/';

export const historySabotages: readonly Sabotage[] = [
  { id: 'O-1-edited', invariant: 'O-1', file: 'proto/audit-chain.ts', find: 'if (hashOf(line, this.#digest) !== hash) return', replace: 'if (hash === undefined) return', test: chain },
  { id: 'O-1-linked', invariant: 'O-1', file: 'proto/audit-chain.ts', find: 'if (prevHash === expected) return undefined;', replace: 'return undefined;', test: chain },
  { id: 'O-1-missing', invariant: 'O-1', file: 'proto/audit-chain.ts', find: 'if (last === undefined || seq === last + 1) return undefined;', replace: 'return undefined;', test: chain },
  { id: 'O-1-checkpoint', invariant: 'O-1', file: 'proto/audit-chain.ts', find: 'if (kept === undefined || kept.seq !== line.seq || kept.hash === line.hash) return undefined;', replace: 'return undefined;', test: chain },
  { id: 'O-4-once', invariant: 'O-4', file: `${history}changes.ts`, find: '.filter(({ commit }) => !seen.has(commit));', replace: ';', test: changes },
  { id: 'O-4-since', invariant: 'O-4', file: `${history}course.ts`, find: 'floor = Math.min(floor, number);', replace: 'floor = number;', test: changes },
  { id: 'O-4-prefetch', invariant: 'O-4', file: `${history}course.ts`, find: "if (deployment.type === 'catch-up' || deployment.type === 'prefetch') continue;", replace: "if (deployment.type === 'catch-up') continue;", test: changes },
  { id: 'C-1-rollback-known', invariant: 'C-1', file: 'control/core/answers/promotion.ts', find: 'if (good.has(revision)) continue;', replace: 'continue;', test: environment },
  { id: 'C-2-silent-recorded', invariant: 'C-2', file: 'control/core/rollout/seen.ts', find: '...(silent.length === 0 ? {} : { silent })', replace: '', test: replay },
  { id: 'C-2-head-recorded', invariant: 'C-2', file: 'control/core/rollout/seen.ts', find: 'head: state.head', replace: 'head: state.head - 1', test: replay },
];
