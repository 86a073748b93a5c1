// A whole control plane under virtual time: two processes over one journal, agents that are told and report, people who ask.
// Processes die between any two steps, appends fail or only seem to, clocks jump, messages are lost, repeated, late and out of
// order. Each entry is checked as it is appended; everything that happens follows from the seed.

import { isDeepStrictEqual } from 'node:util';
import type { Command } from '../../control/core/commands/command.ts';
import { decide } from '../../control/core/decide.ts';
import type { UnsignedOrder } from '../../control/core/effects.ts';
import { evolve, evolveAll, initialState } from '../../control/core/evolve/evolve.ts';
import { evaluateGates } from '../../control/core/gates/gates.ts';
import type { State } from '../../control/core/model/model.ts';
import type { Observed } from '../../control/core/model/select.ts';
import { MemoryJournal } from '../../control/journal/memory.ts';
import type { DeploymentConfig, Event, JournalEntry } from '../../proto/events.ts';
import type { Report } from '../../proto/fleet.ts';
import { HistoryNode, PlainRepository, repositoryOf } from './history-node.ts';
import type { AppendFault } from './history-node.ts';
import { environments, randomCommand, randomPipeline } from './pipeline-commands.ts';
import { brokenBy } from './pipeline-invariants.ts';
import { dayMs, digestOf, hourMs, minuteMs } from './pipeline-world.ts';
import { seeded } from './random.ts';
import type { Random } from './random.ts';
import { violations } from './rollout-invariants.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import type { Behaviour } from './simulated-agent.ts';
import { Turns } from './turns.ts';

/** Turns without rest after which something goes round in circles. */
const turnsMax = 200_000;
const targetsEach = 2;

interface Late {
  readonly member: string;
  readonly report: Report;
}

