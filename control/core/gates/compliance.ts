// Compliance: what policies demand of a set before it may come to an environment, by whatever way (C-1). Policies that
// only observe are answered too, and hold nothing (C-3). Everything asked is in stored data (C-2).

import type { ApprovalSubject } from '../../../proto/events-pipeline.ts';
import type { CompliancePolicy, ComplianceRule } from '../../../proto/pipeline.ts';
import type { ApprovalRequest } from '../model/approval.ts';
import { revisionKey } from '../model/pipeline.ts';
import { authorsOf, isAmong, personOf } from '../model/people.ts';
import { canonicalText } from '../model/sets.ts';
import { hasSucceeded, isSameSubject } from './approval.ts';
import type { Blocker, Exemption, GateAnswer, GateContext } from './blocker.ts';
import { numberOf, passes } from './blocker.ts';
import { liftedBy } from './override.ts';
import { counted, unfilled } from './votes.ts';

/** The policies of an environment. */
export function policiesOf({ place, environment }: Pick<GateContext, 'place' | 'environment'>): readonly CompliancePolicy[] {
  return (place?.pipeline.spec.policies ?? []).filter((policy) => policy.environments.includes(environment.environment));
}

/** What a request for the approvals of a policy is about. */
export function complianceSubject(policy: CompliancePolicy, { environment, members }: Pick<GateContext, 'environment' | 'members'>): ApprovalSubject {
  return { purpose: 'compliance', source: environment.environment, members, destination: environment.environment, policy: canonicalText(policy) };
}

/** Whether every policy that is enforced here is met. */
export function compliant(context: GateContext): GateAnswer {
  const policies = policiesOf(context);
  if (policies.length === 0) return passes;
  const lifted = liftedBy(context, 'policy');
  const blockers: Blocker[] = [];
  const exemptions: Exemption[] = [];
  for (const policy of policies) {
    const unmet = policy.requires.flatMap((rule) => unmetRule(context, policy, rule));
    const first = unmet[0];
    if (first === undefined) continue;
    const request = lifted.get(policy.policy);
    if (policy.mode === 'observe') exemptions.push({ gate: 'compliance', why: 'observe', ref: `${policy.policy}: ${unmet.map((one) => one.what).join('; ')}` });
    else if (request !== undefined) exemptions.push({ gate: 'compliance', why: 'override', ref: request });
    else blockers.push(blockerOf(context, policy, unmet));
  }
  return { blockers, exemptions };
}

/** In words, what the policies that are enforced here demand and is not so; of one by name, whatever environments it is for. */
export function unmetPolicies(context: GateContext, name?: string): readonly string[] {
  const policies = name === undefined ? policiesOf(context).filter((policy) => policy.mode === 'enforce') : (context.place?.pipeline.spec.policies ?? []).filter((policy) => policy.policy === name);
  if (name !== undefined && policies.length === 0) return [`there is no policy '${name}' in this pipeline`];
  return policies.flatMap((policy) => policy.requires.flatMap((rule) => unmetRule(context, policy, rule)).map((one) => `policy '${policy.policy}': ${one.what}`));
}

function blockerOf({ candidate }: GateContext, policy: CompliancePolicy, unmet: readonly Unmet[]): Blocker {
  const { breakGlass } = policy;
  const reason = `${policy.framework} policy '${policy.policy}' is not met: ${unmet.map((one) => one.what).join('; ')}`;
  const actors = [...unmet.flatMap((one) => one.actors), ...(breakGlass === undefined ? [] : [`group:${breakGlass.group}`])];
  return { type: 'compliance', reason, since: candidate.createdAt, ref: policy.policy, actors: [...new Set(actors)] };
}

/** One thing that is missing, and who could bring it. */
export interface Unmet {
  readonly what: string;
  readonly actors: readonly string[];
}

/** What of one demand of a policy is not met; empty when it is. */
export function unmetRule(context: GateContext, policy: CompliancePolicy, rule: ComplianceRule): readonly Unmet[] {
  const { state, members, candidate } = context;
  switch (rule.rule) {
    case 'approvals': {
      const request = complianceRequest(context, policy);
      // All demands of the policy together: one person in two groups fills one place.
      const rules = policy.requires.flatMap((one) => (one.rule === 'approvals' ? [{ group: one.group, count: one.count }] : []));
      const missing = request?.status === 'approved' ? unfilled({ ...request, rules }) : [rule];
      return missing.every(({ group }) => group !== rule.group) ? [] : [{ what: `${rule.count} of group '${rule.group}' must approve`, actors: [`group:${rule.group}`] }];
    }
    case 'separationOfDuties':
      return separated(context, policy);
    case 'signedArtifacts': {
      const unsigned = Object.entries(members).filter(([app, digest]) => !(state.descriptions.get(revisionKey(app, digest))?.signedBy ?? []).some((key) => rule.keys.includes(key)));
      return unsigned.map(([app, digest]) => ({ what: `${app}@${numberOf(state, app, digest)} is not signed by ${rule.keys.join(' or ')}`, actors: [] }));
    }
    case 'testedIn': {
      return hasSucceeded(state, rule.environment, members) ? [] : [{ what: `this set was not tested in '${rule.environment}'`, actors: [`promote:env/${rule.environment}`] }];
    }
    case 'ticket': {
      // People write `CHG-7: new prices` and `closes (CHG-7).`
      const words = (candidate.reason ?? '').slice(0, 1000).split(/[\s,;()[\]]+/).flatMap((word) => [word, word.replace(/[.:!?]$/, '')]);
      const pattern = new RegExp(`^(?:${rule.pattern})$`);
      return words.some((word) => pattern.test(word)) ? [] : [{ what: `the promotion's reason names no ticket like ${rule.pattern}`, actors: candidate.by === undefined ? [] : [personOf(state, candidate.by)] }];
    }
    default:
      return rule satisfies never;
  }
}

/** Nobody who wrote a change, or asked for the promotion, is among those who approved it. */
function separated(context: GateContext, policy: CompliancePolicy): readonly Unmet[] {
  const { candidate, state } = context;
  const request = complianceRequest(context, policy);
  if (request === undefined) return [];
  const involved = [...authorsOf(context), ...(candidate.by === undefined ? [] : [personOf(state, candidate.by)])];
  const both = counted(request).filter((vote) => isAmong(involved, vote.by));
  return both.map((vote) => ({ what: `${vote.by} approved what ${vote.by} wrote or asked for`, actors: [] }));
}

function complianceRequest(context: GateContext, policy: CompliancePolicy): ApprovalRequest | undefined {
  const subject = complianceSubject(policy, context);
  return [...context.state.requests.values()].findLast((request) => isSameSubject(request.subject, subject));
}
