// Random questions to the gates (gate-case.ts), each made by its seed: around changes of the clock, with everything that can
// hold a promotion there or not, so that about a third of the questions is held by one thing or by none.

import fc from 'fast-check';
import type { ApprovalRule, ApprovalSpec, ComplianceRule } from '../../proto/pipeline.ts';
import type { Share } from '../../proto/rollout-config.ts';
import type { ApprovalStatus, RunPhase, Scope } from '../../proto/events-pipeline.ts';
import type { About, CaseConfig, CaseEdge, CaseOverride, CasePolicy, CaseRequest, CaseRevision, CaseTarget, CaseVote, GateCase, KnownWindow, Numbers } from './gate-case.ts';
import { seeded } from './random.ts';
import type { Random } from './random.ts';
import { windowsIn } from './window-cases.ts';
import type { Stretch } from './window-cases.ts';
import { activeStretches } from './window-oracle.ts';

const minuteMs = 60_000;
const dayMinutes = 1440;

/** A stretch of time with windows of which the oracle knows when they are active. */
export interface Season {
  readonly stretch: Stretch;
  readonly windows: readonly KnownWindow[];
}

/** Seasons to ask in. `count`: windows of each; always the same ones. */
export function seasons(stretches: readonly Stretch[], count: number): readonly Season[] {
  return stretches.map((stretch, index) => {
    const sampled = fc.sample(windowsIn(stretch), { seed: index + 1, numRuns: count }).flat().slice(0, count);
    const known = sampled.flatMap((window): readonly KnownWindow[] => {
      const clock = stretch.clocks.get(window.timeZone);
      return clock === undefined ? [] : [{ window, stretches: activeStretches(window, clock) }];
    });
    return { stretch, windows: known };
  });
}

/** One question. */
export function gateCase(seed: number, all: readonly [Season, ...Season[]]): GateCase {
  const random = seeded(seed);
  const season = random.pick(all);
  const minute = season.stretch.from / minuteMs + random.below(season.stretch.minutes - 5 * dayMinutes);
  const kind = random.pick(['auto', 'auto', 'manual', 'manual', 'hotfix', 'rollback', 'catch-up'] as const);
  const apps = random.chance(0.5) ? ['web'] : ['web', 'api'];
  const world = new Maker(random, minute, apps);
  const windows = random.chance(0.4) ? world.windows(season) : [];
  const names = windows.map(({ window }) => window.window);
  const by = kind === 'auto' ? 'system' : random.pick(people)[0];
  const reason = random.pick([undefined, 'because', 'CHG-12', 'see (CHG-7), please', 'XCHG-7', 'CHG-x']);
  const policies = random.chance(0.25) ? world.policies() : [];
  const freezes = world.few(0.15, (index) => ({ freeze: `f${index}`, scope: world.scope(), ...world.maybe('until', 0.6) }));
  const lifts = [...names.map((name) => `window:${name}`), ...freezes.map(({ freeze }) => `freeze:${freeze}`), ...policies.map(({ policy }) => `policy:${policy.policy}`)];
  return {
    seed, kind, by, apps, windows, freezes, policies,
    nowMs: minute * minuteMs + (random.chance(0.3) ? random.below(minuteMs) : 0),
    ...(reason === undefined ? {} : { reason }),
    ...(random.chance(0.1) ? { alsoAskedBy: random.pick(people)[0] } : {}),
    brings: world.brings,
    revisions: world.revisions,
    ...world.sets(),
    placed: random.chance(0.93),
    pipelineEnabled: random.chance(0.93),
    automationOff: ['pipeline', 'environment', ...apps].filter(() => random.chance(0.04)),
    edges: world.edges(names),
    vetoes: world.few(0.1, () => ({ app: random.pick(['web', 'api']), number: 1 + random.below(3), ...(random.chance(0.5) ? { environment: random.pick(['prod', 'beta']) } : {}) })),
    ...(random.chance(0.1) ? { pin: { set: world.likelySet(), ...world.maybe('until', 0.6) } } : {}),
    arrivals: world.arrivals(),
    workflow: world.workflow,
    runs: Array.from({ length: random.below(5) }, () => ({ set: world.likelySet(), asItIsNow: random.chance(0.85), phase: random.pick<RunPhase>(['successful', 'successful', 'successful', 'failed', 'running', 'inconclusive']) })),
    environmentWindows: names.filter(() => random.chance(0.6)),
    windowsHoldRollback: random.chance(0.3),
    starts: Array.from({ length: random.below(4) }, () => minute - random.below(2 * dayMinutes)),
    locks: world.few(0.2, (index) => ({ lock: `l${index}`, scope: world.scope(), includeRollback: random.chance(0.4), ...world.maybe('expiresAt', 0.6) })),
    ...(random.chance(0.1) ? { active: random.pick(['running', 'rolling-back'] as const) } : {}),
    targets: world.targets(),
    config: world.config(),
    ...(random.chance(0.15) ? { wantedCoverage: { coverage: random.pick([0.5, 0.98]), minCopiesPerZone: random.below(3) } } : {}),
    seenCoverage: { coverage: random.pick([0.4, 0.5, 0.98, 1]), copiesPerZoneMin: random.below(4) },
    overrides: lifts.length > 0 && random.chance(0.5) ? world.overrides(lifts) : [],
  };
}

