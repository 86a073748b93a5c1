// The screen of one environment, also of one that is in no pipeline: whoever begins has an environment before there is a pipeline.

import type { JSX } from 'preact';
import { useLocation, useRoute } from 'preact-iso';
import type { Environment } from '../../../proto/api/environments.ts';
import type { EnvironmentNode } from '../attention.ts';
import { EnvironmentPanel } from '../panels/environment.tsx';
import { Loading, Trouble } from '../parts/small.tsx';
import { useTitle } from '../parts/title.ts';
import { useQuery } from '../query.ts';

export function EnvironmentPage(): JSX.Element {
  const { environment: name = '' } = useRoute().params;
  const { route } = useLocation();
  const { reply, problem } = useQuery('getEnvironment', { params: { environment: name } });
  const { reply: pin } = useQuery('getPin', { params: { environment: name } }, { wakes: ({ until }) => [until] });
  useTitle(name);
  return (
    <>
      <h1>Environment {name}</h1>
      <Trouble problem={problem} />
      {reply === undefined && problem === undefined && <Loading what={name} />}
      {reply !== undefined && <EnvironmentPanel node={nodeOf(reply, pin?.pinned ?? false)} edges={[]} close={() => route('/')} />}
    </>
  );
}

/** The same as a pipeline's graph says of it; locks and windows its panel asks for itself. */
function nodeOf({ environment, apps, targets, waiting, activeDeployment, newestDeployment }: Environment, pinned: boolean): EnvironmentNode {
  const references = (which: 'current' | 'desired') => apps.flatMap((one) => (one[which] === undefined ? [] : [{ app: one.app, revision: one[which].revision, number: one[which].number }]));
  return {
    environment,
    apps: apps.map(({ app }) => app),
    current: references('current'),
    desired: references('desired'),
    targets: targets.total,
    waiting,
    locks: [],
    pinned,
    windows: { names: [], open: true },
    ...(activeDeployment === undefined ? {} : { activeDeployment }),
    ...(newestDeployment === undefined ? {} : { newestDeployment }),
  };
}
