// What a piece of work writes, sent on while it runs: soon, since people watch it, and in order. Cut at what the control plane keeps,
// so that what is unsent is bounded too. What cannot be sent is lost and costs an explanation, never the work.

import type { Clock } from '../../clock.ts';

/** How long output is gathered: people who watch see it nearly at once, and a chatty test is not a request for each line. */
const gatherMs = 500;
/** One request. */
const partLengthMax = 64 * 1024;
const cutNotice = '\n… the rest was not kept\n';

export interface LogSender {
  write(text: string): void;
  /** The last lines as one, for a sentence about how it ended. */
  tail(): string;
  /** Sends what is left. Resolves also when that fails. */
  end(): Promise<void>;
}

export interface LogSenderOptions {
  /** @throws {ControlError} when it could not be sent. */
  readonly send: (offset: number, text: string) => Promise<unknown>;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

/** A log at its beginning. */
export function createLogSender({ send, bytesMax, clock, signal, onFailure }: LogSenderOptions): LogSender {
  let waiting = '';
  let tail = '';
  let taken = 0;
  let sent = 0;
  let broken = false;
  let sending: Promise<void> | undefined;
  const ended = new AbortController();
  const room = bytesMax - Buffer.byteLength(cutNotice);

  const drain = async (): Promise<void> => {
    while (waiting !== '' && !broken) {
      if (!ended.signal.aborted) await clock.wait(gatherMs, { signal: AbortSignal.any([signal, ended.signal]) }).catch(() => undefined);
      const text = waiting.slice(0, partLengthMax);
      waiting = waiting.slice(text.length);
      try {
        await send(sent, text);
        sent += Buffer.byteLength(text);
      } catch (error) {
        // What follows would leave a hole.
        broken = true;
        onFailure(error);
      }
    }
    sending = undefined;
  };

  return {
    write: (text) => {
      tail = (tail + text).slice(-2_000);
      if (broken || taken > room) return;
      const bytes = Buffer.byteLength(text);
      waiting += taken + bytes <= room ? text : cut(text, room - taken) + cutNotice;
      taken += bytes;
      sending ??= drain();
    },
    tail: () => tail.split('\n').filter((line) => line.trim() !== '').slice(-3).join(' | ').slice(-500),
    end: async () => {
      ended.abort();
      await sending;
    },
  };
}

/** As many whole characters as fit into so many bytes. */
function cut(text: string, bytes: number): string {
  return new TextDecoder('utf-8').decode(Buffer.from(text).subarray(0, bytes), { stream: true });
}
