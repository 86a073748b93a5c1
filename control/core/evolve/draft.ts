// Copy-on-write over the state's maps: one Draft folds many entries and copies what they touch once.
// What the entries mean is evolve.ts and deployment.ts.

import type { AutoBuild, Build } from '../model/build.ts';
import type { ApprovalRequest, WorkflowRun } from '../model/approval.ts';
import type { DescribedRevision, EnvironmentSets, Pipeline } from '../model/pipeline.ts';
import type { Freeze, Hold, Lock, Pin, Switch, Veto } from '../model/restraints.ts';
import { editable, withChanges } from '../model/shared-map.ts';
import type { EditableMap } from '../model/shared-map.ts';
import type { Deployment, IssuedOrder, TargetDeployment } from '../model/deployment.ts';
import { withDay } from '../model/roster.ts';
import type { App, Environment, Member, Promotion, RosterDay, State, Token } from '../model/model.ts';

/** A value that its draft owns and may change in place. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A map of which only what is edited is copied. */
export class MapDraft<V extends object | string> {
  readonly #base: ReadonlyMap<string, V>;
  readonly #copy: (value: V) => Mutable<V>;
  /** Copies that this draft owns; `undefined` is one that was taken out. */
  readonly #changes = new Map<string, Mutable<V> | undefined>();

  constructor(base: ReadonlyMap<string, V>, copy: (value: V) => Mutable<V>) {
    this.#base = base;
    this.#copy = copy;
  }

  get(key: string): V | undefined {
    const own = this.#changes.get(key);
    return own !== undefined || this.#changes.has(key) ? own : this.#base.get(key);
  }

