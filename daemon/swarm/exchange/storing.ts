// A chunk that came in is kept: who it is fetched for writes it, and the scheduler hears when it can be read, and when there is room for more.

import type { ScheduleEvent } from '../../core/schedule/state/swarm-events.ts';
import { settle, type SharedTopic } from './sharing.ts';

export interface StoringDeps {
  readonly tell: (event: ScheduleEvent) => void;
  /** Takes a buffer back. */
  readonly give: (bytes: Uint8Array) => void;
  /** Ends the fetch that could not be kept. */
  readonly end: (shared: SharedTopic, error: unknown) => void;
}

/** Has verified bytes written, if anybody still wants them; `topic` is our number for it. */
export function store(topic: number, shared: SharedTopic | undefined, ordinal: number, bytes: Uint8Array, { tell, give, end }: StoringDeps): void {
  const { length } = bytes;
  const fetching = shared?.fetching;
  if (shared === undefined || fetching === undefined) return tell({ kind: 'room', topic, bytes: length });
  const { options, totalBytes } = fetching;
  fetching.writing += 1;
  fetching.writingBytes += length;
  let isPlaced = false;
  const placed = (event: ScheduleEvent): void => {
    isPlaced = true;
    if (options.borrows === true) give(bytes);
    fetching.haveBytes += length;
    options.onProgress?.({ haveBytes: fetching.haveBytes, totalBytes });
    tell(event);
  };
  const back = (): void => {
    fetching.writing -= 1;
    fetching.writingBytes -= length;
  };
  const early = (): void => {
    if (!isPlaced) placed({ kind: 'placed', topic, ordinal });
  };
  options.write(ordinal, bytes, early).then(
    () => {
      back();
      if (isPlaced) tell({ kind: 'room', topic, bytes: length });
      else placed({ kind: 'stored', topic, ordinal, bytes: length });
      settle(shared);
    },
    (error: unknown) => {
      back();
      // All was placed, and yet not all of it is kept.
      if (fetching.end === 'done') fetching.end = { error };
      end(shared, error);
      if (isPlaced) tell({ kind: 'lost', topic, ordinals: [ordinal] });
      tell({ kind: 'room', topic, bytes: length });
      settle(shared);
    },
  );
}
