// Handlers of compliance policies and of the evidence that they were kept: the journal is folded up to the entry that decided, and the
// gates are asked again.

import type { CompliancePolicy, Evidence } from '../../../proto/api/approvals.ts';
import type { JournalEntry } from '../../../proto/events.ts';
import { evidenceOf, type Finding } from '../../core/compliance/evidence.ts';
import { lackingOf } from '../../core/compliance/frameworks.ts';
import type { Exemption } from '../../core/gates/blocker.ts';
import type { Promotion, State } from '../../core/model/model.ts';
import { personOf } from '../../core/model/people.ts';
import { descriptionOf } from '../../core/model/revisions.ts';
import { revisionOf } from '../../core/model/select.ts';
import { canonicalText } from '../../core/model/sets.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import type { Caller } from '../auth.ts';
import { pageByKey } from '../paging.ts';
import { approvalView, setDigest } from '../views/approvals.ts';
import { blockerView, membersView } from '../views/governance.ts';

/** The state in which something was decided. */
interface Moment {
  readonly state: State;
  readonly at: number;
  /** The entry that says so; absent when nothing is decided yet. */
  readonly started?: Extract<JournalEntry['event'], { readonly kind: 'deployment.started' }>;
}

export function complianceHandlers({ facts, clock, past }: ApiOptions): Handlers<'listCompliancePolicies' | 'getEvidence'> {
  return {
    listCompliancePolicies: async ({ query: { environment, pipeline, ...query } }) => {
      const pipelines = [...facts.state().pipelines.values()].filter((one) => pipeline === undefined || one.pipeline === pipeline);
      const policies = pipelines.flatMap((one) => one.spec.policies.map((policy): CompliancePolicy => {
        const { breakGlass, environments, requires, ...rest } = policy;
        return { pipeline: one.pipeline, ...rest, environments: [...environments], requires: [...requires], lacks: lackingOf(policy).map((one) => ({ ...one })), ...(breakGlass === undefined ? {} : { breakGlass: { ...breakGlass } }) };
      }));
      const wanted = policies.filter(({ environments }) => environment === undefined || environments.includes(environment));
      const keyOf = (one: CompliancePolicy): string => `${one.pipeline}/${one.policy}`;
      return { body: pageByKey(wanted.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), keyOf, query) };
    },
    getEvidence: async ({ params: { promotion: id }, caller, gone }) => {
      const promotion = found(facts.state().promotions.get(id), 'promotion', id);
      const moment = promotion.deployment === undefined ? undefined : await startOf(past, id, gone);
      // As it was: its phase is that of now.
      const { state, at, started } = moment ?? { state: facts.state(), at: clock.now() };
      return { body: evidenceView({ state, at, ...(started === undefined ? {} : { started }) }, found(state.promotions.get(id), 'promotion', id), promotion.phase, caller) };
    },
  };
}

/** When a promotion was let go: the first of its deployments, since the others follow from that one. */
async function startOf(past: ApiOptions['past'], id: string, signal: AbortSignal): Promise<Moment | undefined> {
  const then = await past(({ event }) => event.kind === 'deployment.started' && event.promotion === id, { signal });
  return then?.entry.event.kind === 'deployment.started' ? { state: then.state, at: then.entry.at, started: then.entry.event } : undefined;
}

function evidenceView({ state, at, started }: Moment, promotion: Promotion, phase: string, caller: Caller): Evidence {
  const evidence = found(evidenceOf(state, promotion, at), 'environment', promotion.environment);
  const recorded = (started?.exemptions ?? []).map(exemptionView);
  const exemptions = evidence.exemptions.map(exemptionView);
  return {
    promotion: promotion.promotion,
    environment: promotion.environment,
    phase,
    set: setDigest(evidence.members),
    members: membersView(state, evidence.members),
    by: personOf(state, promotion.by),
    ...(promotion.reason === undefined ? {} : { reason: promotion.reason }),
    started: started !== undefined,
    decidedAt: at,
    asOf: state.head,
    policies: evidence.findings.map(findingView),
    revisions: Object.entries(evidence.members).map(([app, revision]) => revisionEvidence(state, app, revision)),
    approvals: evidence.requests.map((request) => approvalView(state, request, caller, at)),
    runs: evidence.runs.map(({ run, workflow, environment, phase: ended, startedAt, finishedAt, steps }) => ({
      run, workflow, environment, phase: ended, startedAt, ...(finishedAt === undefined ? {} : { finishedAt }), steps: steps.map((step) => ({ step: step.step, phase: step.phase })),
    })),
    exemptions,
    recorded,
    blockers: evidence.blockers.map(blockerView),
    reproduced: started !== undefined && evidence.blockers.length === 0 && sameExemptions(exemptions, recorded),
  };
}

function sameExemptions(a: Evidence['exemptions'], b: Evidence['exemptions']): boolean {
  return canonicalText(a.map(canonicalText).toSorted()) === canonicalText(b.map(canonicalText).toSorted());
}

function exemptionView({ gate, why, ref }: Pick<Exemption, 'ref'> & { readonly gate: string; readonly why: string }) {
  return { gate, why, ...(ref === undefined ? {} : { ref }) };
}

function findingView({ policy, met, lifted, rules }: Finding): Evidence['policies'][number] {
  const { policy: name, framework, version, mode } = policy;
  return { policy: name, framework, version, mode, met, ...(lifted === undefined ? {} : { lifted }), rules: rules.map(({ rule, clause, missing }) => ({ rule, ...(clause === undefined ? {} : { clause }), met: missing.length === 0, missing: [...missing] })) };
}

function revisionEvidence(state: State, app: string, revision: string): Evidence['revisions'][number] {
  const record = revisionOf(state, app, revision);
  const known = descriptionOf(state, record);
  return {
    app,
    number: record?.number ?? 0,
    revision,
    createdAt: record?.createdAt ?? 0,
    createdBy: personOf(state, record?.createdBy ?? ''),
    changes: (known?.changes ?? []).map((change) => ({ ...change })),
    signedBy: [...(known?.signedBy ?? [])],
  };
}
