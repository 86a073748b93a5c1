// Reading for the screens: asked when a part appears, asked again when something changed or a time that was named has come. While it is
// asked again the old answer stays, so that nothing flickers and nothing moves.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { OperationId, ReplyOf } from '../../proto/api/operations.ts';
import { after } from './browser.ts';
import { ClientError, type CallOptions } from './client.ts';
import type { Pace } from './live.ts';
import { useUi } from './ui.ts';

/** What is known so far. Both at once: the old answer, and why there is no newer one. */
export interface Answer<Reply> {
  readonly reply: Reply | undefined;
  readonly problem: ClientError | undefined;
  /** Whether the answer is that of another question, shown until there is one. */
  readonly pending: boolean;
}

interface Known<Reply> extends Omit<Answer<Reply>, 'pending'> {
  readonly key: string;
}

/** A moment after the time that was named, so that the control plane has come to it too. */
const afterwardsMs = 300;

export interface QueryOptions<Reply> {
  /** Times at which the answer will be another. */
  readonly wakes?: (reply: Reply) => readonly (number | undefined)[];
  /** How soon after a change it is asked again; `quick` when it is left out. */
  readonly pace?: Pace;
  /** While another question of the same kind is asked, such as the next page, the answer to the one before stays. */
  readonly hold?: boolean;
}

/** What one key is being asked; another key is other work. */
interface Work {
  readonly stop: AbortController;
  running: boolean;
  again: boolean;
}

/** The answer of a GET, kept up to date. `options` undefined asks nothing. */
export function useQuery<Id extends OperationId>(id: Id, options: Pick<CallOptions<Id>, 'params' | 'query'> | undefined, { wakes, pace = 'quick', hold = false }: QueryOptions<ReplyOf<Id>> = {}): Answer<ReplyOf<Id>> {
  const { client, live, now } = useUi();
  const key = JSON.stringify([id, options]);
  const [known, setKnown] = useState<Known<ReplyOf<Id>>>({ key, reply: undefined, problem: undefined });
  const work = useRef<Work>({ stop: new AbortController(), running: false, again: false });
  const changed = live.changed[pace].value;
  useEffect(() => {
    const mine: Work = { stop: new AbortController(), running: false, again: false };
    work.current = mine;
    return () => mine.stop.abort();
  }, [key]);
  useEffect(() => {
    if (options === undefined) return;
    const mine = work.current;
    const { signal } = mine.stop;
    const ask = async (): Promise<void> => {
      mine.running = true;
      do {
        mine.again = false;
        const answer = await answerOf(async () => await client.call(id, { ...options, signal }));
        if (signal.aborted) return;
        setKnown((before) => ({ key, reply: answer.reply ?? (before.key === key ? before.reply : undefined), problem: answer.problem }));
      } while (mine.again);
      mine.running = false;
    };
    // One at a time: a slow answer is waited for, not asked for twice.
    if (mine.running) mine.again = true;
    else void ask();
  }, [key, changed]);
  const mineToo = known.key === key;
  const current = { reply: mineToo || hold ? known.reply : undefined, problem: mineToo ? known.problem : undefined, pending: !mineToo };
  const next = current.reply === undefined ? undefined : soonest(wakes?.(current.reply) ?? [], now());
  useEffect(() => (next === undefined ? undefined : after(next - now() + afterwardsMs, live.poke)), [next]);
  return current;
}

async function answerOf<Reply>(call: () => Promise<Reply>): Promise<Omit<Answer<Reply>, 'pending'>> {
  try {
    return { reply: await call(), problem: undefined };
  } catch (error) {
    if (error instanceof ClientError) return { reply: undefined, problem: error };
    throw error;
  }
}

function soonest(times: readonly (number | undefined)[], at: number): number | undefined {
  const coming = times.filter((time) => time !== undefined && time > at);
  return coming.length === 0 ? undefined : Math.min(...coming.map((time) => time ?? at));
}
