// A copy of the journal as a file, as `starling audit export` makes it: `starling audit verify FILE` checks it without the control plane.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { save } from '../browser.ts';
import { ClientError } from '../client.ts';
import { Cli, Trouble } from '../parts/small.tsx';
import { useUi } from '../ui.ts';
import { commandText, countText } from '../words.ts';

/** Entries of one answer. */
const pageEntries = 500;
/** Characters that a browser holds before it writes them: beyond that the command line is the place, which keeps nothing in memory. */
const charactersMax = 256 * 1024 * 1024;

interface Copied {
  readonly entries: number;
  readonly done: boolean;
}

export function Export(): JSX.Element {
  const { client } = useUi();
  const [copied, setCopied] = useState<Copied | undefined>(undefined);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const busy = copied !== undefined && !copied.done;
  const copy = async (): Promise<void> => {
    setProblem(undefined);
    setCopied({ entries: 0, done: false });
    try {
      const parts: string[] = [];
      let [entries, characters, checkpoint, cursor]: [number, number, string, string | undefined] = [0, 0, '', undefined];
      do {
        const page: Awaited<ReturnType<typeof client.call<'exportAudit'>>> = await client.call('exportAudit', { params: {}, query: { limit: pageEntries, ...(cursor === undefined ? {} : { cursor }) }, signal: stop.current.signal });
        const text = page.items.map((line) => `${JSON.stringify(line)}\n`).join('');
        const last = page.items.at(-1);
        if (last !== undefined) checkpoint = last.hash === undefined ? '' : `${last.seq}:${last.hash}`;
        parts.push(text);
        entries += page.items.length;
        characters += text.length;
        if (characters > charactersMax) throw new ClientError('TOO_LARGE', `the journal is too long for a browser after ${entries} entries: the command below writes all of it`);
        setCopied({ entries, done: false });
        cursor = page.next;
      } while (cursor !== undefined);
      save('starling-audit.jsonl', [...parts, `${JSON.stringify({ checkpoint })}\n`]);
      setCopied({ entries, done: true });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (!stop.current.signal.aborted) setProblem(error);
      setCopied(undefined);
    }
  };
  return (
    <>
      <p>A copy can be checked elsewhere, without the control plane. <button type="button" disabled={busy} onClick={() => void copy()}>{busy ? 'copying …' : 'Download a copy'}</button></p>
      <Trouble problem={problem} />
      <div role="status">
        {copied !== undefined && <p>{countText(copied.entries, 'entry', 'entries')} {copied.done ? 'copied into starling-audit.jsonl; check them with' : 'so far'}</p>}
        {copied?.done === true && <Cli command={commandText(['audit', 'verify', 'starling-audit.jsonl'])} />}
      </div>
      {problem !== undefined && <Cli command={commandText(['audit', 'export', '--out', 'starling-audit.jsonl'])} />}
    </>
  );
}
