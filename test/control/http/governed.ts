// A control plane that runs, over a pipeline with two stages that was put on record before it started: for tests about what holds
// promotions back and what people say to them. Nothing is ever installed: no machine of it speaks.

import { ManualClock, TestControl } from './harness.ts';
import { openLevelJournal } from '../../../control/journal/level.ts';
import type { Journal } from '../../../control/journal/journal.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import type { PipelineSpec } from '../../../proto/pipeline.ts';
import { PipelineWorld, config, digestOf, edge, pipeline } from '../../support/pipeline-world.ts';

/** Monday noon, UTC. */
export const monday = Date.parse('2026-06-01T12:00Z');

/** A clock that stands still until it is told to go on. */
export class StillClock extends ManualClock {
  #at: number;

  constructor(at = monday) {
    super();
    this.#at = at;
  }

  override now(): number {
    return this.#at;
  }

  override pass(ms: number): void {
    this.#at += ms;
    super.pass(ms);
  }
}

/** People and programs by name, with the text of their tokens. */
export type Tokens = Readonly<Record<string, string>>;

export interface Governed extends AsyncDisposable {
  readonly control: TestControl;
  readonly clock: StillClock;
  /** A token for a person; the same name is the same person. */
  person(name: string, groups?: readonly string[], scopes?: readonly string[]): Promise<string>;
}

/** Application `web` with revisions 1 to `pushed`, of which 1 to `inAlpha` succeeded in alpha; environment prod with two targets. */
export interface GovernedOptions {
  readonly spec?: PipelineSpec;
  readonly pushed?: number;
  readonly inAlpha?: number;
  readonly more?: readonly Event[];
  readonly clock?: StillClock;
}

/** By hand from alpha to prod, so that nothing goes before a test says so. */
export const byHand = pipeline({ edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })] });

export async function governed({ spec = byHand, pushed = 2, inAlpha = 1, more = [], clock = new StillClock() }: GovernedOptions = {}): Promise<Governed> {
  const world = recorded(spec, pushed, inAlpha);
  world.append(more, 'system');
  const control = await TestControl.start({ clock, openJournal: async (directory) => await seeded(await openLevelJournal(directory), world.journal) });
  return {
    control,
    clock,
    person: async (name, groups = [], scopes = ['read:*', 'approve:*']) => (await control.post('/v1/tokens', { use: 'api', name, scopes, groups })).body.text,
    [Symbol.asyncDispose]: async () => await control[Symbol.asyncDispose](),
  };
}

/** The facts of such a pipeline, as the pure world keeps them. */
export function recorded(spec: PipelineSpec, pushed: number, inAlpha: number): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  world.ask({ kind: 'create-environment', environment: 'alpha', app: 'web', selector: { env: 'alpha' }, config });
  for (let number = 1; number <= pushed; number += 1) world.push(number);
  world.apply(spec);
  for (let number = 1; number <= inAlpha; number += 1) world.append(arrived(number), 'system');
  return world;
}

/** The facts of a deployment to alpha that succeeded, where there was no target. */
function arrived(number: number): readonly Event[] {
  const [promotion, deployment, revision] = [`seed-${number}`, `alpha-${number}`, digestOf(number)];
  return [
    { kind: 'promotion.created', promotion, environment: 'alpha', app: 'web', revision, number, trigger: 'manual' },
    { kind: 'deployment.started', deployment, promotion, environment: 'alpha', app: 'web', type: 'promote', seq: number, to: revision, number, config, batches: [[]] },
    { kind: 'deployment.finished', deployment, phase: 'succeeded' },
    { kind: 'promotion.finished', promotion, phase: 'succeeded' },
  ];
}

async function seeded(journal: Journal, entries: readonly JournalEntry[]): Promise<Journal> {
  if (journal.head() > 0) return journal;
  // In one append for each change of the actor: an entry's time is its batch's.
  for (let from = 0; from < entries.length; ) {
    const first = entries[from];
    if (first === undefined) break;
    const to = entries.findIndex((entry, at) => at > from && (entry.actor !== first.actor || entry.at !== first.at));
    const batch = entries.slice(from, to < 0 ? entries.length : to);
    await journal.append({ actor: first.actor, at: first.at, events: batch.map(({ event }) => event) }, journal.head());
    from += batch.length;
  }
  return journal;
}
