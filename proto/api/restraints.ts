// What holds promotions back beside the clock: locks, holds, pins, vetoes, freezes, switches (control-plane.md 1.3). `by` is
// always a person's name: that of the token, or `system`. Who may lift something, and what that takes, is said with each.

import Type, { type Static } from 'typebox';
import { Count, DigestText, Id, Instant, Name, Reason, oneOf, pageQuery, strict } from './schema.ts';

/** Exactly which revision of each application. */
export const MembersSchema = Type.Array(Type.Object({ app: Name, revision: DigestText, number: Count, alias: Type.Optional(Type.String()) }, strict));
export type Members = Static<typeof MembersSchema>;

export const scopeKinds = ['all', 'project', 'pipeline', 'stage', 'environment'] as const;

/** What a lock or a freeze is about. A stage is `pipeline/stage`; `all` has no `id`. */
export const ReachSchema = Type.Object({ kind: oneOf(scopeKinds), id: Type.Optional(Type.String({ minLength: 1, maxLength: 129 })) }, strict);
export type Reach = Static<typeof ReachSchema>;

/** A person, a time, a reason. */
const deed = { by: Type.String(), at: Instant, reason: Type.String() };

/** So many of a group. */
export const RuleSchema = Type.Object({ group: Type.String({ minLength: 1, maxLength: 64 }), count: Type.Integer({ minimum: 1, maximum: 100 }) }, strict);

export const LockSchema = Type.Object(
  {
    lock: Id,
    scope: ReachSchema,
    mode: oneOf(['manual', 'workflow']),
    /** Who releases it: a person, or a workflow's run. */
    holder: Type.String(),
    ...deed,
    /** Whether it holds rollbacks too. */
    includeRollback: Type.Boolean(),
    expiresAt: Type.Optional(Instant),
    /** Past `expiresAt`: it holds nothing any more. */
    expired: Type.Boolean(),
  },
  strict,
);
export type Lock = Static<typeof LockSchema>;

export const CreateLockSchema = Type.Object(
  { scope: ReachSchema, reason: Reason, includeRollback: Type.Optional(Type.Boolean({ description: 'hold rollbacks too; default false' })), expiresAt: Type.Optional(Instant) },
  strict,
);
export type CreateLock = Static<typeof CreateLockSchema>;

/** `environment`: those that hold it, whatever their scope. */
export const LocksQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), expired: Type.Optional(Type.Boolean({ description: 'also those that have expired' })) }, strict);

/** Why: for everything that goes past what somebody else wanted (O-2). */
export const BecauseSchema = Type.Object({ reason: Reason }, strict);
/** The same where there is no body. */
export const BecauseQuerySchema = Type.Object({ reason: Reason }, strict);

export const HoldSchema = Type.Object({ edge: Type.String(), pipeline: Name, environment: Name, ...deed, promotion: Type.Optional(Id) }, strict);
export type Hold = Static<typeof HoldSchema>;
export const HoldsQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), pipeline: Type.Optional(Name) }, strict);

/** `pinned` is false, and the rest absent, where there is no pin; it is false too once `until` has passed. */
export const PinSchema = Type.Object(
  { environment: Name, pinned: Type.Boolean(), members: Type.Optional(MembersSchema), by: Type.Optional(Type.String()), at: Type.Optional(Instant), reason: Type.Optional(Type.String()), until: Type.Optional(Instant) },
  strict,
);
export type Pin = Static<typeof PinSchema>;

/** `revision`: as in a promotion; what the environment runs now when it is left out. */
export const PlacePinSchema = Type.Object({ revision: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })), reason: Reason, until: Type.Optional(Instant) }, strict);
export type PlacePin = Static<typeof PlacePinSchema>;

export const VetoSchema = Type.Object({ app: Name, revision: DigestText, number: Count, environment: Type.Optional(Name), ...deed }, strict);
export type Veto = Static<typeof VetoSchema>;
/** Every veto of one revision: everywhere, and in single environments. */
export const VetoesSchema = Type.Object({ app: Name, revision: DigestText, number: Count, vetoes: Type.Array(VetoSchema) }, strict);
export type Vetoes = Static<typeof VetoesSchema>;
export const PlaceVetoSchema = Type.Object({ reason: Reason, environment: Type.Optional(Name) }, strict);
export const RemoveVetoQuerySchema = Type.Object({ reason: Reason, environment: Type.Optional(Name) }, strict);

export const FreezeSchema = Type.Object(
  {
    freeze: Id,
    scope: ReachSchema,
    ...deed,
    until: Type.Optional(Instant),
    /** Past `until`: it holds nothing any more. */
    over: Type.Boolean(),
    /** Who may lift it for one promotion; absent: nobody. */
    breakGlass: Type.Optional(RuleSchema),
  },
  strict,
);
export type Freeze = Static<typeof FreezeSchema>;
export const StartFreezeSchema = Type.Object({ scope: ReachSchema, reason: Reason, until: Type.Optional(Instant), breakGlass: Type.Optional(RuleSchema) }, strict);
export type StartFreeze = Static<typeof StartFreezeSchema>;
export const FreezesQuerySchema = Type.Object({ ...pageQuery, environment: Type.Optional(Name), over: Type.Optional(Type.Boolean({ description: 'also those whose time has passed' })) }, strict);

export const automationKinds = ['pipeline', 'edge', 'environment', 'app'] as const;
/** One automation: of a pipeline, of a promotion configuration (`pipeline/edge`), of an environment, of an application. */
export const AutomationSchema = Type.Object(
  { kind: oneOf(automationKinds), id: Type.String(), on: Type.Boolean(), by: Type.Optional(Type.String()), at: Type.Optional(Instant), reason: Type.Optional(Type.String()) },
  strict,
);
export type Automation = Static<typeof AutomationSchema>;
export const SetAutomationSchema = Type.Object({ on: Type.Boolean(), reason: Type.Optional(Reason) }, strict);

/** One promotion configuration with what is switched off of it. */
export const PromotionConfigSchema = Type.Object(
  {
    pipeline: Name,
    edge: Type.String(),
    from: Type.Object({ kind: oneOf(['app', 'environment']), id: Name }, strict),
    to: Name,
    apps: Type.Array(Name),
    /** Whether it is automatic by configuration, and whether it is so now: nothing that it depends on is switched off or held. */
    auto: Type.Boolean(),
    automatic: Type.Boolean(),
    enabled: Type.Boolean(),
    soakMs: Type.Optional(Count),
    after: Type.Array(Name),
    windows: Type.Array(Type.String()),
    /** What is switched off of its automation. */
    off: Type.Array(AutomationSchema),
    hold: Type.Optional(HoldSchema),
  },
  strict,
);
export type PromotionConfig = Static<typeof PromotionConfigSchema>;
export const SwitchSchema = Type.Object({ reason: Type.Optional(Reason) }, strict);
