// What a deployment's configuration says of its batches and of what stops it, with what is left out filled in. The
// arithmetic on numbers of targets is arithmetic.ts.

import type { DeploymentConfig } from '../../../proto/events.ts';
import { limits } from '../../../proto/limits.ts';
import type { AutoRollback, BatchSpec, HealthCheckSpec, Share, VerificationEnd } from '../../../proto/rollout-config.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';

const whole: BatchSpec = { size: '100%' };

/** The batches of a configuration, each with all that it says. */
export function batchSpecs({ batches }: Pick<DeploymentConfig, 'batches'>): readonly BatchSpec[] {
  return batches.map((batch) => (typeof batch === 'object' ? batch : { size: batch }));
}

/** The batches of a rollback that somebody asked for: one, unless canaries are to go first there too. */
export function rollbackSpecs(config: DeploymentConfig): readonly BatchSpec[] {
  if (config.rollback?.skipCanary !== false) return [whole];
  return [...batchSpecs(config).filter((batch) => batch.canary === true), whole];
}

/** The sizes of these batches. */
export function sizesOf(specs: readonly BatchSpec[]): readonly Share[] {
  return specs.map(({ size }) => size);
}

/** What the configuration says of one batch of a deployment. */
export function specOf({ type, config }: Pick<Deployment, 'type' | 'config'>, index: number): BatchSpec {
  const specs = type === 'catch-up' ? [whole] : type === 'rollback' ? rollbackSpecs(config) : batchSpecs(config);
  return specs[index] ?? whole;
}

/** The health checks that the targets of a batch make beside those of their deploy spec. What goes back makes none: an older release may not know of them. */
export function checksOf(deployment: Pick<Deployment, 'type' | 'config'>, index: number): readonly HealthCheckSpec[] {
  const { type, config } = deployment;
  if (type === 'rollback' || config.healthChecks === undefined) return [];
  const named = new Set(batchSpecs(config).map(({ check }) => check));
  return config.healthChecks.filter(({ name }) => !named.has(name) || specOf(deployment, index).check === name);
}

/** How a batch is called for people: `batch 2 of 3`, with its name where it has one. */
export function batchText(deployment: Pick<Deployment, 'type' | 'config' | 'batches'>, index: number): string {
  const { name } = specOf(deployment, index);
  return `batch ${index + 1} of ${deployment.batches.length}${name === undefined ? '' : ` (${name})`}`;
}

/** For how long a batch bakes; the last one only where that is said of it, since nothing comes after it. */
export function bakeMsOf(deployment: Pick<Deployment, 'type' | 'config' | 'batches'>, index: number): number {
  const { config, type, batches } = deployment;
  const plain = index === batches.length - 1 ? 0 : config.bakeMs;
  const skipped = type === 'rollback' && config.rollback?.skipBake !== false;
  return Math.max(config.minHealthyTimeMs ?? 0, skipped ? 0 : (specOf(deployment, index).bakeMs ?? plain));
}

/** Why a deployment stopped: content judged bad by targets, machinery that failed, an alarm, or how the workflow over a batch ended. */
export type Cause = 'health' | 'error' | 'alarm' | `verification-${VerificationEnd}`;

/** Whether it goes back by itself for this cause (R-7). */
export function rollsBackOn({ autoRollback }: Pick<DeploymentConfig, 'autoRollback'>, cause: Cause): boolean {
  const rule = autoRollbackOf(autoRollback);
  if (cause === 'health') return rule.onHealth;
  // Where an alarm is written to take it back, that goes before the rule; core asks only of those.
  if (cause === 'alarm') return true;
  return cause === 'error' ? rule.onError : rule.onVerification.some((end) => cause === `verification-${end}`);
}

/** The rule in full. */
export function autoRollbackOf(autoRollback: DeploymentConfig['autoRollback']): AutoRollback {
  if (typeof autoRollback === 'object') return autoRollback;
  return { onHealth: autoRollback, onError: false, onVerification: autoRollback ? ['failed'] : [] };
}

/** Codes of targets that say something about the release; every other code is about the machine or the way to it. */
const contentCodes: ReadonlySet<string> = new Set(['HEALTH_FAILED', 'HOOK_FAILED', 'ACTIVATION_FAILED', 'HEALTHY_DEADLINE']);

/** Whether a target that failed says something bad about what it was given. */
export function judgesContent({ phase, code }: Pick<TargetDeployment, 'phase' | 'code'>): boolean {
  if (code !== undefined) return contentCodes.has(code);
  return phase === 'failed' || phase === 'rolled-back' || phase === 'inconsistent';
}

/** After how long of silence nobody waits for a target who need not: longer than any pause between two polls. */
export function quietAfterOf(config: Pick<DeploymentConfig, 'lostAfterMs' | 'unreachable'>): number {
  return Math.min(limits.unheardMs, lostAfterOf(config));
}

/** After how long a silent target counts as lost. */
export function lostAfterOf({ lostAfterMs, unreachable }: Pick<DeploymentConfig, 'lostAfterMs' | 'unreachable'>): number {
  return unreachable?.afterMs ?? lostAfterMs;
}
