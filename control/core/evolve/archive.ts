// What the state forgets: the targets of deployments that are long over. Ten thousand of them take some megabytes, and a journal has no end, so
// that all of them would at last fill any memory. Their sums stay; who wants more is answered from the journal (control/run/past.ts).

import type { Draft, Mutable } from './draft.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment } from '../model/model.ts';
import { isFinished } from '../model/phases.ts';
import { deploymentProgress } from '../model/select.ts';

/** Deployments of an environment that keep their targets: as many as somebody looks back through by hand. */
export const wholeMax = 200;
/** Their targets together, some fifty megabytes: five deployments to ten thousand machines. */
export const wholeTargetsMax = 50_000;

/** Called when a deployment begins: those before it that are too many for the two bounds lose their targets, the oldest first. */
export function foldArchive(draft: Draft, environment: Mutable<Environment>, begun: string): void {
  const whole = [...(environment.whole ?? []), begun];
  // Its orders are still delivered: whoever comes back says what became of them.
  const ordered = new Set(draft.orders(environment.environment).map(({ deployment }) => deployment));
  let targets = 0;
  const kept = whole.toReversed().filter((id, index) => {
    const one = draft.deployments.get(id);
    if (one === undefined) return false;
    targets += one.targets.size;
    if (index < wholeMax && targets <= wholeTargetsMax) return true;
    if (!isOver(one, environment) || ordered.has(id)) return true;
    archive(draft, one);
    return false;
  });
  environment.whole = kept.toReversed();
}

function isOver({ deployment, phase, cancels }: Deployment, { newestDeployment, newestPrefetch }: Environment): boolean {
  return isFinished(phase) && cancels.length === 0 && deployment !== newestDeployment && deployment !== newestPrefetch;
}

function archive(draft: Draft, { deployment, batches, rollback }: Deployment): void {
  const one = draft.deployments.edit(deployment);
  if (one === undefined) return;
  one.archived = { head: draft.head, progress: deploymentProgress(one) };
  one.targets = new Map();
  one.batches = batches.map((batch) => ({ ...batch, size: batch.targets.length, targets: [] }));
  if (rollback !== undefined) one.rollback = { ...rollback, targets: [] };
}
