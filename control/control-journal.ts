// The journal, measured: every operation's time and failures. Part of the composition root.

import type { Clock } from './clock.ts';
import type { Journal } from './journal/journal.ts';
import type { Metrics } from './metrics.ts';

const backend = 'level';

/** The same journal, counting. */
export function measured(journal: Journal, metrics: Metrics, clock: Clock): Journal {
  // Looked up once: thousands of appends come a second.
  const durations = { append: metrics.storageDuration.labels({ backend, operation: 'append' }), read: metrics.storageDuration.labels({ backend, operation: 'read' }) };
  const timed = async <Result>(operation: 'append' | 'read', work: () => Promise<Result>): Promise<Result> => {
    const startedAt = clock.monotonic();
    try {
      return await work();
    } catch (error) {
      metrics.storageErrors.inc({ backend, operation });
      throw error;
    } finally {
      durations[operation].observe((clock.monotonic() - startedAt) / 1000);
    }
  };
  metrics.journalEntries.set(journal.head());
  return {
    head: () => journal.head(),
    append: async (batch, expected) => {
      const result = await timed('append', async () => await journal.append(batch, expected));
      if (result.kind === 'appended') {
        metrics.auditRecords.inc(batch.events.length);
        metrics.journalEntries.set(result.head);
      }
      return result;
    },
    read: async (after, limit) => await timed('read', async () => await journal.read(after, limit)),
    async *scan(after) {
      try {
        yield* journal.scan(after);
      } catch (error) {
        metrics.storageErrors.inc({ backend, operation: 'read' });
        throw error;
      }
    },
    follow: (listener) => journal.follow(listener),
    close: async () => await journal.close(),
    [Symbol.asyncDispose]: async () => await journal.close(),
  };
}
