// Locks of an environment: which there are, and adding, releasing and breaking them.

import type { JSX } from 'preact';
import type { Lock } from '../../../proto/api/restraints.ts';
import type { EnvironmentNode } from '../attention.ts';
import { Deed, reasonNeeded, type Field } from '../parts/deed.tsx';
import { Since, Trouble } from '../parts/small.tsx';
import { useQuery } from '../query.ts';
import { useUi } from '../ui.ts';
import { commandText, timeText } from '../words.ts';

/** How long, as the command line takes it too. */
export const hoursField: Field = { name: 'hours', label: 'For how many hours? Empty: until somebody releases it', kind: 'text', hint: '4' };
const rollbackField: Field = { name: 'rollback', label: 'Hold rollbacks too', kind: 'check' };
const hourMs = 3_600_000;

/** When it ends, by the hours that were written; absent when none were. */
export function endOf(hours: string | undefined, at: number): number | undefined {
  const count = Number((hours ?? '').trim().replace(',', '.'));
  return Number.isFinite(count) && count > 0 ? Math.round(at + count * hourMs) : undefined;
}

export function LockDeeds({ node: { environment } }: { readonly node: Pick<EnvironmentNode, 'environment'> }): JSX.Element {
  const { client, now } = useUi();
  const { reply, problem } = useQuery('listLocks', { params: {}, query: { environment } });
  return (
    <>
      <h3>Locks</h3>
      <Trouble problem={problem} />
      {reply?.items.length === 0 && <p>Nothing locks {environment}.</p>}
      <ul class="locks">{reply?.items.map((lock) => <LockItem key={lock.lock} lock={lock} />)}</ul>
      <div class="deeds">
        <Deed
          label={`Lock ${environment}`}
          fields={[reasonNeeded, hoursField, rollbackField]}
          command={({ reason = '', hours, rollback }) => commandText(['lock', 'add', '--scope', environment, ['--reason', reason || '…'], ['--until', endOf(hours, 0) === undefined ? undefined : `${String(hours).trim()}h`], ...(rollback === 'yes' ? ['--include-rollback'] : [])])}
          act={async ({ reason = '', hours, rollback }) => {
            const expiresAt = endOf(hours, now());
            await client.call('createLock', { params: {}, body: { scope: { kind: 'environment', id: environment }, reason, includeRollback: rollback === 'yes', ...(expiresAt === undefined ? {} : { expiresAt }) } });
          }}
          done={`${environment} is locked`}
        />
      </div>
    </>
  );
}

function LockItem({ lock }: { readonly lock: Lock }): JSX.Element {
  const ui = useUi();
  const { client } = ui;
  const params = { lock: lock.lock };
  const release = async (): Promise<void> => {
    const { tag } = await client.tagged('getLock', { params });
    await client.call('releaseLock', { params, ifMatch: tag });
  };
  return (
    <li>
      <p>
        <strong>{lock.reason}</strong> <small>by {lock.mode === 'workflow' ? `the workflow run ${lock.holder}` : lock.by}, <Since at={lock.at} />{lock.expiresAt !== undefined && `, until ${timeText(lock.expiresAt, ui.now())}`}; locks {lock.scope.kind === 'all' ? 'everything' : `${lock.scope.kind} ${lock.scope.id ?? ''}`}</small>
      </p>
      {lock.mode === 'manual' && (
        <div class="deeds">
          <Deed label="Release" fields={[]} command={() => commandText(['lock', 'release', lock.lock])} act={release} done="the lock is released" />
          <Deed danger label="Break" fields={[reasonNeeded]} command={({ reason = '' }) => commandText(['lock', 'break', lock.lock, ['--reason', reason || '…']])} act={async ({ reason = '' }) => await client.call('breakLock', { params, body: { reason } })} done="the lock is broken" />
        </div>
      )}
    </li>
  );
}
