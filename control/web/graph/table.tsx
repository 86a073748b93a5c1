// The same pipeline as a table: for narrow screens, for ears, and for those who would rather read.

import type { JSX } from 'preact';
import { environmentStanding } from '../attention.ts';
import { Mark, Since } from '../parts/small.tsx';
import { setText } from '../words.ts';
import { Restraints } from './card.tsx';
import { EdgeButton, edgeName, type GraphProps } from './picture.tsx';

export function GraphTable({ graph, deployments, selected, select }: GraphProps): JSX.Element {
  const is = (kind: 'edge' | 'environment', name: string): boolean => selected?.kind === kind && selected.name === name;
  return (
    <table class="pipeline">
      <caption class="unseen">environments of {graph.pipeline}, stage by stage</caption>
      <thead>
        <tr><th scope="col">Stage</th><th scope="col">Environment</th><th scope="col">Runs</th><th scope="col">State</th><th scope="col">How it gets there</th></tr>
      </thead>
      <tbody>
        {graph.stages.flatMap(({ stage, environments }) =>
          environments.map((node) => (
            <tr key={node.environment}>
              <td><small>stage</small> {stage}</td>
              <th scope="row">
                <button type="button" class="link" aria-expanded={is('environment', node.environment)} onClick={() => select(is('environment', node.environment) ? undefined : { kind: 'environment', name: node.environment })}>{node.environment}</button>
              </th>
              <td>{setText(node.current)} {node.since !== undefined && <small><Since at={node.since} /></small>}</td>
              <td><Mark {...environmentStanding(node, deployments.get(node.environment))} /><Restraints node={node} /></td>
              <td>
                <ul>
                  {graph.edges.filter(({ to }) => to === node.environment).map((edge) => (
                    <li key={edge.edge}>
                      <small>{edgeName(edge)}</small> <EdgeButton edge={edge} selected={is('edge', edge.edge)} select={() => select(is('edge', edge.edge) ? undefined : { kind: 'edge', name: edge.edge })} />
                      {edge.candidate !== undefined && <small> next {setText(edge.candidate)}</small>}
                    </li>
                  ))}
                </ul>
              </td>
            </tr>
          )),
        )}
      </tbody>
    </table>
  );
}
