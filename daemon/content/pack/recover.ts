// A pack store at its start: an index made anew from the packs, packs whose removal was cut short, and whether packs and index belong together.

import { join } from 'node:path';
import type { Digest } from '../../../proto/cid.ts';
import { DaemonError } from '../../errors.ts';
import { packPath, removePack } from './files.ts';
import type { Extent, PackIndex } from './pack-index.ts';
import { scanPack } from './scan.ts';

/** An index in which nothing was recorded, beside packs: it was lost. Counts only when the last batch is in, so a crash starts it over. */
export async function rebuild(directory: string, index: PackIndex, packs: readonly number[]): Promise<Extent> {
  const known = new Set<Digest>();
  let extent: Extent = { pack: 1, end: 0, chunks: 0, bytes: 0 };
  for (const pack of packs) {
    const { found, end } = await scanPack(packPath(directory, pack));
    const added = found.filter(({ id }) => !known.has(id) && known.add(id)).map(({ id, offset, length }) => ({ id, place: { pack, offset, length } }));
    extent = { pack, end, chunks: known.size, bytes: added.reduce((sum, { place }) => sum + place.length, extent.bytes) };
    await index.record(added, undefined);
  }
  // Packs that are not there were removed, or are lost; what they held is not in the index either way.
  await index.markGone(Array.from({ length: extent.pack - 1 }, (_, at) => at + 1).filter((pack) => !packs.includes(pack)));
  if (packs.length > 0) await index.record([], extent);
  return extent;
}

/** @throws {DaemonError} CORRUPT_STATE when packs are not what the index says. */
export function checkPacks(directory: string, { packs, gone }: { readonly packs: readonly number[]; readonly gone: readonly number[] }, extent: Extent, size: number): void {
  const mend = `move ${join(directory, 'index')} away and start again: what the packs still hold is found in them, the rest is asked for anew`;
  const missing = Array.from({ length: extent.pack - 1 }, (_, at) => at + 1).find((pack) => !packs.includes(pack) && !gone.includes(pack));
  if (missing !== undefined) throw new DaemonError('CORRUPT_STATE', `${packPath(directory, missing)} is missing; ${mend}`);
  if (size < extent.end) throw new DaemonError('CORRUPT_STATE', `${packPath(directory, extent.pack)} has ${size} bytes, the index knows ${extent.end}; ${mend}`);
}

/** Removes packs whose end was written down, and nothing more; never the newest. */
export async function removeGone(directory: string, index: PackIndex, packs: readonly number[], newest: number): Promise<void> {
  const gone = new Set(await index.gone());
  for (const pack of packs) if (pack < newest && gone.has(pack)) await removePack(directory, pack);
}
