// Which orders were carried out or given up, in one small file that is replaced as a whole: those must not begin again with the daemon.

import type { Order } from '../../proto/statement.ts';
import { readBytes, replaceFile } from './durable.ts';

/** The last one of each environment and application. */
export interface FinishedOrders {
  seqOf(order: Pick<Order, 'environment' | 'app'>): number;
  /** Resolves when it is synced. Applications end their orders each for itself, also at once. @throws {DaemonError} NO_SPACE, STORAGE_FAILED. */
  add(order: Pick<Order, 'environment' | 'app' | 'seq'>): Promise<void>;
}

/** A file that cannot be read is as good as none: an order is then looked at once more. */
export async function openFinishedOrders(path: string): Promise<FinishedOrders> {
  const seqs = new Map<string, number>();
  const key = ({ environment, app }: Pick<Order, 'environment' | 'app'>): string => `${environment}/${app}`;
  try {
    const value: unknown = JSON.parse((await readBytes(path))?.toString('utf8') ?? '{}');
    if (typeof value === 'object' && value !== null) for (const [name, seq] of Object.entries(value)) if (typeof seq === 'number') seqs.set(name, seq);
  } catch {
    seqs.clear();
  }
  let last: Promise<void> = Promise.resolve();
  return {
    seqOf: (order) => seqs.get(key(order)) ?? 0,
    async add(order) {
      seqs.set(key(order), order.seq);
      // One after the other: they would take each other's draft away.
      const write = async (): Promise<void> => await replaceFile(path, `${JSON.stringify(Object.fromEntries(seqs))}\n`);
      const turn = last.then(write, write);
      last = turn;
      await turn;
    },
  };
}
