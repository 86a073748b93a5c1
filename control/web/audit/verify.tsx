// Whether the journal is still what was written: asked when somebody wants to know, since each entry is hashed anew, and stretch by stretch until
// its end.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AuditVerdict } from '../../../proto/api/audit.ts';
import { ClientError } from '../client.ts';
import { Cli, Mark, Trouble } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { commandText, countText } from '../words.ts';

interface Checked {
  readonly entries: number;
  readonly unchained: number;
  readonly verdict: AuditVerdict;
}

export function Verify(): JSX.Element {
  const { client } = useUi();
  const [checked, setChecked] = useState<Checked | undefined>(undefined);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const verify = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    setChecked(undefined);
    try {
      let [entries, unchained, from]: [number, number, string | undefined] = [0, 0, undefined];
      // Each answer goes on where the one before ended; the end of the journal ends it.
      for (let whole = false; !whole; ) {
        const verdict: AuditVerdict = await client.call('verifyAudit', { params: {}, query: from === undefined ? {} : { from }, signal: stop.current.signal });
        entries += verdict.entries;
        unchained += verdict.unchained;
        setChecked({ entries, unchained, verdict });
        whole = verdict.complete || verdict.breach !== undefined || verdict.head === undefined;
        from = verdict.head === undefined ? undefined : `${verdict.head.seq}:${verdict.head.hash}`;
      }
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (!stop.current.signal.aborted) setProblem(error);
    }
    setBusy(false);
  };
  return (
    <>
      <p>Each entry carries the hash of the one before it. <button type="button" disabled={busy} onClick={() => void verify()}>{busy ? 'checking …' : 'Verify the journal'}</button></p>
      <Trouble problem={problem} />
      <div role="status">{checked !== undefined && <Verdict checked={checked} />}</div>
    </>
  );
}

function Verdict({ checked: { entries, unchained, verdict: { whole, head, complete, breach } } }: { readonly checked: Checked }): JSX.Element {
  return (
    <>
      <p>
        <Mark tone={!whole ? 'bad' : complete ? 'well' : 'busy'} text={!whole ? 'not what was written' : complete ? 'as it was written' : 'so far as it was written'} /> {countText(entries, 'entry', 'entries')} checked{unchained > 0 && `, of which ${unchained} are older than the chain`}
      </p>
      {breach !== undefined && <p class="notice bad"><strong>Entry {breach.seq}</strong>: {breach.reason}</p>}
      {complete && whole && head !== undefined && (
        <>
          <p>Keep this elsewhere: whoever rewrites the journal cannot make it fit again.</p>
          <Cli command={commandText(['audit', 'verify', '--checkpoint', `${head.seq}:${head.hash}`])} />
        </>
      )}
    </>
  );
}
