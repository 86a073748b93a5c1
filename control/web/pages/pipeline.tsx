// One pipeline: its picture or the same as a table, and beside it what was clicked. Which that is stands in the address, so that it can be
// sent to a colleague.

import type { JSX } from 'preact';
import { useLocation, useRoute } from 'preact-iso';
import { useMemo, useState } from 'preact/hooks';
import { kept } from '../browser.ts';
import { GraphPicture, type GraphProps, type Selected } from '../graph/picture.tsx';
import { Timeline } from '../graph/timeline.tsx';
import { GraphTable } from '../graph/table.tsx';
import { EdgePanel } from '../panels/edge.tsx';
import { EnvironmentPanel } from '../panels/environment.tsx';
import { Freezes, PipelineDeeds } from '../panels/whole.tsx';
import { Panel } from '../panels/panel.tsx';
import { newestDeployments, pipelineStanding } from '../attention.ts';
import { Loading, Mark, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';
import { timesOf } from './overview.tsx';

const viewKept = kept('device', 'starling.view');

export function PipelinePage(): JSX.Element {
  const { pipeline = '' } = useRoute().params;
  const { path, query, route } = useLocation();
  const { reply: graph, problem } = useQuery('getPipelineGraph', { params: { pipeline } }, { wakes: timesOf });
  const status = useQuery('getStatus', { params: {} });
  const deployments = useMemo(() => newestDeployments(status.reply), [status.reply]);
  const [view, setView] = useState(() => viewKept.get() ?? (matchMedia('(max-width: 43.75em)').matches ? 'table' : 'picture'));
  const selected = selectedBy(query);
  const select = (what: Selected): void => {
    route(what === undefined ? path : `${path}?${what.kind}=${encodeURIComponent(what.name)}`, true);
  };
  const choose = (next: string): void => {
    viewKept.set(next);
    setView(next);
  };
  useTitle(graph === undefined ? pipeline : `${pipeline}: ${pipelineStanding(graph, deployments).text}`);
  const common = graph === undefined ? undefined : { graph, deployments, selected, select };
  return (
    <div class={selected === undefined ? 'pipeline-page' : 'pipeline-page opened'}>
      <div class="title">
        <h1>{pipeline}</h1>
        {graph !== undefined && <Mark {...pipelineStanding(graph, deployments)} />}
        <div class="views" role="group" aria-label="shown as">
          {['picture', 'table'].map((one) => <button key={one} type="button" class="quiet" aria-pressed={view === one} onClick={() => choose(one)}>{one}</button>)}
        </div>
      </div>
      <Trouble problem={problem} />
      {graph !== undefined && <Freezes graph={graph} />}
      {common === undefined ? problem === undefined && <Loading what={pipeline} /> : view === 'table' ? <GraphTable {...common} /> : <GraphPicture {...common} />}
      <Timeline pipeline={pipeline} />
      {graph !== undefined && <PipelineDeeds graph={graph} />}
      {common !== undefined && <Chosen {...common} />}
    </div>
  );
}

function selectedBy({ edge, environment }: Readonly<Record<string, string>>): Selected {
  if (edge !== undefined) return { kind: 'edge', name: edge };
  return environment === undefined ? undefined : { kind: 'environment', name: environment };
}

/** The panel of what was clicked; what is not there, or not any more, is said. */
function Chosen({ graph, selected, select }: GraphProps): JSX.Element | null {
  const close = (): void => select(undefined);
  if (selected === undefined) return null;
  const edge = graph.edges.find((one) => selected.kind === 'edge' && one.edge === selected.name);
  if (edge !== undefined) return <EdgePanel key={edge.edge} graph={graph} edge={edge} close={close} />;
  const node = graph.stages.flatMap(({ environments }) => environments).find(({ environment }) => selected.kind === 'environment' && environment === selected.name);
  if (node !== undefined) return <EnvironmentPanel key={node.environment} node={node} edges={graph.edges.filter(({ to }) => to === node.environment)} close={close} />;
  return <Panel title={selected.name} close={close}><p>There is no such {selected.kind === 'edge' ? 'promotion' : 'environment'} in this pipeline; it may have been taken away since.</p></Panel>;
}
