// How long after a window's opening an environment starts: by a hash, so that every replica agrees and a restart changes
// nothing, and so that thirty environments under one window do not start in the same second (control-plane.md 1.8).

import type { TimeWindow } from '../../../proto/window.ts';
import type { Occurrence } from './occurrences.ts';

/** Milliseconds after the opening: from 0 to `jitterMs`, and never past half of the occurrence, so that none is jittered away. */
export function jitterOf(window: TimeWindow, occurrence: Occurrence, environment: string): number {
  const most = Math.min(window.jitterMs ?? 0, Math.floor((occurrence.to - occurrence.from) / 2));
  return most <= 0 ? 0 : hash(`${environment}|${window.window}|${occurrence.from}`) % (most + 1);
}

/** FNV-1a of 32 bits with a final mix; spreads, and protects nothing. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
