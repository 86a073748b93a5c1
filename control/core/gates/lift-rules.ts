// Who may lift a window, a freeze or a policy, and for how long: as what is lifted says now. An override asked for under other rules counts no longer.

import type { ApprovalRule, SetMembers } from '../../../proto/pipeline.ts';
import type { State } from '../model/model.ts';
import { canonicalText } from '../model/sets.ts';
import { edgeOf, placeOf, windowsOf } from './place.ts';

/** Who must say so, and how long it then counts. */
export interface Demand {
  readonly rule: ApprovalRule;
  readonly forMs: number;
  /** Whether its use is to be reviewed. */
  readonly review?: true;
}

/** An override of a window or a freeze counts for this long after it was approved. */
const overrideForMs = 24 * 3_600_000;

/** What each of `lifts`, such as `window:business-hours`, demands for a set in an environment; undefined where it names nobody. */
export function demandsOf(state: State, environment: string, members: SetMembers, lifts: readonly string[]): readonly (Demand | undefined)[] {
  return lifts.map((what) => Object.keys(members).map((app) => demandOf(state, environment, app, what)).find((demand) => demand !== undefined));
}

/** The rules of an override as the text that its request is about; undefined when somebody is named no longer. */
export function liftPolicy(lifts: readonly string[], demands: readonly (Demand | undefined)[]): string | undefined {
  const rules = demands.flatMap((demand) => (demand === undefined ? [] : [demand.rule]));
  return rules.length < lifts.length ? undefined : canonicalText({ lifts, rules });
}

function demandOf(state: State, environment: string, app: string, what: string): Demand | undefined {
  const [kind = '', ...rest] = what.split(':');
  const name = rest.join(':');
  const place = placeOf(state, environment);
  if (kind === 'freeze') {
    const rule = state.freezes.get(name)?.breakGlass;
    return rule === undefined ? undefined : { rule, forMs: overrideForMs };
  }
  if (place === undefined) return undefined;
  if (kind === 'window') {
    const rule = windowsOf(place, edgeOf(state, environment, app)).find((window) => window.window === name)?.override;
    return rule === undefined ? undefined : { rule, forMs: overrideForMs };
  }
  const glass = kind === 'policy' ? place.pipeline.spec.policies.find((policy) => policy.policy === name)?.breakGlass : undefined;
  return glass === undefined ? undefined : { rule: { group: glass.group, count: glass.count }, forMs: glass.expiresMs, ...(glass.requireReview === undefined ? {} : { review: glass.requireReview }) };
}
