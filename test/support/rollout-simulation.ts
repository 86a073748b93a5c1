// One control plane and its agents with a virtual clock: commands, lost and repeated messages, agents that go away, and a
// control plane that dies between deciding, doing and recording. Every fact is checked against the invariants as it is folded.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { handle } from '../../control/core/answers/handle.ts';
import type { Answer, Command } from '../../control/core/commands/command.ts';
import { decide } from '../../control/core/decide.ts';
import { issued, rolePublished } from '../../control/core/effects.ts';
import type { Effect, UnsignedOrder } from '../../control/core/effects.ts';
import { evolve, evolveAll, initialState } from '../../control/core/evolve/evolve.ts';
import type { State } from '../../control/core/model/model.ts';
import type { Observed } from '../../control/core/model/select.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';
import type { Random } from './random.ts';
import { violations } from './rollout-invariants.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import type { Behaviour } from './simulated-agent.ts';

/** A decision may lead to another this often before something is wrong. */
const roundsMax = 2000;

/** The control plane was killed: what was not appended is lost. */
class Crash extends Error {}

export class Simulation {
  readonly journal: JournalEntry[] = [];
  readonly agents: SimulatedAgent[] = [];
  readonly random: Random;
  state: State = initialState();
  now = 1_000_000;
  /** Whether anything goes wrong by chance. */
  faulty = true;
  /** What the repository of signed metadata holds: it survives crashes, as files do. */
  role: { readonly version: number; readonly revision: string } | undefined;
  readonly #lastSeen = new Map<string, number>();
  readonly #behaviours: ReadonlyMap<string, ReadonlyMap<string, Behaviour>>;
  #since = 1_000_000;

  /** `behaviours`: of each revision, by member; healthy where nothing is said. */
  constructor(random: Random, behaviours: ReadonlyMap<string, ReadonlyMap<string, Behaviour>>) {
    this.random = random;
    this.#behaviours = behaviours;
  }

  get observed(): Observed {
    return { now: this.now, lastSeen: this.#lastSeen, since: this.#since };
  }

  addAgent(member: string): void {
    const behaviour = (revision: string): Behaviour => this.#behaviours.get(revision)?.get(member) ?? 'healthy';
    this.agents.push(new SimulatedAgent({ member, behaviour, authorised: () => this.role?.revision }));
  }

  command(command: Command): Answer {
    const answer = handle(this.state, command, this.now);
    if (answer.kind === 'accepted') this.append(answer.events, this.state.head);
    return answer;
  }

  /** The conditional append, folded and checked at once. */
  append(events: readonly Event[], expected: number): boolean {
    if (expected !== this.journal.length) return false;
    for (const event of events) {
      const entry: JournalEntry = { seq: this.journal.length + 1, at: this.now, actor: 'system', event };
      this.journal.push(entry);
      const after = evolve(this.state, entry);
      const broken = violations({ before: this.state, entry, after });
      if (broken.length > 0) throw new Error(broken.join('\n'));
      this.state = after;
    }
    return true;
  }

  /** Decides, appends and performs until nothing is left to do; may die anywhere between. */
  reconcile(): void {
    try {
      for (let round = 0; round < roundsMax; round += 1) {
        const { head } = this.state;
        const decision = decide(this.state, this.observed);
        if (decision.events.length === 0 && decision.effects.length === 0) return;
        this.#mayCrash();
        // Somebody else may be faster: then the append is refused, and everything is decided anew.
        if (this.faulty && this.random.chance(0.1)) this.#sync(this.random.pick(this.#someAgent()));
        if (!this.append(decision.events, head)) continue;
        for (const effect of decision.effects) this.#perform(effect);
      }
      throw new Error(`still busy after ${roundsMax} rounds: ${JSON.stringify(decide(this.state, this.observed))}`);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#restart();
    }
  }

  #perform(effect: Effect): void {
    const { head } = this.state;
    if (effect.kind === 'publish-role') {
      const revision = Object.values(effect.revisions)[0] ?? '';
      if (this.role?.revision !== revision) this.role = { version: (this.role?.version ?? 0) + 1, revision };
      this.#mayCrash();
      this.append([rolePublished(effect.environment, this.role.version, effect.revisions)], head);
      return;
    }
    this.#mayCrash();
    const sign = (order: UnsignedOrder): readonly [string, string] => {
      const compact = JSON.stringify(order);
      return [compact, createHash('sha256').update(compact).digest('hex')];
    };
    this.append(issued(effect.orders, sign), head);
  }

