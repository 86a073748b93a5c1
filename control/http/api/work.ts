// Handlers of the workers' side: leases on work, and what comes of them. What is handed out is control/work/desk.ts.

import type { WorkDesk } from '../../work/desk.ts';
import type { WorkLogs } from '../../work/logs.ts';
import { newId, type Handlers } from './api.ts';

export interface WorkOptions {
  readonly desk: WorkDesk;
  readonly logs: WorkLogs;
}

export function workHandlers({ desk }: WorkOptions): Handlers<'leaseWork' | 'renewWork' | 'writeWorkLog' | 'reportWork'> {
  return {
    leaseWork: async ({ body, caller, draw, gone }) => {
      const work = await desk.lease(caller.actor, body, newId('lease', draw), { signal: gone });
      return { body: work === undefined ? {} : { work } };
    },
    renewWork: async ({ params: { lease } }) => ({ body: desk.renew(lease) }),
    writeWorkLog: async ({ params: { lease }, body: { offset, text } }) => ({ body: await desk.log(lease, offset, text) }),
    reportWork: async ({ params: { lease }, body, caller }) => {
      await desk.report(caller.actor, lease, body);
      return { body: undefined };
    },
  };
}