export class HistoryWorld {
  /** What is durable, folded entry by entry. */
  state: State = initialState();
  readonly entries: JournalEntry[] = [];
  readonly broken: string[] = [];
  readonly agents: SimulatedAgent[] = [];
  now: number;
  /** Steps that processes took so far, since the story or the history began. */
  turns = 0;
  readonly #random: Random;
  readonly #turns: Turns;
  readonly #journal = new MemoryJournal();
  readonly #repository = new PlainRepository();
  readonly #nodes: HistoryNode[] = [];
  readonly #late: Late[] = [];
  readonly #behaviours = new Map<string, Behaviour>();
  #faulty = false;
  #killAt = 0;
  #revisions = 0;
  #ids = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.#turns = new Turns(this.#random);
    this.now = Date.parse('2026-06-01T07:00Z') + this.#random.below(12 * hourMs);
    this.#journal.follow((entries) => entries.forEach((entry) => this.#check(entry)));
    for (let index = 0; index < 2; index += 1) this.#nodes.push(this.#process());
  }

  /** The seed's whole life: set up, `events` events with faults, and then none until nothing happens any more. */
  async live(events: number): Promise<void> {
    await this.#setUp();
    this.#faulty = true;
    for (let event = 0; event < events; event += 1) {
      this.#event();
      await this.#turns.run(this.#random.below(this.#random.chance(0.1) ? 100 : 14), (owner) => this.#mayDie(owner));
      if (this.broken.length > 0) throw new Error(`event ${event}: ${this.broken.join('\n')}`);
    }
    this.#faulty = false;
    await this.#drain();
  }

  /** One revision goes as far as it goes by itself, while nothing fails but a process, at one of its turns; never when it is 0. */
  async tell(killAt: number): Promise<void> {
    await this.#setUp();
    [this.turns, this.#killAt] = [0, killAt];
    this.#push(true);
    await this.#drain();
  }

  id(what: string): string {
    this.#ids += 1;
    return `${what}-${this.#ids}`;
  }

  #process(): HistoryNode {
    const fault = (): AppendFault => (this.#faulty && this.#random.chance(0.03) ? this.#random.pick<AppendFault>(['refused', 'lost']) : 'none');
    const node: HistoryNode = new HistoryNode({ journal: this.#journal, repository: repositoryOf(this.#repository, async () => await this.#turns.turn(node)), turns: this.#turns, now: () => this.now, fault });
    this.#begin(node.start());
    return node;
  }

  /** Something is under way; what fails in it unexpectedly is found. */
  #begin(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.broken.push(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  }

  #check(entry: JournalEntry): void {
    const before = this.state;
    this.state = evolve(before, entry);
    this.entries.push(entry);
    this.broken.push(...violations({ before, entry, after: this.state }), ...brokenBy({ before, entry, after: this.state }));
  }

  #mayDie(owner: object): void {
    this.turns += 1;
    if (this.turns === this.#killAt || (this.#faulty && this.#random.chance(0.004))) this.#kill(this.#nodes.findIndex((node) => node === owner));
  }

  /** Killed, and started again by whoever watches it. */
  #kill(index: number): void {
    const node = this.#nodes[index];
    if (node === undefined) return;
    node.kill();
    const next = this.#process();
    next.offset = node.offset;
    this.#nodes[index] = next;
  }

  get #node(): HistoryNode {
    const node = this.#nodes[this.#random.below(this.#nodes.length)];
    if (node === undefined) throw new Error('there is no process');
    return node;
  }

  async #setUp(): Promise<void> {
    await this.#turns.run(turnsMax);
    const random = this.#random;
    const config: DeploymentConfig = {
      batches: random.pick<DeploymentConfig['batches']>([['50%', '100%'], [1, '100%'], ['100%']]), maxParallel: random.pick<DeploymentConfig['maxParallel']>([1, '100%']), minHealthy: random.pick<DeploymentConfig['minHealthy']>([0, '50%']),
      failureThreshold: { count: 1, percent: 100 }, lostAfterMs: random.pick([hourMs, dayMs, dayMs]), progressDeadlineMs: random.pick([2 * hourMs, dayMs]), bakeMs: random.pick([0, minuteMs]), autoRollback: true,
    };
    await this.#must({ kind: 'create-app', app: 'web', project: 'shop' });
    for (const environment of environments) {
      await this.#must({ kind: 'create-environment', environment, app: 'web', selector: { env: environment }, config });
      for (let index = 1; index <= targetsEach; index += 1) await this.#enrol(environment, `${environment}-${index}`);
    }
    await this.#must({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec: randomPipeline(random) });
  }

  async #enrol(environment: string, member: string): Promise<void> {
    const token = `join-${member}`;
    await this.#must({ kind: 'create-token', token, use: 'join', name: token, secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'], environments: [environment], labels: { env: environment }, usesMax: 1, expiresAt: this.now + 1 });
    await this.#must({ kind: 'enrol-member', token, member, name: member, publicKey: member, roles: ['agent'], attributes: {} });
    this.agents.push(new SimulatedAgent({ member, behaviour: (revision) => this.#behaviours.get(`${revision} ${member}`) ?? 'healthy', authorised: () => this.#repository.revision(environment, 'web') }));
  }

  /** Asked while nothing goes wrong. */
  async #must(command: Command): Promise<void> {
    const asked = this.#node.ask(command, 'token:operator');
    await this.#turns.run(turnsMax);
    const answer = await asked;
    if (answer?.kind !== 'accepted') throw new Error(`${command.kind} was refused: ${answer?.kind === 'refused' ? answer.message : 'no answer'}`);
  }

  /** One thing happens; what follows from it goes on beside what happens next. */
  #event(): void {
    const random = this.#random;
    const what = random.next();
    if (what < 0.05 || this.#revisions === 0) this.#push();
    else if (what < 0.24) this.#command();
    else if (what < 0.5) this.#talk(this.#someAgent(), this.#node);
    else if (what < 0.6) for (const agent of this.agents) this.#talk(agent, this.#node);
    else if (what < 0.84) this.#begin(this.#node.settle());
    else if (what < 0.94) this.now += random.pick([1, 1000, 10_000, minuteMs, minuteMs, 10 * minuteMs, hourMs, random.chance(0.3) ? 5 * hourMs : minuteMs]);
    else if (what < 0.955) this.#kill(random.below(this.#nodes.length));
    else if (what < 0.965) this.#node.offset = random.pick([-2 * hourMs, 0, 0, 2 * hourMs]);
    else if (what < 0.975) {
      const agent = this.#someAgent();
      agent.online = !agent.online || random.chance(0.5);
    } else this.#deliverLate();
  }

  #push(good = false): void {
    const number = this.#revisions + 1;
    this.#revisions = number;
    const revision = digestOf(number);
    const bad = !good && this.#random.chance(0.2) ? this.#random.pick<Behaviour>(['unhealthy', 'unhealthy', 'inconsistent', 'rejected', 'no-space', 'hang']) : 'healthy';
    for (const agent of this.agents) this.#behaviours.set(`${revision} ${agent.member}`, this.#random.chance(0.5) ? bad : 'healthy');
    this.#ask({ kind: 'register-revision', app: 'web', revision, cid: `cid${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }

  #command(): void {
    const command = this.#random.chance(0.3) ? this.#undo() : randomCommand({ state: this.state, now: this.now, id: (what) => this.id(what) }, this.#random);
    if (command === undefined) return;
    this.#ask(command);
    // Asked again, of another process perhaps, by somebody who has no answer yet: it is one (P-1).
    if (this.#random.chance(0.2)) this.#ask(command);
  }

  /** Somebody takes away what holds things up, or carries them on: else every history would come to stand early. */
  #undo(): Command | undefined {
    const { state } = this;
    const run = [...state.runs.values()].find(({ phase }) => phase === 'running');
    const request = [...state.requests.values()].find(({ status }) => status === 'open');
    const lock = [...state.locks.values()].find(({ mode }) => mode === 'manual');
    const [environment] = state.pins.keys();
    const [veto] = state.vetoes.values();
    const [hold] = state.holds.keys();
    const off = [...state.switches.keys()][0]?.split(':') ?? [];
    const choices: readonly (Command | false)[] = [
      run !== undefined && { kind: 'finish-workflow', run: run.run, phase: 'successful' },
      request !== undefined && { kind: 'vote', request: request.request, decision: 'approve', by: 'quinn', groups: ['qa'] },
      request !== undefined && { kind: 'vote', request: request.request, decision: 'approve', by: 'pat', groups: ['product'] },
      lock !== undefined && { kind: 'release-lock', lock: lock.lock, holder: 'ada' },
      environment !== undefined && { kind: 'remove-pin', environment },
      veto !== undefined && { kind: 'remove-veto', app: 'web', revision: veto.revision },
      hold !== undefined && { kind: 'release-hold', edge: hold },
      off[0] === 'edge-off' && { kind: 'switch-edge', edge: off[1] ?? '', on: true },
      state.pipelines.get('shop')?.enabled === false && { kind: 'switch-pipeline', pipeline: 'shop', on: true },
    ];
    const possible = choices.flatMap((choice) => (choice === false ? [] : [choice]));
    return possible[this.#random.below(possible.length)];
  }

  #ask(command: Command): void {
    this.#begin(this.#node.ask(command, 'token:operator'));
  }

  #someAgent(): SimulatedAgent {
    const agent = this.agents[this.#random.below(this.agents.length)];
    if (agent === undefined) throw new Error('there is no agent');
    return agent;
  }

  /** An agent works for a while, says what it did, and hears what to do; any of it may be lost, repeated, late or out of order. */
  #talk(agent: SimulatedAgent, node: HistoryNode): void {
    const random = this.#random;
    const lossy = (probability: number): boolean => this.#faulty && random.chance(probability);
    for (let phase = random.below(6); phase >= 0; phase -= 1) agent.work(this.now);
    if (!agent.online || lossy(0.15)) return;
    node.lastSeen.set(agent.member, node.clockNow);
    const outbox = lossy(0.2) ? agent.outbox.toReversed() : [...agent.outbox];
    for (const report of outbox) {
      if (lossy(0.1)) continue;
      if (lossy(0.15)) this.#late.push({ member: agent.member, report });
      this.#begin(this.#report(agent, node, report, lossy(0.15)));
    }
    if (lossy(0.15)) return;
    // What the process knows, which may be less than what is durable.
    for (const issued of node.projection?.state().orders.values() ?? []) {
      for (const { compact, targets } of issued) {
        const order: UnsignedOrder = JSON.parse(compact);
        if (targets.includes(agent.member)) agent.accept(order);
      }
    }
  }

  async #report(agent: SimulatedAgent, node: HistoryNode, report: Report, unheard: boolean): Promise<void> {
    const answer = await node.ask({ kind: 'report', member: agent.member, report }, `member:${agent.member}`);
    if (answer === undefined || unheard || (answer.kind === 'refused' && answer.code === 'conflict')) return;
    agent.outbox.splice(0, agent.outbox.length, ...agent.outbox.filter((one) => one !== report));
  }

  /** A report that travelled long arrives, perhaps once more. */
  #deliverLate(): void {
    const index = this.#random.below(this.#late.length);
    const late = this.#late[index];
    if (late === undefined) return;
    if (this.#random.chance(0.7)) this.#late.splice(index, 1);
    this.#begin(this.#node.ask({ kind: 'report', ...late }, `member:${late.member}`));
  }

  get #observed(): Observed {
    return { now: this.now, lastSeen: new Map(this.agents.map(({ member }) => [member, this.now])), since: 0 };
  }

  /** Faults are over: everything comes to rest, at the latest when the last deadline has passed (P-4). */
  async #drain(): Promise<void> {
    for (const node of this.#nodes) node.offset = 0;
    for (const agent of this.agents) agent.online = true;
    await this.#turns.run(turnsMax, (owner) => this.#mayDie(owner));
    let [head, quietRounds] = [0, 0];
    for (let round = 0; round < 600; round += 1) {
      for (const agent of this.agents) {
        this.#talk(agent, this.#node);
        // Every process hears of everybody, so that nobody is given up while time is skipped.
        for (const node of this.#nodes) node.lastSeen.set(agent.member, node.clockNow);
      }
      await this.#turns.run(turnsMax, (owner) => this.#mayDie(owner));
      for (const node of this.#nodes) this.#begin(node.settle());
      await this.#turns.run(turnsMax, (owner) => this.#mayDie(owner));
      if (this.broken.length > 0) throw new Error(`afterwards: ${this.broken.join('\n')}`);
      const decision = decide(this.state, this.#observed);
      const busy = decision.events.length > 0 || decision.effects.length > 0 || this.agents.some((agent) => !agent.idle && agent.outbox.length > 0);
      if (!busy && this.#quiet()) return this.#checkEnd();
      // Nothing came of a few rounds: what waits, waits for time.
      quietRounds = this.state.head === head ? quietRounds + 1 : 0;
      head = this.state.head;
      const next = busy || quietRounds < 2 ? this.now : Math.min(decision.nextCheckAt ?? Infinity, this.now + 3 * hourMs);
      this.now = Math.max(this.now + 1000, next);
    }
    throw new Error(`P-4: never at rest: ${JSON.stringify([...this.state.environments.values()].map(({ environment, activeDeployment, waiting }) => ({ environment, waiting, active: this.state.deployments.get(activeDeployment ?? '') })))}`);
  }

  #quiet(): boolean {
    return [...this.state.environments.values()].every(({ activeDeployment, continuing }) => activeDeployment === undefined && continuing === undefined) && [...this.state.runs.values()].every((run) => run.phase !== 'running');
  }

  /** What must hold of the whole of it. */
  #checkEnd(): void {
    const { state, entries } = this;
    const say = (what: string): never => {
      throw new Error(`at the end: ${what}`);
    };
    if (!isDeepStrictEqual(evolveAll(initialState(), entries), state)) say('the journal folds to another state at once than entry by entry');
    for (const node of this.#nodes) if (node.projection !== undefined && !isDeepStrictEqual(node.projection.state(), state)) say('a process believes something else than the journal says');
    entries.forEach((entry, index) => void (entry.seq === index + 1 || say(`O-1: entry ${entry.seq} is at place ${index + 1}`)));
    const started = facts(entries, 'deployment.started').filter(({ type }) => type !== 'catch-up' && type !== 'prefetch').map(({ promotion }) => promotion);
    if (new Set(started).size !== started.length) say('P-1: a promotion was deployed twice');
    const created = facts(entries, 'promotion.created').map(({ promotion }) => promotion);
    if (new Set(created).size !== created.length) say('P-1: a promotion was created twice');
    for (const { environment, waiting, role } of state.environments.values()) {
      if (role !== undefined && this.#repository.role(environment)?.version !== role.version) say(`P-3: the role of ${environment} is not what was published last`);
      for (const id of waiting) this.#checkWaiting(id, say);
    }
    for (const agent of this.agents) {
      const recorded = state.members.get(agent.member)?.running['web']?.revision;
      if (recorded !== agent.running) say(`${agent.member} runs ${agent.running}, and ${recorded} is on record`);
    }
  }

  /** P-4: what waits has a reason, and each reason that ends by time says when. */
  #checkWaiting(id: string, say: (what: string) => never): void {
    const promotion = this.state.promotions.get(id);
    if (promotion === undefined) return say(`${id} waits and is not there`);
    const { blockers, nextCheckAt } = evaluateGates(this.state, promotion, this.#observed);
    if (blockers.length === 0) say(`P-4: ${id} waits for nothing`);
    for (const { type, until } of blockers) {
      if (until !== undefined && (nextCheckAt === undefined || nextCheckAt > until)) say(`P-4: ${id} waits for ${type} until ${until}, and is looked at again only at ${nextCheckAt}`);
      if (type === 'window' && nextCheckAt === undefined) say(`P-4: ${id} waits for a window and is never looked at again`);
    }
  }
}

function facts<K extends Event['kind']>(entries: readonly JournalEntry[], kind: K): readonly Extract<Event, { readonly kind: K }>[] {
  return entries.flatMap(({ event }) => (isKind(event, kind) ? [event] : []));
}

function isKind<K extends Event['kind']>(event: Event, kind: K): event is Extract<Event, { readonly kind: K }> {
  return event.kind === kind;
}
