// A control plane with pipelines and a virtual clock, where machines do at once what they are told: for tests about what
// may start and when. Faults on the way are rollout-simulation.ts.

import { handle } from '../../control/core/answers/handle.ts';
import type { Answer, Command } from '../../control/core/commands/command.ts';
import { decide } from '../../control/core/decide.ts';
import type { UnsignedOrder } from '../../control/core/effects.ts';
import { issued, rolePublished } from '../../control/core/effects.ts';
import { evolve, initialState } from '../../control/core/evolve/evolve.ts';
import { evaluateGates } from '../../control/core/gates/gates.ts';
import type { BlockerType } from '../../control/core/gates/gates.ts';
import type { State } from '../../control/core/model/model.ts';
import type { Coverage, Observed } from '../../control/core/model/select.ts';
import type { DeploymentConfig, Event, JournalEntry } from '../../proto/events.ts';
import type { EdgeSpec, PipelineEnvironment, PipelineSpec } from '../../proto/pipeline.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export const config: DeploymentConfig = {
  batches: ['50%', '100%'],
  maxParallel: '100%',
  minHealthy: '0%',
  failureThreshold: { count: 1, percent: 100 },
  lostAfterMs: dayMs,
  progressDeadlineMs: hourMs,
  bakeMs: 0,
  autoRollback: true,
};

/** Decisions in a row before something is wrong. */
const roundsMax = 500;

/** A digest that says which revision it is of. */
export function digestOf(number: number): string {
  return String(number).padStart(64, '0');
}

/** An environment of a pipeline. */
export function place(environment: string, more: Partial<PipelineEnvironment> = {}): PipelineEnvironment {
  return { environment, windows: [], windowsHoldRollback: false, ...more };
}

