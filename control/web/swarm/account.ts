// The receipt of a deployment in words: how its time compares to what no distribution could beat, from where its bytes came, and what held up its last
// machine. Pure; the figures are the control plane's.

import type { Receipt, ReceiptTarget } from '../../../proto/api/swarm.ts';
import type { Tone } from '../attention.ts';
import { bytesText, countText, tookText } from '../words.ts';

/** Times over the bound up to which a distribution is well, and from which somebody should look at the cause. */
const ratioWell = 1.5;
const ratioSlow = 3;

const boundNames: Readonly<Record<NonNullable<Receipt['time']['boundBy']>, string>> = {
  'origin-uplink': "the origin's line",
  downlink: 'the slowest line of a target',
  'all-uplinks': 'the lines of all together',
};

/** How long it took beside how long it had to take, with how good that is. */
export function paceOf({ time: { durationMs, boundMs, boundBy, ratio, unknown } }: Pick<Receipt, 'time'>): { readonly tone: Tone; readonly text: string } {
  if (durationMs === undefined) return { tone: 'off', text: 'nothing was fetched yet' };
  const took = tookText(durationMs);
  if (boundMs === undefined || ratio === undefined) return { tone: 'off', text: `${took}; what would have been possible is not known, since no machine declares its rates (rates.link in agent.yaml)` };
  const bound = tookText(boundMs);
  const missing = unknown.length === 0 ? '' : `; not counted: ${unknown.join('; ')}`;
  return { tone: ratio <= ratioWell ? 'well' : ratio <= ratioSlow ? 'waiting' : 'blocked', text: `${took}, ${ratio.toFixed(2)} times the ${bound} that ${boundBy === undefined ? 'the lines' : boundNames[boundBy]} allowed${missing}` };
}

const causeNames: Readonly<Record<NonNullable<ReceiptTarget['cause']>, string>> = {
  'started-late': 'it began late',
  'rate-cap': 'its own cap on rates held it up',
  disk: 'its disk could not keep up',
  'struck-neighbours': 'neighbours that it struck off',
  'waiting-for-origin': 'the origin had not given out yet what it lacked',
  'few-holders': 'few held what it lacked',
  downlink: 'bytes came all the time, as fast as its line brings them',
  unknown: 'why is not known',
};

/** Why a target took as long as it did: with the figures, where the control plane has them. */
export function causeText({ cause, detail }: Pick<ReceiptTarget, 'cause' | 'detail'>): string {
  return detail ?? (cause === undefined ? '' : causeNames[cause]);
}

/** One part of all bytes that a fetch was made of. */
export interface Share {
  readonly name: string;
  /** Names its colour. */
  readonly kind: 'peer' | 'origin' | 'disk' | 'waste';
  readonly bytes: number;
  /** Of all, in percent, to one digit. */
  readonly percent: number;
}

/** From where bytes came, what was there already, and what came for nothing: parts of a whole, those of nothing left out. */
export function sharesOf({ peerBytes, originBytes, reusedBytes, wastedBytes }: Pick<Receipt['bytes'], 'peerBytes' | 'originBytes' | 'reusedBytes' | 'wastedBytes'>): readonly Share[] {
  const parts = [
    { name: 'from peers', kind: 'peer', bytes: peerBytes },
    { name: 'from origin', kind: 'origin', bytes: originBytes },
    { name: 'was there already', kind: 'disk', bytes: reusedBytes },
    { name: 'for nothing', kind: 'waste', bytes: wastedBytes },
  ] as const;
  const all = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  return parts.filter(({ bytes }) => bytes > 0).map((part) => ({ ...part, percent: Math.round((1000 * part.bytes) / all) / 10 }));
}

/** Copies of what one target needs that left the origin, and that crossed between zones, with the best that there can be. */
export function copiesText({ originCopies, crossZoneCopies, zones, fetchBytes }: Pick<Receipt, 'originCopies' | 'crossZoneCopies' | 'zones' | 'fetchBytes'>): readonly string[] {
  if (originCopies === undefined) return [];
  return [
    `${originCopies.toFixed(2)} copies of ${bytesText(fetchBytes)} left the origin; one is the least`,
    ...(crossZoneCopies === undefined || zones < 2 ? [] : [`${crossZoneCopies.toFixed(2)} copies crossed between ${countText(zones, 'zone')}; ${zones - 1} is the least where the origin is in one of them`]),
  ];
}
