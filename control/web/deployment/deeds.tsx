// What can be done to a deployment, by where it stands. Whether it may be done is the API's to say; what makes no sense is not offered.

import type { JSX } from 'preact';
import type { Deployment } from '../../../proto/api/deployments.ts';
import { because, Deed, reasonNeeded, reasonWelcome, type Field } from '../parts/deed.tsx';
import { useUi } from '../ui.ts';
import { commandText } from '../words.ts';

const active = new Set<Deployment['phase']>(['distributing', 'running', 'baking', 'rolling-back']);

/** Whether it is still going on. */
export function isActive({ phase }: Pick<Deployment, 'phase'>): boolean {
  return active.has(phase);
}

export function DeploymentDeeds({ deployment: one }: { readonly deployment: Deployment }): JSX.Element {
  const { client } = useUi();
  const { deployment, environment, phase, paused, batches } = one;
  const params = { deployment };
  const command = (verb: string) => ({ reason }: Readonly<Record<string, string>>): string => commandText(['deployment', verb, deployment, ['--reason', reason]]);
  const going = isActive(one) && phase !== 'rolling-back';
  return (
    <div class="deeds">
      {going && paused === undefined && <Deed key="pause" label="Pause" fields={[reasonWelcome]} command={command('pause')} act={async (filled) => await client.call('pauseDeployment', { params, body: because(filled) })} done="paused: what is in flight comes to its end, nothing more is activated" />}
      {paused !== undefined && isActive(one) && <Deed key="resume" label="Resume" fields={[reasonWelcome]} command={command('resume')} act={async (filled) => await client.call('resumeDeployment', { params, body: because(filled) })} done="it goes on" />}
      {going && batches.length > 1 && <Deed key="next" label="Next batch now" fields={[reasonWelcome]} command={command('next-batch')} act={async (filled) => await client.call('nextBatch', { params, body: because(filled) })} done="the next batch begins" />}
      {!going && phase !== 'rolling-back' && phase !== 'succeeded' && <Deed key="retry" label="Try again" fields={[reasonWelcome]} command={command('retry')} act={async (filled) => await client.call('retryDeployment', { params, body: because(filled) })} done="it is tried again" />}
      <RollbackDeed environment={environment} />
      {going && <Deed key="abort" danger label="Abort" fields={[reasonWelcome]} command={command('abort')} act={async (filled) => await client.call('abortDeployment', { params, body: because(filled) })} done="aborted: what is done stays done" />}
    </div>
  );
}

const toField: Field = { name: 'to', label: 'To which revision? Empty: the one before', kind: 'text', hint: '41' };

/** What the API takes: a number, a set, or nothing for the one before. */
function rollbackTo(text = ''): { readonly to?: number | string } {
  const trimmed = text.trim();
  if (trimmed === '') return {};
  return { to: /^[1-9][0-9]*$/.test(trimmed) ? Number(trimmed) : trimmed };
}

/** Goes back to what succeeded before. */
export function RollbackDeed({ environment }: { readonly environment: string }): JSX.Element {
  const { client } = useUi();
  return (
    <Deed
      key="rollback"
      danger
      label={`Roll ${environment} back`}
      fields={[toField, { ...reasonNeeded, label: 'Why? Others will read it' }]}
      command={({ to, reason }) => commandText(['rollback', environment, ['--to', to?.trim()], ['--reason', reason]])}
      act={async ({ to, ...filled }) => await client.call('createRollback', { params: { environment }, body: { ...rollbackTo(to), ...because(filled) } })}
      done={`${environment} goes back`}
    />
  );
}
