// Handlers of what people do to one deployment: pause, resume, go on, try again. Looking at deployments, and aborting them,
// is rollout.ts.

import type { Command } from '../../core/commands/command.ts';
import type { State } from '../../core/model/model.ts';
import { answered, found, newId, type ApiOptions, type Handlers } from './api.ts';
import { promotionView } from '../views/views.ts';
import { deploymentSummary } from '../views/deployments.ts';

export function deploymentActionHandlers({ submit }: ApiOptions): Handlers<'pauseDeployment' | 'resumeDeployment' | 'nextBatch' | 'retryDeployment'> {
  const changed = async (actor: string, command: Extract<Command, { readonly deployment: string }>) =>
    answered(await submit(actor, command), (state: State) => ({ body: deploymentSummary(found(state.deployments.get(command.deployment), 'deployment', command.deployment)) }));
  const because = ({ reason }: { readonly reason?: string }) => (reason === undefined ? {} : { reason });
  return {
    pauseDeployment: async ({ params: { deployment }, body, caller }) => await changed(caller.actor, { kind: 'pause-deployment', deployment, ...because(body) }),
    resumeDeployment: async ({ params: { deployment }, body, caller }) => await changed(caller.actor, { kind: 'resume-deployment', deployment, ...because(body) }),
    nextBatch: async ({ params: { deployment }, body, caller }) => await changed(caller.actor, { kind: 'next-batch', deployment, ...because(body) }),
    retryDeployment: async ({ params: { deployment }, body, caller, draw }) => {
      const promotion = newId('pr', draw);
      return answered(await submit(caller.actor, { kind: 'retry-deployment', deployment, promotion, ...because(body) }), (state) => ({
        body: promotionView(state, found(state.promotions.get(promotion), 'promotion', promotion)),
        headers: { location: `/v1/promotions/${promotion}` },
      }));
    },
  };
}
