// What can be done to one machine: leave it out of what begins, give it other labels, bar it.

import type { JSX } from 'preact';
import { useLocation } from 'preact-iso';
import type { Target } from '../../../proto/api/targets.ts';
import { ClientError } from '../client.ts';
import { Deed, nameAgain, reasonNeeded, type Field } from '../parts/deed.tsx';
import { useUi } from '../ui.ts';
import { commandText } from '../words.ts';
import { relabelled } from './labels.ts';

const labelsField: Field = { name: 'labels', label: 'key=value to set, key- to take away', kind: 'text', needed: true, hint: 'zone=b rack-' };

/** Words of a command: each is an argument of its own. */
const wordsOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter((one) => one !== '');

export function TargetDeeds({ target: { name, member, cordoned } }: { readonly target: Target }): JSX.Element {
  const { client } = useUi();
  const { route } = useLocation();
  const params = { target: member };
  const label = async (text: string): Promise<void> => {
    const { reply, tag } = await client.tagged('getTarget', { params });
    const read = relabelled(reply.labels, text);
    if (read.kind === 'wrong') throw new ClientError('INVALID', `'${read.word}' is neither key=value nor key-`);
    await client.call('labelTarget', { params, body: { labels: read.labels }, ifMatch: tag });
  };
  const revoke = async (reason: string): Promise<void> => {
    await client.call('revokeTarget', { params, body: { reason } });
    // Its name is free for another machine from now on; this one is found by its id.
    route(`/targets/${encodeURIComponent(member)}`, true);
  };
  return (
    <section aria-label="what can be done">
      <h2>What can be done</h2>
      <p><small>Who is cordoned is left out of whatever begins, and goes on serving. Labels say to which environments a machine belongs. Who is revoked has no certificate that counts, is served by nobody, and must join anew to come back.</small></p>
      <div class="deeds">
        {cordoned === undefined ? (
          <Deed key="cordon" label="Cordon it" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['target', 'cordon', name, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await client.call('cordonTarget', { params, body: { reason } })} done={`${name} is left out of what begins`} />
        ) : (
          <Deed key="uncordon" label="Uncordon it" fields={[]} command={() => commandText(['target', 'uncordon', name])} act={async () => await client.call('uncordonTarget', { params })} done={`deployments begin with ${name} again`} />
        )}
        <Deed key="label" label="Change its labels" fields={[labelsField]} command={({ labels = '' }) => commandText(['target', 'label', name, ...(wordsOf(labels).length === 0 ? ['…'] : wordsOf(labels))])} act={async ({ labels = '' }) => await label(labels)} done={`the labels of ${name} are changed`} />
        <Deed key="revoke" danger label={`Revoke ${name}`} fields={[nameAgain(name), reasonNeeded]} command={({ reason = '' }) => commandText(['target', 'revoke', name, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await revoke(reason)} done={`${name} is revoked`} />
      </div>
    </section>
  );
}
