// Stages and promotions of a file as the graph of the model: which application comes to which environment from where. Each
// (environment, application) has one source (CDS-3), and following the promotions never leads back.

import type { EdgeSpec, SelectKey } from '../../proto/pipeline.ts';
import { approvalOf } from './compile-workflows.ts';
import type { Findings } from './findings.ts';
import { hint } from './problem.ts';
import type { PipelineText, PromotionText, SelectKeyWritten } from './schema.ts';
import type { Path } from './source.ts';
import { durationMs } from './units.ts';

/** What the rest of a file defines, by name. */
export interface Known {
  readonly apps: readonly string[];
  readonly environments: readonly string[];
  readonly windows: readonly string[];
}

const path: Path = ['spec', 'promotions'];
const digestPattern = /^[0-9a-f]{64}$/;

export interface CompiledGraph {
  readonly edges: readonly EdgeSpec[];
  /** Which applications each environment gets, in the order of the file's. */
  readonly carried: ReadonlyMap<string, readonly string[]>;
  /** Whether every promotion has a source and a destination, so that what nothing comes to is meant so. */
  readonly sound: boolean;
}

/** Edges in the order of the file. */
export function graphOf(spec: PipelineText['spec'], known: Known, findings: Findings): CompiledGraph {
  const resolved = spec.promotions.map((written, index) => referencesOf(written, [...path, index], known, findings)).every(Boolean);
  const looping = resolved ? circle(spec.promotions) : [];
  if (looping.length > 0) {
    const index = spec.promotions.findIndex(({ to }) => to === looping[0]);
    findings.problem([...path, index, 'to'], `promotions go in a circle through ${looping.join(', ')}; each needs a way that begins at an application`);
  }
  // What follows from a wrong name would only hide it.
  const sound = resolved && looping.length === 0;
  const carried = flow(spec.promotions, known.apps);
  const names = edgeNames(spec.promotions);
  const edges = spec.promotions.map((written, index) => {
    const apps = carriedBy(written, carried, known.apps);
    if (sound) appProblems(written, apps, [...path, index], carried, findings);
    return edgeOf(written, names[index] ?? '', apps, [...path, index], findings);
  });
  edges.forEach(({ edge }, index) => {
    if (edge.length > 64) findings.problem([...path, index], `give this promotion a name of at most 64 characters: '${edge}' is too long`);
  });
  if (sound) sourceProblems(edges, findings);
  for (const { environment, at } of sound ? environmentsOf(spec) : []) {
    if (!spec.promotions.some(({ to }) => to === environment)) findings.problem(at, `nothing is promoted to environment '${environment}': name it in 'promotions', or leave it out`);
  }
  return { edges, carried, sound };
}

/** Every environment of a file with the place of its name. */
export function environmentsOf({ stages }: PipelineText['spec']): readonly { readonly environment: string; readonly at: Path }[] {
  return stages.flatMap((stage, nth) => stage.environments.map((one, index) => ({ environment: one.name, at: ['spec', 'stages', nth, 'environments', index, 'name'] })));
}

function referencesOf(written: PromotionText, at: Path, known: Known, findings: Findings): boolean {
  const { from, to, apps = [], after = [], windows = [] } = written;
  const both = Object.keys(from).length;
  if (both !== 1) findings.problem([...at, 'from'], both === 0 ? 'expected {app: NAME} or {environment: NAME}' : "a promotion has one source: keep 'app' or 'environment'");
  const found = [
    from.app === undefined || findings.reference([...at, 'from', 'app'], 'application', from.app, known.apps),
    from.environment === undefined || findings.reference([...at, 'from', 'environment'], 'environment', from.environment, known.environments),
    findings.reference([...at, 'to'], 'environment', to, known.environments),
    findings.references([...at, 'apps'], 'application', apps, known.apps),
    findings.references([...at, 'after'], 'environment', after, known.environments),
    findings.references([...at, 'windows'], 'window', windows, known.windows),
  ];
  if (from.environment === to) findings.problem([...at, 'to'], `'${to}' is promoted to itself`);
  if (after.includes(to)) findings.problem([...at, 'after', after.indexOf(to)], `'${to}' waits for itself`);
  const other = from.app !== undefined && written.apps !== undefined && written.apps.join() !== from.app;
  if (other) findings.problem([...at, 'apps'], `a promotion from application '${from.app}' carries that alone; write apps: [${from.app}], or leave it out`);
  return both === 1 && found.every(Boolean) && from.environment !== to && !after.includes(to) && !other;
}

/** Which applications each environment gets: from its sources, theirs from their sources, and so on. */
function flow(promotions: readonly PromotionText[], apps: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const carried = new Map<string, Set<string>>();
  // Each round carries one promotion further; the longest way has as many as there are.
  for (let round = 0; round <= promotions.length; round += 1) {
    let grown = false;
    for (const written of promotions) {
      const there = carried.get(written.to) ?? new Set<string>();
      const before = there.size;
      for (const app of carriedBy(written, carried, apps)) there.add(app);
      carried.set(written.to, there);
      grown ||= there.size > before;
    }
    if (!grown) break;
  }
  return new Map([...carried].map(([environment, there]) => [environment, apps.filter((app) => there.has(app))]));
}

