// P12: one event folded and decided upon, with 10,000 targets in 50 environments of one pipeline, while a deployment is under way in one of them: the
// report of a target, which is what comes most often, and how that grows with the fleet. The state is made of facts, as the journal would.

import { decide } from '../control/core/decide.ts';
import { evolve, evolveAll, initialState } from '../control/core/evolve.ts';
import { handle } from '../control/core/commands.ts';
import type { Command } from '../control/core/command.ts';
import { orderIssued, rolePublished } from '../control/core/effects.ts';
import type { UnsignedOrder } from '../control/core/effects.ts';
import type { State } from '../control/core/model.ts';
import type { Observed } from '../control/core/select.ts';
import { deploymentDefaults } from '../proto/api/environments.ts';
import type { Event, JournalEntry } from '../proto/events.ts';
import type { PipelineSpec } from '../proto/pipeline.ts';
import { median, printRow } from './rows.ts';

const now = Date.parse('2026-06-01T12:00Z');
const environmentsOf = 50;
const events = 300;
const digest = (number: number): string => String(number).padStart(64, '0');

/** A fleet as the journal has it: `targets` machines, spread over the environments, and a pipeline over all of them. */
class Fleet {
  state: State = initialState();
  readonly observed: Observed;

  constructor(targets: number) {
    const environments = Array.from({ length: environmentsOf }, (_, index) => `env-${String(index).padStart(2, '0')}`);
    const joined: Event[] = Array.from({ length: targets }, (_, index): Event => {
      const environment = environments[index % environmentsOf] ?? '';
      return { kind: 'member.enrolled', member: `member-${index}`, name: `machine-${index}`, publicKey: `key-${index}`, roles: ['agent'], environments: [environment], labels: { env: environment, zone: `zone-${index % 3}` }, attributes: {}, serial: index, token: 'none' };
    });
    this.append(joined);
    const spec: PipelineSpec = {
      executionMode: 'superseded',
      stages: environments.map((environment) => ({ stage: environment, environments: [{ environment, windows: ['hours'], windowsHoldRollback: false }] })),
      edges: environments.map((environment) => ({
        edge: `to-${environment}`, to: environment, apps: ['web'], auto: true, select: [{ by: 'number' as const }], after: [], windows: [],
        from: { kind: 'app' as const, app: 'web' },
      })),
      windows: [{ window: 'hours', kind: 'allow', timeZone: 'Europe/Berlin', schedule: { kind: 'weekly', rows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], times: { from: '06:00', to: '22:00' } }] }, onClose: 'pause' }],
      workflows: [],
      policies: [],
    };
    const config = { ...deploymentDefaults, maxParallel: '25%' as const, minHealthy: '50%' as const };
    this.ask({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec, apps: ['web'], environments: environments.map((environment) => ({ environment, apps: ['web'], selector: { env: environment }, config })) });
    this.observed = { now, lastSeen: new Map([...this.state.members.keys()].map((member) => [member, now])), since: 0 };
    this.#push(1);
    this.#settle();
    this.#push(2);
  }

  #push(number: number): void {
    this.ask({ kind: 'register-revision', app: 'web', revision: digest(number), cid: `cid${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }

  /** One decision with all that it asks for; the orders in it. */
  step(): { readonly orders: readonly UnsignedOrder[]; readonly idle: boolean } {
    const { events: facts, effects } = decide(this.state, this.observed);
    this.append(facts);
    for (const effect of effects) this.append([effect.kind === 'publish-role' ? rolePublished(effect, 1) : orderIssued(effect.order, 'compact', digest(this.state.head))]);
    return { orders: effects.flatMap((effect) => (effect.kind === 'sign-order' ? [effect.order] : [])), idle: facts.length === 0 && effects.length === 0 };
  }

  /** Every machine does at once what it is told, until every environment runs the newest revision. */
  #settle(): void {
    for (let round = 0; round < 20_000; round += 1) {
      const { orders, idle } = this.step();
      if (idle) return;
      this.append(
        orders.flatMap(({ deployment, environment, app, seq, action, targets }) =>
          targets.map((member): Event => ({ kind: 'target.reported', member, report: { deployment, environment, app, seq, reportNo: seq, phase: action === 'prefetch' ? 'verified' : 'committed', at: now } })),
        ),
      );
    }
    throw new Error('the fleet did not come to rest');
  }

  append(facts: readonly Event[]): void {
    this.state = evolveAll(this.state, facts.map((event, index) => ({ seq: this.state.head + index + 1, at: now, actor: 'system', event })));
  }

  ask(command: Command): void {
    const answer = handle(this.state, command, now);
    if (answer.kind === 'refused') throw new Error(answer.message);
    this.append(answer.events);
  }

  /** Decides until a first target of the first environment is told to activate. */
  start(): void {
    for (let round = 0; round < 1_000; round += 1) if (this.step().orders.some(({ action }) => action === 'activate')) return;
    throw new Error('nothing was activated');
  }
}

/** Milliseconds of each event: a report of progress, folded and decided upon. */
function measure(targets: number): readonly number[] {
  const fleet = new Fleet(targets);
  fleet.start();
  const deployment = [...fleet.state.deployments.values()].at(-1);
  if (deployment === undefined) throw new Error('there is no deployment');
  const [member = ''] = deployment.batches[0]?.targets ?? [];
  const seq = fleet.state.environments.get(deployment.environment)?.orderSeq ?? 0;
  return Array.from({ length: events }, (_, index) => {
    const entry: JournalEntry = {
      seq: fleet.state.head + 1, at: now, actor: `member:${member}`,
      event: { kind: 'target.reported', member, report: { deployment: deployment.deployment, environment: deployment.environment, app: 'web', seq, reportNo: 1_000_000 + index, phase: 'downloading', at: now } },
    };
    const startedAt = performance.now();
    fleet.state = evolve(fleet.state, entry);
    decide(fleet.state, fleet.observed);
    return performance.now() - startedAt;
  });
}

for (const targets of process.argv.includes('--full') ? [100, 1_000, 10_000] : [10_000]) {
  // The first ones are the compiler's.
  const times = measure(targets).slice(events / 3);
  printRow({
    row: 'P12', case: `one event, ${targets} targets, ${environmentsOf} environments`, figure: median(times), unit: 'ms', goal: 5, runs: times.length,
    details: { p99: Number((times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0).toFixed(2)) },
  });
}
