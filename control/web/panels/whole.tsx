// What concerns a pipeline as a whole: freezes that reach into it, and whether it is enabled.

import type { JSX } from 'preact';
import type { Freeze } from '../../../proto/api/restraints.ts';
import type { Graph } from '../../../proto/api/pipelines.ts';
import { because, Deed, reasonNeeded, reasonWelcome } from '../parts/deed.tsx';
import { Icon } from '../parts/icons.tsx';
import { Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, untilText } from '../words.ts';
import { endOf, hoursField } from './locks.tsx';
import { reaches } from './reach.ts';

export function Freezes({ graph }: { readonly graph: Graph }): JSX.Element | null {
  const { reply, problem } = useQuery('listFreezes', { params: {}, query: { limit: 100 } }, { wakes: ({ items }) => items.map(({ until }) => until) });
  const here = (reply?.items ?? []).filter(({ scope }) => reaches(scope, graph));
  return (
    <>
      <Trouble problem={problem} />
      {here.map((one) => <FreezeNotice key={one.freeze} freeze={one} />)}
    </>
  );
}

function FreezeNotice({ freeze: { freeze, scope, reason, by, at, until, breakGlass } }: { readonly freeze: Freeze }): JSX.Element {
  const ui = useUi();
  return (
    <div class="notice">
      <p>
        <Icon name="freeze" /> <strong>Frozen: {scope.kind === 'all' ? 'everything' : `${scope.kind} ${scope.id ?? ''}`}</strong>, {reason} <small>by {by}, <Since at={at} />{until !== undefined && `; ends ${untilText(until, ui.now())}`}; {breakGlass === undefined ? 'nobody may lift it for one promotion' : `${breakGlass.count} of ${breakGlass.group} may lift it for one promotion`}</small>
      </p>
      <Deed label="End the freeze" fields={[reasonNeeded]} command={({ reason: why = '' }) => commandText(['freeze', 'end', freeze, ['--reason', why || '…']])} act={async ({ reason: why = '' }) => await ui.client.call('endFreeze', { params: { freeze }, body: { reason: why } })} done="the freeze is over" />
    </div>
  );
}

export function PipelineDeeds({ graph: { pipeline, enabled } }: { readonly graph: Graph }): JSX.Element {
  const { client, now } = useUi();
  const params = { pipeline };
  return (
    <details>
      <summary>All of {pipeline}</summary>
      <div class="deeds">
        <Deed
          label="Freeze it"
          fields={[reasonNeeded, hoursField]}
          command={({ reason = '', hours }) => commandText(['freeze', 'start', '--scope', `pipeline:${pipeline}`, ['--reason', reason || '…'], ['--until', endOf(hours, 0) === undefined ? undefined : `${String(hours).trim()}h`]])}
          act={async ({ reason = '', hours }) => {
            const until = endOf(hours, now());
            await client.call('startFreeze', { params: {}, body: { scope: { kind: 'pipeline', id: pipeline }, reason, ...(until === undefined ? {} : { until }) } });
          }}
          done={`${pipeline} is frozen`}
        />
        {enabled ? (
          <Deed key="disable" danger label="Disable it" fields={[reasonWelcome]} command={({ reason }) => commandText(['pipeline', 'disable', pipeline, ['--reason', reason]])} act={async (filled) => await client.call('disablePipeline', { params, body: because(filled) })} done={`nothing is promoted in ${pipeline}`} />
        ) : (
          <Deed key="enable" label="Enable it" fields={[reasonWelcome]} command={({ reason }) => commandText(['pipeline', 'enable', pipeline, ['--reason', reason]])} act={async (filled) => await client.call('enablePipeline', { params, body: because(filled) })} done={`${pipeline} is enabled`} />
        )}
      </div>
    </details>
  );
}
