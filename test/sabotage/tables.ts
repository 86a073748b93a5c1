// All sabotages together.

import type { Sabotage } from './sabotage.ts';
import { gateSabotages } from './table-gates.ts';
import { historySabotages } from './table-history.ts';
import { rolloutSabotages } from './table-rollout.ts';
import { shellSabotages } from './table-shell.ts';
import { trustSabotages } from './table-trust.ts';
import { workSabotages } from './table-work.ts';

/** Each check that is taken out in turn. */
export const sabotages: readonly Sabotage[] = [...gateSabotages, ...rolloutSabotages, ...historySabotages, ...workSabotages, ...shellSabotages, ...trustSabotages];
