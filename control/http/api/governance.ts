// Every handler of what holds promotions back and of what people say to them, put together for the server.

import type { ApiOptions } from './api.ts';
import { approvalHandlers, overrideHandlers } from './approvals.ts';
import { complianceHandlers } from './compliance.ts';
import { gateHandlers } from './gate.ts';
import { freezeHandlers, holdHandlers, lockHandlers, pinHandlers } from './restraints.ts';
import { revisionHandlers } from './revisions.ts';
import { automationHandlers, promotionConfigHandlers } from './switches.ts';
import { windowHandlers } from './windows.ts';

/** The handlers of operations-governance.ts, and of the gate. */
export function governanceHandlers(options: ApiOptions) {
  return {
    ...gateHandlers(options),
    ...lockHandlers(options),
    ...holdHandlers(options),
    ...pinHandlers(options),
    ...freezeHandlers(options),
    ...promotionConfigHandlers(options),
    ...automationHandlers(options),
    ...windowHandlers(options),
    ...approvalHandlers(options),
    ...overrideHandlers(options),
    ...complianceHandlers(options),
    ...revisionHandlers(options),
  };
}
