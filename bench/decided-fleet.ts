// A fleet that only decides: the core's own state and rules over facts made here, without a network, a disk or a clock, for what is measured of decisions and of the
// journal that they fill. Machines answer at once whatever they are told.

import { decide } from '../control/core/decide.ts';
import { evolveAll, initialState } from '../control/core/evolve/evolve.ts';
import { handle } from '../control/core/answers/handle.ts';
import type { Command } from '../control/core/commands/command.ts';
import { issued, rolePublished } from '../control/core/effects.ts';
import type { UnsignedOrder } from '../control/core/effects.ts';
import type { State } from '../control/core/model/model.ts';
import type { Observed } from '../control/core/model/select.ts';
import { deploymentDefaults } from '../proto/api/environments.ts';
import type { Event } from '../proto/events.ts';
import type { PipelineSpec } from '../proto/pipeline.ts';

/** Now, in milliseconds since 1970: nothing here waits. */
export const now = Date.parse('2026-06-01T12:00Z');
/** Environments, each fed by the application itself. */
export const environmentsOf = 50;
/** What a machine reports of an order that succeeds. */
const phases = { prefetch: ['downloading', 'verified'], activate: ['activating', 'health-checking', 'committed'] } as const;
const digest = (number: number): string => String(number).padStart(64, '0');

/** A fleet as the journal has it: `targets` machines, spread over the environments, and a pipeline over all of them. */
export class DecidedFleet {
  state: State = initialState();
  readonly observed: Observed;
  readonly #record: (facts: readonly Event[]) => void;

  /** `record` is told every fact, in order. */
  constructor(targets: number, record: (facts: readonly Event[]) => void = () => {}) {
    this.#record = record;
    const environments = Array.from({ length: environmentsOf }, (_, index) => `env-${String(index).padStart(2, '0')}`);
    this.append(Array.from({ length: targets }, (_, index) => enrolled(index, environments[index % environmentsOf] ?? '')));
    const config = { ...deploymentDefaults, maxParallel: '25%' as const, minHealthy: '50%' as const };
    this.ask({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec: pipelineOver(environments), apps: ['web'], environments: environments.map((environment) => ({ environment, apps: ['web'], selector: { env: environment }, config })) });
    this.observed = { now, lastSeen: new Map([...this.state.members.keys()].map((member) => [member, now])), since: 0 };
  }

  /** A revision reaches every machine. */
  deploy(number: number): void {
    this.push(number);
    this.#settle();
  }

  push(number: number): void {
    this.ask({ kind: 'register-revision', app: 'web', revision: digest(number), cid: `cid${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }

  /** One decision with all that it asks for, over what was observed; the orders in it. */
  step(observed: Observed = this.observed): { readonly orders: readonly UnsignedOrder[]; readonly idle: boolean } {
    const { events: facts, effects } = decide(this.state, observed);
    this.append(facts);
    for (const effect of effects) this.append(effect.kind === 'publish-role' ? [rolePublished(effect.environment, 1, effect.revisions)] : issued(effect.orders, () => ['compact', digest(this.state.head)]));
    return { orders: effects.flatMap((effect) => (effect.kind === 'sign-orders' ? effect.orders : [])), idle: facts.length === 0 && effects.length === 0 };
  }

  /** Every machine does at once what it is told, until every environment runs the newest revision. */
  #settle(): void {
    for (let round = 0; round < 20_000; round += 1) {
      const { orders, idle } = this.step();
      if (idle) return;
      this.append(
        orders.flatMap(({ deployment, environment, app, seq, action, targets }) =>
          targets.flatMap((member) => phases[action === 'prefetch' ? 'prefetch' : 'activate'].map((phase, index): Event => ({ kind: 'target.reported', member, report: { deployment, environment, app, seq, reportNo: seq * 10 + index, phase, at: now } }))),
        ),
      );
    }
    throw new Error('the fleet did not come to rest');
  }

  append(facts: readonly Event[]): void {
    this.#record(facts);
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

function enrolled(index: number, environment: string): Event {
  return { kind: 'member.enrolled', member: `member-${index}`, name: `machine-${index}`, publicKey: `key-${index}`, roles: ['agent'], environments: [environment], labels: { env: environment, zone: `zone-${index % 3}` }, attributes: {}, serial: index, token: 'none' };
}

/** Each environment a stage of its own, open in working hours. */
function pipelineOver(environments: readonly string[]): PipelineSpec {
  return {
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
}