/** An edge of application `web`, from it or from an environment. */
export function edge(from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec {
  return {
    edge: `${from}-${to}`,
    from: from === 'web' ? { kind: 'app', app: 'web' } : { kind: 'environment', environment: from },
    to,
    apps: ['web'],
    auto: true,
    select: [{ by: 'number' }],
    after: [],
    windows: [],
    ...more,
  };
}

/** A pipeline; alpha, then prod, unless told otherwise. */
export function pipeline(more: Partial<PipelineSpec> = {}): PipelineSpec {
  return {
    executionMode: 'superseded',
    stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod')] }],
    edges: [edge('web', 'alpha'), edge('alpha', 'prod')],
    windows: [],
    workflows: [],
    policies: [],
    ...more,
  };
}

export class PipelineWorld {
  state: State = initialState();
  readonly journal: JournalEntry[] = [];
  now: number;
  /** Revisions whose health checks fail. */
  readonly bad = new Set<string>();
  readonly coverage = new Map<string, Coverage>();
  /** Whether machines do what they are told. */
  working = true;
  /** Machines that lost their power, and when that was. */
  readonly dead = new Map<string, number>();
  actor = 'token:operator';
  #ids = 0;
  #answered = 0;
  readonly #roles = new Map<string, number>();

  constructor(environments: readonly string[], start = '2026-06-01T12:00Z') {
    this.now = Date.parse(start);
    this.ask({ kind: 'create-app', app: 'web', project: 'shop' });
    for (const environment of environments) {
      this.ask({ kind: 'create-environment', environment, app: 'web', selector: { env: environment }, config });
      for (const member of [1, 2]) this.enrol(environment, `${environment}-${member}`);
    }
  }

  get observed(): Observed {
    return { now: this.now, lastSeen: new Map([...this.state.members.keys()].map((member) => [member, this.dead.get(member) ?? this.now])), since: 0, coverage: this.coverage };
  }

  /** Lets a machine join. */
  enrol(environment: string, member: string): void {
    const token = `join-${member}`;
    this.ask({
      kind: 'create-token', token, use: 'join', name: token, secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'],
      environments: [environment], labels: { env: environment }, usesMax: 1, expiresAt: this.now + 1,
    });
    this.ask({ kind: 'enrol-member', token, member, name: member, publicKey: member, roles: ['agent'], attributes: { 'platform.node-runtime': '22.4' } });
  }

  /** An id that nobody used. */
  id(what: string): string {
    this.#ids += 1;
    return `${what}-${this.#ids}`;
  }

  append(events: readonly Event[], actor = this.actor): void {
    for (const event of events) {
      const entry: JournalEntry = { seq: this.state.head + 1, at: this.now, actor, event };
      this.journal.push(entry);
      this.state = evolve(this.state, entry);
    }
  }

  /** Asks, and appends what is accepted. */
  try(command: Command): Answer {
    const answer = handle(this.state, command, this.now);
    if (answer.kind === 'accepted') this.append(answer.events);
    return answer;
  }

  /** Asks what must be accepted. */
  ask(command: Command): void {
    const answer = this.try(command);
    if (answer.kind === 'refused') throw new Error(answer.message);
  }

  apply(spec: PipelineSpec): void {
    this.ask({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec });
  }

  push(number: number): void {
    this.ask({ kind: 'register-revision', app: 'web', revision: digestOf(number), cid: `cid${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }

  promote(environment: string, number: number, more: { readonly cause?: 'hotfix'; readonly reason?: string } = {}): string {
    const promotion = this.id('by-hand');
    this.ask({ kind: 'promote', promotion, environment, revision: String(number), ...more });
    return promotion;
  }

  rollback(environment: string): Answer {
    return this.try({ kind: 'rollback', promotion: this.id('rollback'), environment });
  }

  vote(request: string, by: string, groups: readonly string[] = [], decision: 'approve' | 'reject' = 'approve'): Answer {
    return this.try({ kind: 'vote', request, decision, by, groups, ...(decision === 'reject' ? { comment: 'no' } : {}) });
  }

  /** Decides and does until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < roundsMax; round += 1) {
      if (!this.step()) return;
    }
    throw new Error(`still busy after ${roundsMax} rounds: ${JSON.stringify(decide(this.state, this.observed))}`);
  }

  /** One decision, and what follows at once; whether there was anything to do. */
  step(): boolean {
    const decision = decide(this.state, this.observed);
    this.append(decision.events, 'system');
    for (const effect of decision.effects) {
      if (effect.kind === 'publish-role') {
        const version = (this.#roles.get(effect.environment) ?? 0) + 1;
        this.#roles.set(effect.environment, version);
        this.append([rolePublished(effect.environment, version, effect.revisions)], 'system');
      } else this.append(issued(effect.orders, (order) => [JSON.stringify(order), digestOf(this.state.head + order.seq)]), 'system');
    }
    const answered = this.working && this.#work();
    return decision.events.length > 0 || decision.effects.length > 0 || answered;
  }

  /** Every order not answered yet is carried out. */
  #work(): boolean {
    const entries = this.journal.slice(this.#answered);
    this.#answered = this.journal.length;
    let any = false;
    for (const { event } of entries) {
      if (event.kind !== 'order.issued') continue;
      const order: UnsignedOrder = JSON.parse(event.compact);
      for (const member of event.targets) {
        if (this.dead.has(member)) continue;
        const reportNo = (this.state.deployments.get(event.deployment)?.targets.get(member)?.reportNo ?? 0) + 1;
        const switched = this.bad.has(order.revision) ? 'rolled-back' : 'committed';
        const phase = { prefetch: 'verified', activate: switched, rollback: 'rolled-back', cancel: 'cancelled', noop: 'verified' } as const;
        const { deployment, environment, app, seq, action } = event;
        this.try({ kind: 'report', member, report: { deployment, environment, app, seq, reportNo, phase: phase[action], at: this.now } });
        any = true;
      }
    }
    return any;
  }

  /** Time passes, and what follows from that alone is done. */
  wait(ms: number): void {
    this.now += ms;
    this.settle();
  }

  /** The number of the revision that an environment runs; 0 when none. */
  runs(environment: string): number {
    return Number(this.state.sets.get(environment)?.current?.['web'] ?? 0);
  }

  /** What holds the promotion that waits in an environment; nothing when none waits. */
  holding(environment: string): readonly BlockerType[] {
    const promotion = this.state.promotions.get(this.state.environments.get(environment)?.waiting[0] ?? '');
    return promotion === undefined ? [] : evaluateGates(this.state, promotion, this.observed).blockers.map((blocker) => blocker.type);
  }

  /** What would hold a promotion of this revision by automation, by hand, or as asked. */
  wouldHold(environment: string, number: number, more: { readonly cause?: 'auto' | 'hotfix'; readonly trigger?: 'rollback'; readonly catchUp?: boolean; readonly reason?: string } = {}): readonly BlockerType[] {
    const candidate = { environment, app: 'web', revision: digestOf(number), number, trigger: 'manual', createdAt: this.now, ...more } as const;
    return evaluateGates(this.state, candidate, this.observed).blockers.map((blocker) => blocker.type);
  }

  /** Open requests for approval, oldest first. */
  requests(): readonly string[] {
    return [...this.state.requests.values()].filter((request) => request.status === 'open').map((request) => request.request);
  }

  /** Facts of one kind. */
  facts<K extends Event['kind']>(kind: K): readonly Extract<Event, { readonly kind: K }>[] {
    return this.journal.flatMap(({ event }) => (isKind(event, kind) ? [event] : []));
  }
}

function isKind<K extends Event['kind']>(event: Event, kind: K): event is Extract<Event, { readonly kind: K }> {
  return event.kind === kind;
}
