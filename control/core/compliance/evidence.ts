// Evidence of a decision: which policies were asked, what of each was met and by what. Everything comes from the state as it was when
// it was decided, so that whoever has the journal can find it again (C-2). Folding the journal up to then is the shell's.

import { clauseOf } from './frameworks.ts';
import { evaluateGates, contextOf } from '../gates/gates.ts';
import type { Blocker, BlockerType } from '../gates/gates.ts';
import type { Exemption } from '../gates/blocker.ts';
import { complianceSubject, policiesOf, unmetRule } from '../gates/compliance.ts';
import { isSameSubject } from '../gates/approval.ts';
import { liftedBy } from '../gates/override.ts';
import type { ApprovalRequest, WorkflowRun } from '../model/approval.ts';
import type { Promotion, State } from '../model/model.ts';
import { canonicalText, isSameSet, pick } from '../model/sets.ts';
import type { CompliancePolicy, ComplianceRule, SetMembers } from '../../../proto/pipeline.ts';

/** One policy and what of it was met. */
export interface Finding {
  readonly policy: CompliancePolicy;
  readonly met: boolean;
  /** The request by which it was lifted. */
  readonly lifted?: string;
  readonly rules: readonly { readonly rule: string; readonly clause?: string; readonly missing: readonly string[] }[];
}

export interface Evidence {
  readonly members: SetMembers;
  readonly findings: readonly Finding[];
  readonly requests: readonly ApprovalRequest[];
  readonly runs: readonly WorkflowRun[];
  readonly blockers: readonly Blocker[];
  readonly exemptions: readonly Exemption[];
}

/** Gates about which machines were heard and what they hold: of that nothing is stored. */
const observedOnly: ReadonlySet<BlockerType> = new Set(['targets-offline', 'coverage', 'active-deployment', 'no-targets', 'min-healthy']);

/** What is known of a promotion's decision in this state, at this instant; undefined when its environment is not there. */
export function evidenceOf(state: State, promotion: Promotion, now: number): Evidence | undefined {
  const environment = state.environments.get(promotion.environment);
  if (environment === undefined) return undefined;
  const observed = { now, lastSeen: new Map<string, number>(), since: now };
  const context = contextOf(state, environment, promotion, observed);
  const lifted = liftedBy(context, 'policy');
  const findings = policiesOf(context).map((policy): Finding => {
    const clause = (rule: ComplianceRule): { readonly clause?: string } => {
      const found = clauseOf(policy.framework, rule.rule);
      return found === undefined ? {} : { clause: found };
    };
    const rules = policy.requires.map((rule) => ({ rule: canonicalText(rule), ...clause(rule), missing: unmetRule(context, policy, rule).map(({ what }) => what) }));
    const request = lifted.get(policy.policy);
    return { policy, rules, met: rules.every(({ missing }) => missing.length === 0), ...(request === undefined ? {} : { lifted: request }) };
  });
  const { blockers, exemptions } = evaluateGates(state, promotion, observed);
  return {
    members: context.members,
    findings,
    requests: requestsAbout(state, context.environment.environment, context.members, policiesOf(context).map((policy) => complianceSubject(policy, context))),
    runs: [...state.runs.values()].filter((run) => isSameSet(pick(run.members, Object.keys(context.members)), context.members)),
    blockers: blockers.filter(({ type }) => !observedOnly.has(type)),
    exemptions,
  };
}

/** Requests that let the set, or a part of it, go to the environment. */
function requestsAbout(state: State, environment: string, members: SetMembers, subjects: readonly ApprovalRequest['subject'][]): readonly ApprovalRequest[] {
  return [...state.requests.values()].filter(({ subject }) => {
    if (subjects.some((one) => isSameSubject(one, subject))) return true;
    const within = isSameSet(pick(members, Object.keys(subject.members)), subject.members);
    return within && (subject.destination === environment || subject.destination === undefined);
  });
}