function carriedBy({ from, apps }: PromotionText, carried: ReadonlyMap<string, Iterable<string>>, order: readonly string[]): readonly string[] {
  const source = from.app === undefined ? [...(carried.get(from.environment ?? '') ?? [])] : [from.app];
  return order.filter((app) => (apps === undefined ? source.includes(app) : apps.includes(app)));
}

function appProblems({ from, apps }: PromotionText, carries: readonly string[], at: Path, carried: ReadonlyMap<string, readonly string[]>, findings: Findings): void {
  if (from.environment === undefined) return;
  const source = carried.get(from.environment) ?? [];
  apps?.forEach((app, index) => {
    if (!source.includes(app)) findings.problem([...at, 'apps', index], `nothing brings '${app}' to '${from.environment}', so that it cannot go on from there${hint(app, source)}`);
  });
  if (carries.length === 0 && (apps === undefined || apps.length === 0)) findings.problem(at, `nothing comes to '${from.environment}', so that nothing can go on from there`);
}

function edgeOf(written: PromotionText, edge: string, apps: readonly string[], at: Path, findings: Findings): EdgeSpec {
  const { from, soak, approval } = written;
  const soakMs = durationMs(soak ?? '');
  if (approval !== undefined && (approval.rules?.length ?? 0) === 0) findings.problem([...at, 'approval'], "'rules' is missing: who must approve, such as [{group: qa, count: 1}]");
  return {
    edge,
    from: from.app === undefined ? { kind: 'environment', environment: from.environment ?? '' } : { kind: 'app', app: from.app },
    to: written.to,
    apps,
    auto: written.auto ?? false,
    select: selectOf(written.select ?? 'latest', [...at, 'select'], findings),
    ...(approval === undefined ? {} : { approval: approvalOf(approval) }),
    ...(soakMs === undefined ? {} : { soakMs }),
    after: written.after ?? [],
    windows: written.windows ?? [],
  };
}

function selectOf(written: NonNullable<PromotionText['select']>, at: Path, findings: Findings): readonly SelectKey[] {
  const keys: readonly SelectKeyWritten[] = typeof written === 'object' && 'order' in written ? written.order : [written];
  return keys.map((key) => {
    if (typeof key === 'string') return { by: key };
    if ('author' in key) return { by: 'author', authors: key.author };
    const wrong = key.list.find((revision) => !digestPattern.test(revision));
    if (wrong !== undefined) findings.problem(at, `'${wrong}' is not the digest of a revision: 64 characters from 0 to f, as \`starling app revisions NAME -o json\` shows`);
    return { by: 'list', revisions: key.list };
  });
}

/** Names of edges in the order of the file: what they are called, or `from-to-to`, numbered from the second of the same on. */
export function edgeNames(promotions: readonly Pick<PromotionText, 'name' | 'from' | 'to'>[]): readonly string[] {
  const taken = new Set(promotions.flatMap(({ name }) => name ?? []));
  return promotions.map(({ name, from, to }) => {
    if (name !== undefined) return name;
    const plain = `${from.app ?? from.environment ?? ''}-to-${to}`;
    let unique = plain;
    for (let nth = 2; taken.has(unique); nth += 1) unique = `${plain}-${nth}`;
    taken.add(unique);
    return unique;
  });
}

function sourceProblems(edges: readonly EdgeSpec[], findings: Findings): void {
  const sources = new Map<string, string>();
  const names = new Set<string>();
  edges.forEach(({ edge, to, apps }, index) => {
    if (names.has(edge)) findings.problem([...path, index, 'name'], `promotion '${edge}' is there twice`);
    names.add(edge);
    const others = Map.groupBy(apps.filter((app) => sources.has(`${app} ${to}`)), (app) => sources.get(`${app} ${to}`) ?? '');
    for (const [first, twice] of others) {
      findings.problem([...path, index], `${twice.join(', ')} in '${to}' ${twice.length === 1 ? 'has' : 'have'} two sources, '${first}' and '${edge}': each application comes to an environment from one; say 'apps' at one of them, or use 'after' to wait for another environment`);
    }
    for (const app of apps) if (!sources.has(`${app} ${to}`)) sources.set(`${app} ${to}`, edge);
  });
}

/** Environments on a way that comes back to where it began; empty when there is none. */
function circle(promotions: readonly PromotionText[]): readonly string[] {
  const before = new Map<string, string[]>();
  for (const { from, to, after = [] } of promotions) before.set(to, [...(before.get(to) ?? []), ...after, ...(from.environment === undefined ? [] : [from.environment])]);
  let open = [...before.keys()];
  for (;;) {
    // In a circle is what comes from one that is, and goes on to one that is.
    const goesOn = (environment: string): boolean => open.some((next) => before.get(next)?.includes(environment) === true);
    const left = open.filter((environment) => goesOn(environment) && (before.get(environment) ?? []).some((source) => open.includes(source)));
    if (left.length === open.length) return left;
    open = left;
  }
}
