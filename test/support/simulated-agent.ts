// An agent as the control plane can tell: it takes orders above the highest it saw, carries them out one after the other,
// and reports until it is heard. What goes wrong on it is given by the revision it is told to run.

import type { UnsignedOrder } from '../../control/core/effects.ts';
import type { Report, TargetPhase } from '../../proto/fleet.ts';

/** How a revision behaves on a target. `hang`: it never answers, though the agent goes on talking. */
export type Behaviour = 'healthy' | 'unhealthy' | 'inconsistent' | 'rejected' | 'no-space' | 'hang';

interface Task {
  readonly order: UnsignedOrder;
  readonly phases: TargetPhase[];
}

export interface AgentOptions {
  readonly member: string;
  readonly behaviour: (revision: string) => Behaviour;
  /** Which revision the environment's signed role names now. */
  readonly authorised: () => string | undefined;
}

export class SimulatedAgent {
  readonly member: string;
  readonly outbox: Report[] = [];
  running: string | undefined;
  /** Whether what it serves is whole; false while it switches, and when that went wrong for good. */
  whole = true;
  seqSeen = 0;
  online = true;
  readonly #behaviour: (revision: string) => Behaviour;
  readonly #authorised: () => string | undefined;
  readonly #queue: UnsignedOrder[] = [];
  readonly #reportNo = new Map<string, number>();
  readonly #held = new Set<string>();
  #task: Task | undefined;

  constructor({ member, behaviour, authorised }: AgentOptions) {
    this.member = member;
    this.#behaviour = behaviour;
    this.#authorised = authorised;
  }

  get idle(): boolean {
    return this.#task === undefined && this.#queue.length === 0 && this.outbox.length === 0;
  }

  /** Takes an order unless it is a replay (N-2). */
  accept(order: UnsignedOrder): void {
    if (order.seq <= this.seqSeen) return;
    this.seqSeen = order.seq;
    this.#queue.push(order);
  }

  /** One phase of the task at hand, or the next task. */
  work(at: number): void {
    this.#task ??= this.#next();
    const task = this.#task;
    if (task === undefined) return;
    const phase = task.phases.shift();
    if (phase === undefined) {
      this.#task = undefined;
      return;
    }
    this.#apply(task.order, phase);
    this.#report(task.order, phase, at);
    // A task that hangs keeps its place: nothing behind it is begun.
    if (task.phases.length === 0 && phase !== 'health-checking') this.#task = undefined;
  }

  #next(): Task | undefined {
    const order = this.#queue.shift();
    return order === undefined ? undefined : { order, phases: this.#phasesOf(order) };
  }

  #phasesOf(order: UnsignedOrder): TargetPhase[] {
    if (order.action === 'cancel') return ['cancelled'];
    if (this.#authorised() !== order.revision) return ['rejected'];
    const behaviour = this.#behaviour(order.revision);
    if (order.action === 'prefetch') {
      if (behaviour === 'no-space') return ['downloading', 'failed'];
      this.#held.add(order.revision);
      return ['downloading', 'verified'];
    }
    if (this.running === order.revision && this.whole) return [order.action === 'rollback' ? 'rolled-back' : 'already-current'];
    if (order.action === 'rollback') return behaviour === 'hang' ? ['rolling-back', 'health-checking'] : ['rolling-back', 'rolled-back'];
    if (behaviour === 'rejected') return ['rejected'];
    if (behaviour === 'no-space') return ['failed'];
    const way: TargetPhase[] = this.#held.has(order.revision) ? ['activating', 'health-checking'] : ['downloading', 'verified', 'activating', 'health-checking'];
    if (behaviour === 'hang') return way;
    if (behaviour === 'unhealthy') return [...way, 'rolling-back', 'rolled-back'];
    return [...way, behaviour === 'inconsistent' ? 'inconsistent' : 'committed'];
  }

  #apply(order: UnsignedOrder, phase: TargetPhase): void {
    if (phase === 'activating' || phase === 'rolling-back') this.whole = false;
    if (phase === 'committed' || (phase === 'rolled-back' && order.action === 'rollback')) this.running = order.revision;
    if (phase === 'inconsistent') this.running = undefined;
    if (phase === 'committed' || phase === 'rolled-back' || phase === 'already-current') this.whole = true;
  }

  #report(order: UnsignedOrder, phase: TargetPhase, at: number): void {
    const reportNo = (this.#reportNo.get(order.deployment) ?? 0) + 1;
    this.#reportNo.set(order.deployment, reportNo);
    const { deployment, environment, app, seq } = order;
    this.outbox.push({ deployment, environment, app, seq, reportNo, phase, at });
  }
}
