// Promoting by hand: first what it would do, then doing it.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Forecast } from '../../../proto/api/forecast.ts';
import { ClientError } from '../client.ts';
import { because, Deed, reasonWelcome } from '../parts/deed.tsx';
import { Blockers, Trouble } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { bytesText, commandText, spanText } from '../words.ts';

export interface PromoteProps {
  readonly environment: string;
  /** What is offered first: `web@4`, or several with `+`. */
  readonly revision: string;
}

/** What a promotion would do, and of what: of another revision it says nothing. */
interface Foreseen {
  readonly of: string;
  readonly forecast: Forecast;
}

export function Promote({ environment, revision }: PromoteProps): JSX.Element {
  const { client } = useUi();
  const [foreseen, setForeseen] = useState<Foreseen | undefined>(undefined);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const forecast = foreseen?.of === revision ? foreseen.forecast : undefined;
  const look = async (): Promise<void> => {
    setBusy(true);
    try {
      setForeseen({ of: revision, forecast: await client.call('dryRunPromotion', { params: {}, body: { environment, revision } }) });
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const toggle = (): void => (busy ? undefined : forecast === undefined ? void look() : setForeseen(undefined));
  return (
    <>
      <div class="deeds">
        <button type="button" onClick={toggle} aria-expanded={forecast !== undefined} aria-disabled={busy}>What would a promotion do?</button>
        <Deed
          label={`Promote to ${environment}`}
          fields={[{ name: 'revision', label: 'What', kind: 'text', needed: true, initial: revision }, reasonWelcome, { name: 'hotfix', label: 'Hotfix: past stages, soak, workflows and approvals; needs a reason', kind: 'check' }]}
          command={({ revision: what = '', reason, hotfix }) => commandText(['promote', '--to', environment, what.includes('+') ? ['--set', what.replaceAll('+', ',').replaceAll(' ', '')] : ['--revision', what], ...(hotfix === 'yes' ? ['--hotfix'] : []), ['--reason', reason]])}
          act={async ({ revision: what = '', hotfix, ...filled }) => await client.call('createPromotion', { params: {}, body: { environment, revision: what.replaceAll(' ', ''), ...(hotfix === 'yes' ? { hotfix: true } : {}), ...because(filled) } })}
          done={`a promotion to ${environment} is made: it goes when nothing holds it`}
        />
      </div>
      <Trouble problem={problem} />
      {forecast !== undefined && <ForecastText forecast={forecast} />}
    </>
  );
}

function ForecastText({ forecast: { blockers, legs, supersedes } }: { readonly forecast: Forecast }): JSX.Element {
  return (
    <div role="status" class="plan">
      <p>{blockers.length === 0 ? 'Nothing would hold it.' : 'It would wait:'}</p>
      <Blockers blockers={blockers} />
      <ul>
        {legs.map(({ app, to, from, targets, batches, totalMs, bytes }) => (
          <li key={app}>
            <strong>{app}@{to.number}</strong>{from !== undefined && ` after ${app}@${from.number}`}: {targets} targets in {batches.length === 1 ? 'one batch' : `${batches.length} batches`} ({batches.map(({ name, targets: count }) => `${name ?? 'batch'} ${count}`).join(', ')})
            {totalMs !== undefined && `, about ${spanText(totalMs)}`}, {bytesText(bytes.total)} to fetch{bytes.origin !== undefined && `, of them ${bytesText(bytes.origin)} from seeds`}
          </li>
        ))}
      </ul>
      {supersedes.length > 0 && <p>It would take the place of {supersedes.length === 1 ? 'one promotion that waits' : `${supersedes.length} promotions that wait`}.</p>}
    </div>
  );
}