  #mayCrash(): void {
    if (this.faulty && this.random.chance(0.02)) throw new Crash();
  }

  /** A new process: the state is folded anew from the journal, and nobody has been heard yet. */
  #restart(): void {
    const folded = evolveAll(initialState(), this.journal);
    if (!isDeepStrictEqual(folded, this.state)) throw new Error('the state folded anew differs from the one folded step by step');
    this.state = folded;
    this.#lastSeen.clear();
    this.#since = this.now;
  }

  /** An agent and the control plane talk; any message may be lost, repeated, or come late. */
  #sync(agent: SimulatedAgent): void {
    const lossy = (probability: number): boolean => this.faulty && this.random.chance(probability);
    if (!agent.online || lossy(0.2)) return;
    this.#lastSeen.set(agent.member, this.now);
    for (const report of this.#asTheyArrive(agent.outbox)) {
      const answer = this.command({ kind: 'report', member: agent.member, report });
      const forget = answer.kind === 'accepted' || answer.code !== 'conflict';
      // The acknowledgement may be lost: then the report is sent again.
      if (forget && !lossy(0.2)) agent.outbox.splice(0, agent.outbox.length, ...agent.outbox.filter((one) => one !== report));
    }
    if (lossy(0.2)) return;
    for (const environment of this.state.orders.values()) {
      for (const issued of environment) {
        const order: UnsignedOrder = JSON.parse(issued.compact);
        if (issued.targets.includes(agent.member)) agent.accept(order);
      }
    }
  }

  #asTheyArrive<T>(messages: readonly T[]): readonly T[] {
    if (!this.faulty) return [...messages];
    const arrived = messages.flatMap((message) => (this.random.chance(0.15) ? [] : this.random.chance(0.15) ? [message, message] : [message]));
    return this.random.chance(0.2) ? arrived.toReversed() : arrived;
  }

  #someAgent(): readonly [SimulatedAgent, ...SimulatedAgent[]] {
    const [first, ...others] = this.agents;
    if (first === undefined) throw new Error('a simulation needs an agent');
    return [first, ...others];
  }

  /** Something happens. */
  step(): void {
    const agent = this.random.pick(this.#someAgent());
    this.now += this.random.below(200);
    const what = this.random.next();
    if (what < 0.4) agent.work(this.now);
    else if (what < 0.75) this.#sync(agent);
    else if (what < 0.97) this.reconcile();
    else if (what < 0.98) agent.online = !agent.online;
    else if (what < 0.985) this.now += this.random.below(4000);
    else if (what < 0.99) this.#restart();
    else this.#repeatReport();
  }

  /** A report that was recorded comes once more, past the command's own check: it changes nothing (N-5). */
  #repeatReport(): void {
    const reports = this.journal.filter((entry) => entry.event.kind === 'target.reported');
    const entry = reports[this.random.below(reports.length)];
    if (entry === undefined) return;
    const again = evolve(this.state, { ...entry, seq: this.state.head + 1 });
    if (!isDeepStrictEqual({ ...again, head: 0 }, { ...this.state, head: 0 })) throw new Error(`N-5: report of entry ${entry.seq} counted twice`);
  }

  /** The faults end; answers whether everything came to rest within `rounds` rounds. `meanwhile`: what people do in each. */
  drain(rounds: number, meanwhile: (simulation: Simulation) => void = () => undefined): boolean {
    this.faulty = false;
    for (const agent of this.agents) agent.online = true;
    for (let round = 0; round < rounds; round += 1) {
      for (const agent of this.agents) {
        agent.work(this.now);
        this.#sync(agent);
      }
      meanwhile(this);
      this.reconcile();
      this.now += 250;
      if (this.#atRest()) return true;
    }
    return false;
  }

  #atRest(): boolean {
    const decision = decide(this.state, this.observed);
    const active = [...this.state.environments.values()].some((environment) => environment.activeDeployment !== undefined);
    return !active && decision.events.length === 0 && decision.effects.length === 0 && this.agents.every((agent) => agent.idle || agent.outbox.length === 0);
  }
}
