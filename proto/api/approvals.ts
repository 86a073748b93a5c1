// Requests for approval with what was said to them, overrides, compliance policies, and the evidence of a decision.
// People are names of tokens; groups are those that a token carries, as it was when somebody voted.

import Type, { type Static } from 'typebox';
import type { ComplianceRule } from '../pipeline.ts';
import { ChangeSchema } from './revisions.ts';
import { MembersSchema, RuleSchema } from './restraints.ts';
import { BlockerSchema, Count, DigestText, Id, Instant, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';

export const approvalStatuses = ['open', 'approved', 'rejected', 'expired', 'invalidated', 'cancelled', 'revoked'] as const;
export const approvalPurposes = ['promotion', 'step', 'compliance', 'override'] as const;

export const VoteSchema = Type.Object(
  { by: Type.String(), decision: oneOf(['approve', 'reject']), groups: Type.Array(Type.String()), comment: Type.Optional(Type.String()), at: Instant, revokedAt: Type.Optional(Instant) },
  strict,
);

export const ApprovalSchema = Type.Object(
  {
    approval: Id,
    purpose: oneOf(approvalPurposes),
    status: oneOf(approvalStatuses),
    /** Where it lets the set go; absent: everywhere. */
    environment: Type.Optional(Name),
    /** Where the set is: an environment, or `app:<name>`. */
    source: Type.String(),
    /** sha2-256 of the set's canonical text: what exactly is approved. */
    set: DigestText,
    members: MembersSchema,
    /** Changes in it that the environment does not run yet, newest first, as far as they are known. */
    changes: Type.Array(ChangeSchema),
    /** Who must say yes, and how many of that are missing. */
    rules: Type.Array(RuleSchema),
    missing: Type.Array(RuleSchema),
    votes: Type.Array(VoteSchema),
    /** Not counted: who wrote or asked for a part of it. */
    excluded: Type.Array(Type.String()),
    openedAt: Instant,
    by: Type.String(),
    reason: Type.Optional(Type.String()),
    expiresAt: Type.Optional(Instant),
    settledAt: Type.Optional(Instant),
    outcome: Type.Optional(Type.String()),
    run: Type.Optional(Type.String()),
    step: Type.Optional(Type.String()),
    /** Of overrides: `window:<name>`, `freeze:<id>`, `policy:<name>`, and for how long it counts once approved. */
    lifts: Type.Optional(Type.Array(Type.String())),
    countsForMs: Type.Optional(Count),
    /** Of overrides that are to be reviewed once they were used: by which deployment, since when, and what was said. */
    review: Type.Optional(Type.Object({ due: Type.Boolean(), deployment: Type.Optional(Id), usedAt: Type.Optional(Instant), by: Type.Optional(Type.String()), comment: Type.Optional(Type.String()), at: Type.Optional(Instant) }, strict)),
    /** Whether the caller could vote now; `why` says why not. */
    mine: Type.Object({ may: Type.Boolean(), why: Type.Optional(Type.String()) }, strict),
  },
  strict,
);
export type Approval = Static<typeof ApprovalSchema>;

/** `assignee=me`: open requests in which the caller's vote would count and is not given yet. */
export const ApprovalsQuerySchema = Type.Object(
  { ...pageQuery, assignee: Type.Optional(oneOf(['me'])), status: Type.Optional(oneOf(approvalStatuses)), purpose: Type.Optional(oneOf(approvalPurposes)), environment: Type.Optional(Name), review: Type.Optional(oneOf(['due'])) },
  strict,
);

export const ApproveSchema = Type.Object({ comment: Type.Optional(Reason) }, strict);
/** A rejection says why. */
export const RejectSchema = Type.Object({ comment: Reason }, strict);

/** `lifts`: what the promotion waits for and may be lifted, when it is left out. */
export const CreateOverrideSchema = Type.Object({ reason: Reason, lifts: Type.Optional(Type.Array(Type.String({ pattern: '^(window|freeze|policy):.{1,128}$' }), { minItems: 1, maxItems: 32 })) }, strict);
export type CreateOverride = Static<typeof CreateOverrideSchema>;

export const frameworks = ['SOX', 'PCI', 'HIPAA', 'FISMA', 'custom'] as const;
const Rule = Type.Unsafe<ComplianceRule>(Type.Object({ rule: Type.String() }, { additionalProperties: true }));

export const CompliancePolicySchema = Type.Object(
  {
    pipeline: Name,
    policy: Type.String(),
    framework: oneOf(frameworks),
    version: Count,
    mode: oneOf(['enforce', 'observe']),
    environments: Type.Array(Name),
    requires: Type.Array(Rule),
    breakGlass: Type.Optional(Type.Object({ group: Type.String(), count: Count, expiresMs: Count, requireReview: Type.Optional(Type.Literal(true)) }, strict)),
    /** What its framework expects and it does not demand, each with the clause. */
    lacks: Type.Array(Type.Object({ rule: Type.String(), clause: Type.String() }, strict)),
  },
  strict,
);
export type CompliancePolicy = Static<typeof CompliancePolicySchema>;
export const PoliciesQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), pipeline: Type.Optional(Name) }, strict);

const Exemption = Type.Object({ gate: Type.String(), why: Type.String(), ref: Type.Optional(Type.String()) }, strict);
const Finding = Type.Object(
  {
    policy: Type.String(),
    framework: oneOf(frameworks),
    version: Count,
    mode: oneOf(['enforce', 'observe']),
    met: Type.Boolean(),
    /** The request by which it was lifted. */
    lifted: Type.Optional(Id),
    rules: Type.Array(Type.Object({ rule: Type.String(), clause: Type.Optional(Type.String()), met: Type.Boolean(), missing: Type.Array(Type.String()) }, strict)),
  },
  strict,
);

/**
 * Why a promotion was let go, or what it waits for (C-2): the journal is folded up to the entry that decided, and the same gates are
 * asked again. `reproduced` says whether that gives what was recorded then.
 */
export const EvidenceSchema = Type.Object(
  {
    promotion: Id,
    environment: Name,
    phase: Type.String(),
    set: DigestText,
    members: MembersSchema,
    by: Type.String(),
    reason: Type.Optional(Type.String()),
    /** Whether it was let go; else this is what holds it now. */
    started: Type.Boolean(),
    /** Instant and journal entry of the decision. */
    decidedAt: Instant,
    asOf: Count,
    policies: Type.Array(Finding),
    revisions: Type.Array(
      Type.Object({ app: Name, number: Count, revision: DigestText, createdAt: Instant, createdBy: Type.String(), changes: Type.Array(ChangeSchema), signedBy: Type.Array(Type.String()) }, strict),
    ),
    /** Every request about this set here, with its votes as they were. */
    approvals: Type.Array(ApprovalSchema),
    runs: Type.Array(
      Type.Object(
        { run: Type.String(), workflow: Type.String(), environment: Name, phase: Type.String(), startedAt: Instant, finishedAt: Type.Optional(Instant), steps: Type.Array(Type.Object({ step: Type.String(), phase: Type.String() }, strict)) },
        strict,
      ),
    ),
    /** Gates that would have held it and did not: as found now, and as recorded with the deployment. */
    exemptions: Type.Array(Exemption),
    recorded: Type.Array(Exemption),
    /** What holds by record: of which machines were heard nothing is stored, so that gates about that are not asked again. */
    blockers: Type.Array(BlockerSchema),
    reproduced: Type.Boolean(),
  },
  strict,
);
export type Evidence = Static<typeof EvidenceSchema>;