  /** The value to be changed in place; undefined when there is none. */
  edit(key: string): Mutable<V> | undefined {
    const own = this.#changes.get(key);
    if (own !== undefined || this.#changes.has(key)) return own;
    const value = this.#base.get(key);
    return value === undefined ? undefined : this.set(key, value);
  }

  /** Puts a copy of `value`, and returns the copy. */
  set(key: string, value: V): Mutable<V> {
    const copy = this.#copy(value);
    this.#changes.set(key, copy);
    return copy;
  }

  /** Takes a value out; nothing happens when there is none. */
  delete(key: string): void {
    if (this.get(key) !== undefined) this.#changes.set(key, undefined);
  }

  values(): Iterable<V> {
    return this.result().values();
  }

  /** Keys of what was changed, put or taken out. */
  changed(): Iterable<string> {
    return this.#changes.keys();
  }

  result(): ReadonlyMap<string, V> {
    return withChanges<V>(this.#base, this.#changes);
  }
}

type Targets = EditableMap<TargetDeployment>;

/** The state while entries are folded into it. Use once: after `result()` nothing may be edited. */
export class Draft {
  head: number;
  rosterEpoch: number;
  rosterAt: number;
  rosterDays: readonly RosterDay[];
  readonly apps: MapDraft<App>;
  readonly environments: MapDraft<Environment>;
  readonly tokens: MapDraft<Token>;
  readonly members: MapDraft<Member>;
  readonly names: MapDraft<string>;
  /** Members that joined or were revoked, those that joined last at the end. */
  readonly moved = new Set<string>();
  /** As State.agents: each to be changed in place. */
  readonly agents: MapDraft<readonly string[]>;
  /** As State.targets: each to be changed in place. */
  readonly targeted: MapDraft<readonly Member[]>;
  readonly adrift: MapDraft<readonly string[]>;
  readonly promotions: MapDraft<Promotion>;
  readonly deployments: MapDraft<Deployment>;
  readonly pipelines: MapDraft<Pipeline>;
  readonly retired: MapDraft<Pipeline>;
  readonly sets: MapDraft<EnvironmentSets>;
  readonly descriptions: MapDraft<DescribedRevision>;
  readonly switches: MapDraft<Switch>;
  readonly holds: MapDraft<Hold>;
  readonly pins: MapDraft<Pin>;
  readonly vetoes: MapDraft<Veto>;
  readonly locks: MapDraft<Lock>;
  readonly freezes: MapDraft<Freeze>;
  readonly requests: MapDraft<ApprovalRequest>;
  readonly runs: MapDraft<WorkflowRun>;
  readonly autoBuilds: MapDraft<AutoBuild>;
  readonly builds: MapDraft<Build>;
  readonly #base: State;
  readonly #targets = new Map<string, Targets>();
  readonly #revisions = new Map<string, App['revisions'][number][]>();
  readonly #orders = new Map<string, readonly IssuedOrder[]>();

  constructor(base: State) {
    this.#base = base;
    this.head = base.head;
    this.rosterEpoch = base.rosterEpoch;
    this.rosterAt = base.rosterAt;
    this.rosterDays = base.rosterDays;
    this.apps = new MapDraft<App>(base.apps, (value) => ({ ...value }));
    this.environments = new MapDraft<Environment>(base.environments, (value) => ({ ...value }));
    this.tokens = new MapDraft<Token>(base.tokens, (value) => ({ ...value }));
    this.adrift = new MapDraft<readonly string[]>(base.adrift, (value) => [...value]);
    this.agents = new MapDraft<readonly string[]>(base.agents, (value) => [...value]);
    this.targeted = new MapDraft<readonly Member[]>(base.targets, (value) => [...value]);
    this.members = new MapDraft<Member>(base.members, (value) => ({ ...value }));
    this.names = new MapDraft<string>(base.names, (value) => value);
    this.promotions = new MapDraft<Promotion>(base.promotions, (value) => ({ ...value }));
    this.deployments = new MapDraft<Deployment>(base.deployments, (value) => ({ ...value }));
    this.pipelines = new MapDraft<Pipeline>(base.pipelines, (value) => ({ ...value }));
    this.retired = new MapDraft<Pipeline>(base.retired, (value) => ({ ...value }));
    this.sets = new MapDraft<EnvironmentSets>(base.sets, (value) => ({ ...value }));
    this.descriptions = new MapDraft<DescribedRevision>(base.descriptions, (value) => ({ ...value }));
    this.switches = new MapDraft<Switch>(base.switches, (value) => ({ ...value }));
    this.holds = new MapDraft<Hold>(base.holds, (value) => ({ ...value }));
    this.pins = new MapDraft<Pin>(base.pins, (value) => ({ ...value }));
    this.vetoes = new MapDraft<Veto>(base.vetoes, (value) => ({ ...value }));
    this.locks = new MapDraft<Lock>(base.locks, (value) => ({ ...value }));
    this.freezes = new MapDraft<Freeze>(base.freezes, (value) => ({ ...value }));
    this.requests = new MapDraft<ApprovalRequest>(base.requests, (value) => ({ ...value }));
    this.runs = new MapDraft<WorkflowRun>(base.runs, (value) => ({ ...value }));
    this.autoBuilds = new MapDraft<AutoBuild>(base.autoBuilds, (value) => ({ ...value }));
    this.builds = new MapDraft<Build>(base.builds, (value) => ({ ...value }));
  }

  /** The roster is another from now on. Returns its epoch. */
  changeRoster(at: number): number {
    this.rosterEpoch += 1;
    this.rosterAt = at;
    this.rosterDays = withDay(this.rosterDays, this.rosterEpoch, at);
    return this.rosterEpoch;
  }

  /** The targets of a deployment, to be changed in place: ten thousand of them are shared with the state before. */
  targets(deployment: string): Targets {
    const owned = this.#targets.get(deployment);
    if (owned !== undefined) return owned;
    const draft = this.deployments.edit(deployment);
    const copy: Targets = editable(draft?.targets ?? new Map<string, TargetDeployment>());
    this.#targets.set(deployment, copy);
    if (draft !== undefined) draft.targets = copy;
    return copy;
  }

  /** Environments that are new, or select their targets by other labels than before. */
  reselected(): readonly string[] {
    return [...this.environments.changed()].filter((id) => this.environments.get(id)?.selector !== this.#base.environments.get(id)?.selector);
  }

  /** Those that a member was in before; none of one that is new. */
  environmentsBefore(member: string): readonly string[] {
    return this.#base.members.get(member)?.environments ?? [];
  }

  /** Environments of members whose labels are others than before: they may be targets there now, or no longer. */
  relabelled(): readonly string[] {
    return [...this.members.changed()].flatMap((id) => {
      const before = this.#base.members.get(id);
      const now = this.members.get(id);
      return before === undefined || now === undefined || before.labels === now.labels ? [] : now.environments;
    });
  }

  /** The revisions of an application, to be appended to in place. */
  revisions(app: string): App['revisions'][number][] {
    const owned = this.#revisions.get(app);
    if (owned !== undefined) return owned;
    const draft = this.apps.edit(app);
    const copy = [...(draft?.revisions ?? [])];
    this.#revisions.set(app, copy);
    if (draft !== undefined) draft.revisions = copy;
    return copy;
  }

  orders(environment: string): readonly IssuedOrder[] {
    return this.#orders.get(environment) ?? this.#base.orders.get(environment) ?? [];
  }

  setOrders(environment: string, orders: readonly IssuedOrder[]): void {
    this.#orders.set(environment, orders);
  }

  result(): State {
    return {
      head: this.head,
      apps: this.apps.result(),
      environments: this.environments.result(),
      tokens: this.tokens.result(),
      members: this.members.result(),
      names: this.names.result(),
      agents: this.agents.result(),
      targets: this.targeted.result(),
      adrift: this.adrift.result(),
      promotions: this.promotions.result(),
      deployments: this.deployments.result(),
      orders: this.#orders.size === 0 ? this.#base.orders : new Map([...this.#base.orders, ...this.#orders]),
      rosterEpoch: this.rosterEpoch,
      rosterAt: this.rosterAt,
      rosterDays: this.rosterDays,
      pipelines: this.pipelines.result(),
      retired: this.retired.result(),
      sets: this.sets.result(),
      descriptions: this.descriptions.result(),
      switches: this.switches.result(),
      holds: this.holds.result(),
      pins: this.pins.result(),
      vetoes: this.vetoes.result(),
      locks: this.locks.result(),
      freezes: this.freezes.result(),
      requests: this.requests.result(),
      runs: this.runs.result(),
      autoBuilds: this.autoBuilds.result(),
      builds: this.builds.result(),
    };
  }
}
