// Deployments with all their targets, whether the state has them still or only the journal does. What the state puts away is core/evolve/archive.ts.

import type { Deployment } from '../../core/model/deployment.ts';
import { found, type ApiOptions } from './api.ts';

/** @throws {ControlError} NOT_FOUND; whatever `past` throws. */
export type WholeDeployment = (id: string, gone: AbortSignal) => Promise<Deployment>;

/** The last that was read back is remembered: whoever looks through its targets asks for one page after the other. */
export function createWholeDeployment({ facts, past }: { readonly facts: Pick<ApiOptions['facts'], 'state'>; readonly past: ApiOptions['past'] }): WholeDeployment {
  let last: Deployment | undefined;
  return async (id, gone) => {
    const deployment = found(facts.state().deployments.get(id), 'deployment', id);
    const { archived } = deployment;
    if (archived === undefined) return deployment;
    if (last?.deployment === id) return last;
    const then = await past(({ seq }) => seq > archived.head, { signal: gone });
    last = found(then?.state.deployments.get(id), 'deployment', id);
    return last;
  };
}
