// Why targets whose turn it is are not told to act, for people, from the functions that decide it.

import { allowed, balanceOf, downAtOnceOf, maxParallelOf, minHealthyOf } from '../batches/arithmetic.ts';
import type { Balance } from '../batches/arithmetic.ts';
import { quietAfterOf } from '../batches/batches.ts';
import { heardFirst, isToldBack } from '../rollout/way-back.ts';
import type { Deployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isDone, isWayBack } from '../model/phases.ts';
import { heardAt, isSilent } from '../model/select.ts';
import type { Observed } from '../model/select.ts';

/** Targets named in one sentence. */
const namedMax = 5;

/** What holds those whose turn it is; undefined when nothing does, or nobody is left. */
export function heldBack(state: State, deployment: Deployment, observed: Observed): string | undefined {
  const pending = pendingTargets(deployment);
  if (pending.length === 0) return undefined;
  const balance = balanceOf(state, deployment, observed.now);
  const next = heardFirst(deployment, pending, observed);
  if (allowed(deployment, balance, next).length > 0) return undefined;
  return `${next.length === 1 ? '1 target waits' : `${next.length} targets wait`}${whyHeld(deployment, balance, next.length)}`;
}

/** Those whose turn it is, and who were not told yet. */
function pendingTargets(deployment: Deployment): readonly string[] {
  const batch = deployment.batches.find((one) => one.phase === 'running');
  return (deployment.rollback?.targets ?? batch?.targets ?? []).filter((member) => {
    const target = deployment.targets.get(member);
    return target !== undefined && !isToldBack(deployment, target) && (deployment.rollback !== undefined || !isDone(target));
  });
}

function whyHeld(deployment: Deployment, balance: Balance, count: number): string {
  const { config, environment, deployment: id } = deployment;
  const parallel = maxParallelOf(config, balance.total);
  if (balance.inFlight.size + balance.inherited.size >= parallel) return ` for ${count === 1 ? 'its' : 'their'} turn: ${parallel} may change at once (maxParallel)`;
  const healthy = minHealthyOf(config, balance.total);
  if (!isWayBack(deployment)) return `: ${balance.serving.size} of ${balance.total} serve, and ${healthy} must (minHealthy); bring back those that do not (\`starling env drift ${environment}\`), or \`starling deployment abort ${id}\``;
  const many = downAtOnceOf(config, balance);
  return `: ${balance.takenDown} that were told to go back do not serve since, and ${many === 1 ? 'one' : many} may be down for that at once (minHealthy); \`starling deployment get ${id}\` says what is wrong with them`;
}

/** Who, on the way back, is told only when all others are back, since it cannot be heard. */
export function cannotBeHeard(state: State, deployment: Deployment, observed: Observed): string | undefined {
  if (!isWayBack(deployment)) return undefined;
  const away = pendingTargets(deployment).filter((member) => isSilent(observed, member, quietAfterOf(deployment.config)));
  if (away.length === 0) return undefined;
  const texts = away.slice(0, namedMax).map((member) => `${state.members.get(member)?.name ?? member} for ${Math.round((observed.now - heardAt(observed, member)) / 1000)} s`);
  return `${away.length === 1 ? '1 target was' : `${away.length} targets were`} not heard (${texts.join(', ')}${away.length > namedMax ? ', …' : ''}): nobody waits for that, and the order to go back stays there for it; see whether starlingd runs there`;
}
