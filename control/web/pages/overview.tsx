// Every pipeline at a glance, what is blocked first.

import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { signal } from '@preact/signals';
import type { DeploymentSummary } from '../../../proto/api/deployments.ts';
import type { Graph, PipelineSummary } from '../../../proto/api/pipelines.ts';
import type { Status } from '../../../proto/api/status.ts';
import { alone, byAttention, deploymentStanding, edgeStanding, environmentStanding, newestDeployments, pipelineStanding, type Standing } from '../attention.ts';
import { Loading, Mark, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { setText } from '../words.ts';

/** Pipelines shown at once: each asks for its own graph, so that a page of them stays a page of requests. */
const shownMax = 30;

export function OverviewPage(): JSX.Element {
  const { reply, problem } = useQuery('listPipelines', { params: {}, query: { limit: shownMax } }, { pace: 'slow' });
  const status = useQuery('getStatus', { params: {} }, { pace: 'slow' });
  const deployments = useMemo(() => newestDeployments(status.reply), [status.reply]);
  // What each card found out about its pipeline; the order follows.
  const standings = useMemo(() => signal<Readonly<Record<string, Standing>>>({}), []);
  const tell = (pipeline: string, standing: Standing): void => {
    const known = standings.value[pipeline];
    if (known?.tone !== standing.tone || known.text !== standing.text) standings.value = { ...standings.value, [pipeline]: standing };
  };
  const items = byAttention((reply?.items ?? []).map((summary) => ({ name: summary.pipeline, summary, standing: standings.value[summary.pipeline] })));
  return (
    <>
      <h1>Pipelines</h1>
      <Trouble problem={problem ?? status.problem} />
      {reply === undefined && problem === undefined && <Loading what="pipelines" />}
      {reply?.items.length === 0 && <p>There are none yet. A pipeline is a file: <code>starling apply -f pipeline.yaml</code></p>}
      <ol class="pipelines">
        {items.map(({ name, summary, standing }) => (
          <PipelineCard key={name} summary={summary} standing={standing} deployments={deployments} tell={tell} />
        ))}
      </ol>
      {reply !== undefined && reply.next === undefined && <Alone environments={alone(status.reply?.environments ?? [], reply.items)} />}
      {reply?.next !== undefined && <p>These are the first {shownMax}. <code>starling pipeline list</code> has all.</p>}
    </>
  );
}

/** Environments that are in no pipeline. */
function Alone({ environments }: { readonly environments: readonly Status['environments'][number][] }): JSX.Element | null {
  if (environments.length === 0) return null;
  return (
    <section aria-label="environments in no pipeline" class="card alone">
      <h2>In no pipeline</h2>
      <ul>
        {environments.map(({ environment, apps, targets, deployment }) => (
          <li key={environment}>
            <a href={`/environments/${encodeURIComponent(environment)}`}>{environment}</a> <small>{setText(apps.flatMap(({ app, current }) => (current === undefined ? [] : [{ app, ...current }])))}, {targets.serving} of {targets.total} targets serve{targets.changing > 0 && `, ${targets.changing} changing`}</small> {deployment !== undefined && <Mark {...deploymentStanding(deployment)} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface CardProps {
  readonly summary: PipelineSummary;
  readonly standing: Standing | undefined;
  readonly deployments: ReadonlyMap<string, DeploymentSummary>;
  readonly tell: (pipeline: string, standing: Standing) => void;
}

function PipelineCard({ summary: { pipeline, project, apps }, standing, deployments, tell }: CardProps): JSX.Element {
  const { reply, problem } = useQuery('getPipelineGraph', { params: { pipeline } }, { wakes: timesOf, pace: 'slow' });
  const found = reply === undefined ? undefined : pipelineStanding(reply, deployments);
  useEffect(() => (found === undefined ? undefined : tell(pipeline, found)), [found?.tone, found?.text]);
  return (
    <li class="card">
      <h2><a href={`/pipelines/${encodeURIComponent(pipeline)}`}>{pipeline}</a></h2>
      <p><small>{project} · {apps.join(', ')}</small> {standing !== undefined && <Mark {...standing} />}</p>
      <Trouble problem={problem} />
      {reply !== undefined && <Stages graph={reply} deployments={deployments} />}
    </li>
  );
}

function Stages({ graph, deployments }: { readonly graph: Graph; readonly deployments: ReadonlyMap<string, DeploymentSummary> }): JSX.Element {
  return (
    <ol class="stages">
      {graph.stages.map(({ stage, environments }) => (
        <li key={stage}>
          <h3>{stage}</h3>
          <ul>
            {environments.map((node) => (
              <li key={node.environment}>
                <a href={`/environments/${encodeURIComponent(node.environment)}`}>{node.environment}</a> <small>{setText(node.current)}</small> <Mark {...environmentStanding(node, deployments.get(node.environment))} />
                {graph.edges.filter(({ to, blockers }) => to === node.environment && blockers.length > 0).map((edge) => <Mark key={edge.edge} {...edgeStanding(edge)} />)}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

/** When a graph will look different by time alone. */
export function timesOf({ stages, edges }: Graph): readonly (number | undefined)[] {
  const environments = stages.flatMap((stage) => stage.environments);
  return [...environments.flatMap(({ windows, locks }) => [windows.until, ...locks.map(({ until }) => until)]), ...edges.flatMap(({ blockers }) => blockers.map(({ until }) => until))];
}
