// A pipeline drawn: applications on the left, stages as columns, promotions as arrows. Environments and promotions are buttons in a list,
// in reading order; the lines between them are decoration, though a click on one means its button.

import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { DeploymentSummary } from '../../../proto/api/deployments.ts';
import type { Graph } from '../../../proto/api/pipelines.ts';
import { edgeStanding, type EdgeNode } from '../attention.ts';
import { Icon } from '../parts/icons.tsx';
import { setText } from '../words.ts';
import { EnvironmentCard } from './card.tsx';
import { pathThrough, picture, type Box, type PlacedEdge } from './layout.ts';

/** What of a pipeline is looked at more closely. */
export type Selected = { readonly kind: 'edge' | 'environment'; readonly name: string } | undefined;

export interface GraphProps {
  readonly graph: Graph;
  readonly deployments: ReadonlyMap<string, DeploymentSummary>;
  readonly selected: Selected;
  readonly select: (what: Selected) => void;
}

export function GraphPicture({ graph, deployments, selected, select }: GraphProps): JSX.Element {
  // Only what there is decides where it stands.
  const shape = JSON.stringify([graph.apps.map(({ app }) => app), graph.stages.map(({ stage, environments }) => [stage, environments.map(({ environment }) => environment)]), graph.edges.map(({ edge, from, to }) => [edge, from, to])]);
  const drawn = useMemo(() => picture(graph), [shape]);
  const environments = new Map(graph.stages.flatMap((stage) => stage.environments.map((node) => [node.environment, node])));
  const edges = new Map(graph.edges.map((edge) => [edge.edge, edge]));
  const apps = new Map(graph.apps.map((app) => [app.app, app]));
  const is = (kind: 'edge' | 'environment', name: string): boolean => selected?.kind === kind && selected.name === name;
  const frame = useRef<HTMLDivElement>(null);
  // The panel takes a part of the width: what was clicked stays in sight, and has moved before the next click can be aimed.
  useLayoutEffect(() => frame.current?.querySelector('[aria-expanded=true]')?.scrollIntoView({ block: 'nearest', inline: 'center' }), [selected?.kind, selected?.name]);
  const toggle = (kind: 'edge' | 'environment', name: string): void => select(is(kind, name) ? undefined : { kind, name });
  return (
    <div ref={frame} class="picture" role="group" aria-label={`the pipeline ${graph.pipeline}`} tabIndex={0}>
      <div class="canvas" style={{ width: rem(drawn.width), height: rem(drawn.height) }}>
        <Lines drawn={drawn.edges} edges={edges} width={drawn.width} height={drawn.height} isSelected={(name) => is('edge', name)} toggle={(name) => toggle('edge', name)} />
        {drawn.stages.map(({ stage, x }) => <p key={stage} class="stage" aria-hidden="true" style={{ left: rem(x) }}>{stage}</p>)}
        <ol>
          {drawn.nodes.map((box) => {
            const node = environments.get(box.name);
            const app = apps.get(box.name);
            return (
              <li key={`${box.kind} ${box.name}`} style={placeOf(box)}>
                {box.kind === 'app' || node === undefined ? (
                  <div class="app"><span>{box.name}</span> <strong>{app?.latest === undefined ? 'no revision yet' : setText([app.latest])}</strong></div>
                ) : (
                  <EnvironmentCard node={node} deployment={deployments.get(node.environment)} edges={graph.edges.filter(({ to }) => to === node.environment)} selected={is('environment', node.environment)} select={() => toggle('environment', node.environment)} />
                )}
              </li>
            );
          })}
        </ol>
        <ol aria-label="promotions">
          {drawn.edges.map(({ edge, button }) => {
            const found = edges.get(edge);
            return found === undefined ? null : (
              <li key={edge} style={placeOf(button)}>
                <EdgeButton edge={found} selected={is('edge', edge)} select={() => toggle('edge', edge)} />
              </li>
            );
          })}
        </ol>
      </div>
    </div>
  );
}

function placeOf({ x, y, width, height }: Box) {
  return { left: rem(x), top: rem(y), width: rem(width), height: rem(height) };
}

/** Whoever reads letters of twice the size has cards of twice the size. */
function rem(pixels: number): string {
  return `${pixels / 16}rem`;
}

interface LinesProps {
  readonly drawn: readonly PlacedEdge[];
  readonly edges: ReadonlyMap<string, EdgeNode>;
  readonly width: number;
  readonly height: number;
  readonly isSelected: (edge: string) => boolean;
  readonly toggle: (edge: string) => void;
}

function Lines({ drawn, edges, width, height, isSelected, toggle }: LinesProps): JSX.Element {
  return (
    <svg width={rem(width)} height={rem(height)} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0l8 4-8 4z" /></marker>
      </defs>
      {drawn.map(({ edge, points }) => {
        const found = edges.get(edge);
        const path = pathThrough(points);
        return (
          <g key={edge} class={`line ${found === undefined ? '' : edgeStanding(found).tone} ${isSelected(edge) ? 'selected' : ''}`} onClick={() => toggle(edge)} data-edge={edge}>
            <path class="reach" d={path} />
            <path class="stroke" d={path} marker-end="url(#arrow)" />
          </g>
        );
      })}
    </svg>
  );
}

/** The name by which an arrow is known: from where to where. */
export function edgeName({ from, to }: Pick<EdgeNode, 'from' | 'to'>): string {
  return `${from.environment ?? from.app ?? ''} to ${to}`;
}

export function EdgeButton({ edge, selected, select }: { readonly edge: EdgeNode; readonly selected: boolean; readonly select: () => void }): JSX.Element {
  const { tone, text } = edgeStanding(edge);
  return (
    <button type="button" class={`edge ${tone} ${selected ? 'selected' : ''}`} aria-expanded={selected} aria-label={`promotion ${edgeName(edge)}: ${text}`} onClick={select}>
      <Icon name={edge.auto && edge.automation && edge.enabled && edge.held === undefined ? 'auto' : edge.auto ? 'off' : 'hand'} /> {text}
    </button>
  );
}
