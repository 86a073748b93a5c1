// A chunk that came in is kept: who it is fetched for writes it, and the scheduler hears when it can be read, and when there is room for more.

import type { Effect, ScheduleEvent } from '../../core/schedule/state/swarm-events.ts';
import { settle, type SharedTopic } from './sharing.ts';

export type StoreEffect = Extract<Effect, { kind: 'store' }>;

export interface StoringDeps {
  readonly tell: (event: ScheduleEvent) => void;
  /** Takes a buffer back. */
  readonly give: (bytes: Uint8Array) => void;
  /** Ends the fetch that could not be kept. */
  readonly end: (shared: SharedTopic, error: unknown) => void;
}

/** Has verified bytes written, if the fetch that they came for still is. */
export function store({ topic, fetch, ordinal }: StoreEffect, shared: SharedTopic | undefined, bytes: Uint8Array, { tell, give, end }: StoringDeps): void {
  const { length } = bytes;
  const fetching = shared?.fetching;
  if (shared === undefined || fetching?.id !== fetch) return tell({ kind: 'room', topic, bytes: length });
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