type Person = readonly [string, readonly string[]];
const people: readonly [Person, ...Person[]] = [['quinn', ['qa']], ['pat', ['product']], ['ada', ['qa', 'product']], ['eve', []], ['sam', ['product', 'qa']]];

/** Makes the parts of one question. */
class Maker {
  readonly workflow: boolean;
  readonly brings: Numbers;
  readonly revisions: readonly CaseRevision[];
  readonly #current: Numbers | undefined;
  readonly #random: Random;
  readonly #minute: number;
  readonly #apps: readonly string[];

  constructor(random: Random, minute: number, apps: readonly string[]) {
    this.#random = random;
    this.#minute = minute;
    this.#apps = apps;
    this.workflow = random.chance(0.4);
    this.#current = random.chance(0.8) ? this.#numbers(apps) : undefined;
    this.brings = this.#numbers(random.chance(0.6) ? apps : ['web']);
    this.revisions = apps.flatMap((app) => [1, 2, 3].map((number) => this.#revision(app, number)));
  }

  #numbers(apps: readonly string[]): Numbers {
    return Object.fromEntries(apps.map((app) => [app, this.#random.pick([1, 2, 2, 3])]));
  }

  #revision(app: string, number: number): CaseRevision {
    const random = this.#random;
    const needs = random.chance(0.1) ? { needs: random.pick(['>=20', '>=22']) } : {};
    return { app, number, createdAt: this.#minute - random.below(600), authors: people.map(([name]) => name).filter(() => random.chance(0.15)), signedBy: ['release', 'other'].filter(() => random.chance(0.6)), ...needs };
  }

  /** Some, with a probability; up to three. */
  few<T>(probability: number, make: (index: number) => T): readonly T[] {
    return this.#random.chance(probability) ? Array.from({ length: 1 + this.#random.below(3) }, (_, index) => make(index)) : [];
  }

  /** A minute around now, under this name, with a probability; now itself too. */
  maybe<Name extends string>(name: Name, probability: number): Partial<Record<Name, number>> {
    if (!this.#random.chance(probability)) return {};
    const value: Partial<Record<Name, number>> = {};
    value[name] = this.#minute + this.#random.pick([0, 1, -1, this.#random.below(200), this.#random.below(4000), -this.#random.below(200)]);
    return value;
  }

  scope(): Scope {
    return this.#random.pick<Scope>([
      { kind: 'all' },
      { kind: 'project', id: this.#random.pick(['acme', 'other']) },
      { kind: 'pipeline', id: this.#random.pick(['shop', 'other']) },
      { kind: 'stage', id: this.#random.pick(['shop/last', 'shop/first']) },
      { kind: 'environment', id: this.#random.pick(['prod', 'beta']) },
    ]);
  }

  /** What would run, or another set. */
  likelySet(): Numbers {
    return this.#random.chance(0.7) ? { ...this.#current, ...this.brings } : this.#numbers(this.#apps);
  }

  sets(): Pick<GateCase, 'current' | 'desired'> {
    const current = this.#current;
    const desired = this.#random.chance(0.7) ? current : { ...current, ...this.#numbers(this.#random.chance(0.5) ? this.#apps : ['web']) };
    return { ...(current === undefined ? {} : { current }), ...(desired === undefined ? {} : { desired }) };
  }

  windows(season: Season): readonly KnownWindow[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, (_, index) => {
      const known = season.windows[random.below(season.windows.length)];
      if (known === undefined) throw new Error('there is no window');
      const most = known.window.kind === 'allow' && random.chance(0.4) ? { maxDeploysPerOccurrence: 1 + random.below(2) } : {};
      return { ...known, window: { ...known.window, window: `w${index}`, ...most } };
    });
  }

  edges(windows: readonly string[]): readonly CaseEdge[] {
    const random = this.#random;
    const parts = this.#apps.length === 2 && random.chance(0.4) ? [['web'], ['api']] : [[...this.#apps]];
    return (random.chance(0.95) ? parts : []).map((apps, index): CaseEdge => {
      const from = apps.length === 1 && random.chance(0.3) ? 'app' : 'beta';
      const approval = random.chance(0.4) ? { approval: this.#approval() } : {};
      return {
        edge: `e${index}`, from, apps,
        auto: random.chance(0.93), disabled: random.chance(0.05), automationOff: random.chance(0.05), held: random.chance(0.08),
        after: random.chance(0.15) ? ['canary'] : [],
        windows: windows.filter(() => random.chance(0.5)),
        ...(random.chance(0.25) ? { soakMinutes: 1 + random.below(300) } : {}),
        ...approval,
        requests: this.#requests(approval.approval?.rules ?? [{ group: '*', count: 1 }]),
      };
    });
  }

  #approval(): ApprovalSpec {
    const rules = [...this.#rules()];
    return { rules, preventSelfApproval: this.#random.chance(0.6) };
  }

  #rules(): readonly ApprovalRule[] {
    return this.#random.pick<readonly ApprovalRule[]>([[{ group: 'qa', count: 1 }], [{ group: 'qa', count: 1 }, { group: 'product', count: 1 }], [{ group: '*', count: 2 }], [{ group: 'product', count: 2 }, { group: '*', count: 1 }]]);
  }

  #requests(rules: readonly ApprovalRule[]): readonly CaseRequest[] {
    const random = this.#random;
    return Array.from({ length: random.pick([0, 1, 1, 2, 3]) }, (): CaseRequest => {
      const about = random.chance(0.8) ? 'this' : random.pick<About>(['another-set', 'another-destination', 'another-source', 'another-policy']);
      const status = random.chance(0.75) ? 'approved' : random.pick<ApprovalStatus>(['open', 'rejected', 'expired', 'revoked', 'cancelled', 'invalidated']);
      return { about, status, rules, votes: this.#votes(), excluded: people.map(([name]) => name).filter(() => random.chance(0.1)), ...this.maybe('expiresAt', 0.3) };
    });
  }

  #votes(): readonly CaseVote[] {
    const random = this.#random;
    return people.filter(() => random.chance(0.65)).map(([by, groups]) => ({ by, groups, decision: random.chance(0.93) ? 'approve' : 'reject', revoked: random.chance(0.07) }));
  }

  arrivals(): GateCase['arrivals'] {
    const random = this.#random;
    return Array.from({ length: random.below(7) }, () => ({ environment: random.pick(['beta', 'beta', 'canary']), set: this.likelySet(), at: this.#minute - random.below(400), undone: random.chance(0.1) })).toSorted((a, b) => a.at - b.at);
  }

  targets(): readonly CaseTarget[] {
    const random = this.#random;
    return Array.from({ length: random.pick([0, 2, 3, 3, 4]) }, (): CaseTarget => {
      const platform = random.pick([undefined, '20.1', '22.4', '22.4', '22.4']);
      return { silentMs: random.pick([0, 0, 0, 29_999, 30_000, 120_000]), runs: random.chance(0.8) ? { ...this.#current } : {}, changing: random.chance(0.1), belongs: random.chance(0.9), ...(platform === undefined ? {} : { platform }) };
    });
  }

  config(): CaseConfig {
    const random = this.#random;
    return {
      minHealthy: random.pick([0, 0, 1, '0%', '50%', '75%', '100%']),
      failureThreshold: { count: random.pick([1, 2, 3]), percent: random.pick([5, 50, 100]) },
      lostAfterMs: 30_000,
      ...(random.chance(0.2) ? { unreachable: { tolerate: random.pick<Share>([1, '50%']), afterMs: random.pick([30_000, 60_000]) } } : {}),
      ...(random.chance(0.2) ? { rollbackIgnoresWindows: random.chance(0.5) } : {}),
    };
  }

  policies(): readonly CasePolicy[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(2) }, (_, index): CasePolicy => {
      const rules: readonly ComplianceRule[] = [
        ...this.#rules().filter(({ group }) => group !== '*').map((rule) => ({ ...rule, rule: 'approvals' as const })),
        { rule: 'separationOfDuties' }, { rule: 'signedArtifacts', keys: random.pick([['release'], ['release', 'other']]) }, { rule: 'testedIn', environment: random.pick(['beta', 'canary']) }, { rule: 'ticket', pattern: 'CHG-[0-9]+' },
      ];
      const requires = rules.filter(() => random.chance(0.3));
      const approvals = requires.flatMap((rule) => (rule.rule === 'approvals' ? [{ group: rule.group, count: rule.count }] : []));
      return {
        policy: { policy: `p${index}`, framework: 'SOX', version: 1, mode: random.chance(0.8) ? 'enforce' : 'observe', environments: random.chance(0.85) ? ['prod'] : ['beta'], requires, breakGlass: { group: 'qa', count: 1, expiresMs: minuteMs } },
        requests: this.#requests(approvals),
      };
    });
  }

  overrides(lifts: readonly string[]): readonly CaseOverride[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(2) }, (): CaseOverride => ({
      lifts: lifts.filter(() => random.chance(0.7)),
      about: random.chance(0.85) ? 'this' : random.pick(['another-set', 'another-destination']),
      status: random.chance(0.85) ? 'approved' : 'open',
      rules: this.#rules(),
      votes: this.#votes(),
      settledAt: this.#minute - random.below(300),
      ...(random.chance(0.7) ? { countsForMinutes: 1 + random.below(600) } : {}),
    }));
  }
}
