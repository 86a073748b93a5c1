// Orders that targets refuse, for people: which, why, and what to do about it.

import type { Refusal } from '../model/deployment.ts';
import type { Member, State } from '../model/model.ts';
import { isFinished } from '../model/phases.ts';

/** What a target refuses now, by deployment: of what is under way in its environments. */
export function refusalsOf(state: State, { member, environments }: Member): readonly { readonly deployment: string; readonly app: string; readonly environment: string; readonly refusal: Refusal }[] {
  return environments.flatMap((name) => {
    const environment = state.environments.get(name);
    return [environment?.activeDeployment, environment?.newestPrefetch].flatMap((id) => {
      const deployment = state.deployments.get(id ?? '');
      const refusal = deployment?.targets.get(member)?.refusal;
      return deployment === undefined || refusal === undefined || isFinished(deployment.phase) ? [] : [{ deployment: deployment.deployment, app: deployment.app, environment: name, refusal }];
    });
  });
}

/** The whole of a refusal for a person. */
export function refusalText(name: string, { seq, code, detail }: Refusal): string {
  return `${name} refuses order ${seq} (${code}): ${detail}; ${refusalAdvice(code, name)}`;
}

const advices: Readonly<Record<string, (name: string) => string>> = {
  CLOCK_SUSPECT: (name) => `set the clock of ${name} (timedatectl there says whether it is synchronised); then it takes the order by itself`,
  METADATA_EXPIRED: (name) => `compare the clocks of ${name} and of the control plane, and see in the control plane's log whether it still signs; then the target takes the order by itself`,
  METADATA_REFUSED: (name) => `the signed metadata does not follow from what ${name} trusts: if the control plane was set up anew, join ${name} again; if not, treat it as an attack`,
  ROLLBACK_REFUSED: (name) => `${name} has seen newer than this control plane knows of: if an old backup was restored, restore the newest one`,
  STATEMENT_REFUSED: (name) => `compare the clocks of ${name} and of the control plane; if they agree, its keys are not those that ${name} trusts: join it again if the control plane was set up anew, else treat it as an attack`,
  WRONG_TRUST_ROOT: (name) => `${name} belongs to another control plane: join it again if this one was set up anew`,
  ORDER_REFUSED: (name) => `it mostly passes within seconds, when ${name} has the newest metadata; if it stays, starlingd's log there says what metadata it does not take`,
  NO_SPACE: (name) => `free space on ${name}, where starlingd keeps its data; then it takes the order by itself`,
  STORAGE_FAILED: (name) => `see whether the disk of ${name} is full, read-only or broken where starlingd keeps its data`,
};

/** What to do about a refusal with this code, of the target with this name. */
export function refusalAdvice(code: string, name: string): string {
  const advice = Object.hasOwn(advices, code) ? advices[code] : undefined;
  return advice?.(name) ?? `starlingd's log on ${name} says more`;
}
