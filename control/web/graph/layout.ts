// Where things stand in the picture of a pipeline: stages are columns, arrows go from left to right. Pure, and a function of what there is
// and not of how it is going, so that nothing moves while somebody looks.

import { graphlib, layout } from '@dagrejs/dagre';
import type { Graph } from '../../../proto/api/pipelines.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle by its top left corner, in CSS pixels where letters have their usual size; the picture grows with them. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface PlacedNode extends Box {
  readonly kind: 'app' | 'environment';
  readonly name: string;
}

export interface PlacedEdge {
  /** `pipeline/edge`. */
  readonly edge: string;
  /** From the source's right side to the destination's left. */
  readonly points: readonly Point[];
  /** Where its button is. */
  readonly button: Box;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** In reading order: column by column, from the top. */
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  /** One for each stage that has an environment, with the middle of its column. */
  readonly stages: readonly { readonly stage: string; readonly x: number }[];
}

/** What the layout depends on. */
export type Shape = Pick<Graph, 'apps' | 'stages'> & { readonly edges: readonly Pick<Graph['edges'][number], 'edge' | 'from' | 'to'>[] };

export const sizes = { app: { width: 112, height: 62 }, environment: { width: 206, height: 136 }, button: { width: 134, height: 30 } } as const;
const margin = 18;
/** Room for the names of the stages. */
const headHeight = 36;

const environmentId = (name: string): string => `environment:${name}`;
const appId = (name: string): string => `app:${name}`;

/** Lays a pipeline out. The same shape gives the same picture. */
export function picture(shape: Shape): Picture {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 26, edgesep: 14, ranksep: 24, marginx: margin, marginy: margin });
  const environments = shape.stages.flatMap(({ environments: all }, column) => all.map(({ environment }) => ({ environment, column: column + 1 })));
  const columnOf = new Map(environments.map(({ environment, column }) => [environmentId(environment), column]));
  for (const { app } of shape.apps) graph.setNode(appId(app), { ...sizes.app });
  for (const { environment } of environments) graph.setNode(environmentId(environment), { ...sizes.environment });
  const edges = shape.edges.flatMap(({ edge, from, to }) => {
    const source = from.environment === undefined ? appId(from.app ?? '') : environmentId(from.environment);
    return graph.hasNode(source) && graph.hasNode(environmentId(to)) ? [{ edge, source, target: environmentId(to) }] : [];
  });
  for (const { edge, source, target } of edges) graph.setEdge(source, target, { ...sizes.button, labelpos: 'c', minlen: Math.max(1, (columnOf.get(target) ?? 1) - (columnOf.get(source) ?? 0)) }, edge);
  tie(graph, columnOf);
  // In a stage environments stand in the order in which people wrote them, whatever that costs in crossings.
  const constraints = shape.stages.flatMap(({ environments: all }) => all.slice(1).map(({ environment }, at) => ({ left: environmentId(all[at]?.environment ?? ''), right: environmentId(environment) })));
  layout(graph, { constraints });
  return drawn(graph, shape, edges);
}

/** Ties everything that is not reached from another node to a root, so that each part of the picture keeps its column. */
function tie(graph: graphlib.Graph, columnOf: ReadonlyMap<string, number>): void {
  const root = 'root';
  const loose = graph.nodes().filter((node: string) => (graph.inEdges(node) ?? []).length === 0);
  graph.setNode(root, { width: 0, height: 0 });
  for (const node of loose) graph.setEdge(root, node, { width: 0, height: 0, minlen: (columnOf.get(node) ?? 0) + 1 });
}

function drawn(graph: graphlib.Graph, shape: Shape, edges: readonly { readonly edge: string; readonly source: string; readonly target: string }[]): Picture {
  const place = (kind: PlacedNode['kind'], name: string): PlacedNode => {
    const { x = 0, y = 0 } = graph.node(kind === 'app' ? appId(name) : environmentId(name)) ?? {};
    const { width, height } = sizes[kind];
    return { kind, name, width, height, x: Math.round(x - width / 2), y: Math.round(y - height / 2) };
  };
  const all = [...shape.apps.map(({ app }) => place('app', app)), ...shape.stages.flatMap(({ environments }) => environments.map(({ environment }) => place('environment', environment)))];
  // What the root took on the left is given back, and the names of the stages get their room.
  const dx = all.length === 0 ? 0 : margin - Math.min(...all.map(({ x }) => x));
  const dy = headHeight;
  const nodes = all.map((node) => ({ ...node, x: node.x + dx, y: node.y + dy })).toSorted((a, b) => a.x - b.x || a.y - b.y);
  const placed = edges.map(({ edge, source, target }): PlacedEdge => {
    const { points = [], x = 0, y = 0 } = graph.edge(source, target, edge) ?? {};
    const { width, height } = sizes.button;
    return { edge, points: points.map((point: Point) => ({ x: Math.round(point.x + dx), y: Math.round(point.y + dy) })), button: { width, height, x: Math.round(x - width / 2 + dx), y: Math.round(y - height / 2 + dy) } };
  });
  const stages = shape.stages.flatMap(({ stage, environments }) => {
    const first = nodes.find(({ kind, name }) => kind === 'environment' && name === environments[0]?.environment);
    return first === undefined ? [] : [{ stage, x: first.x + first.width / 2 }];
  });
  const boxes: readonly Box[] = [...nodes, ...placed.map(({ button }) => button)];
  return {
    width: Math.max(0, ...boxes.map(({ x, width }) => x + width)) + margin,
    height: Math.max(0, ...boxes.map(({ y, height }) => y + height)) + margin,
    nodes,
    edges: placed,
    stages,
  };
}

/** An SVG path through points: straight at its ends, round at its bends. */
export function pathThrough(points: readonly Point[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (first === undefined || last === undefined) return '';
  const bends = rest.slice(0, -1).map((point, index) => {
    const next = rest[index + 1] ?? point;
    return `Q ${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`;
  });
  return `M ${first.x} ${first.y} ${bends.join(' ')} L ${last.x} ${last.y}`.replace(/\s+/g, ' ');
}
