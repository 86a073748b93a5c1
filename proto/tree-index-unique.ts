// Finding two equal things among millions without holding them: by sorted fingerprints, then by looking at the few that share one.
// A set of strings would take hundreds of megabytes for a large tree, and as much as an attacker likes for a hostile one.

import { ProtocolError } from './errors.ts';

/**
 * Different things with one fingerprint that are looked at. Fingerprints have 53 bits, so among a million honest things even a pair is
 * rare; who crafts more wants the quadratic cost.
 */
const groupMax = 16;

/**
 * The first pair `[earlier, later]` of positions that `equal` confirms, or undefined. Equal things must have equal fingerprints.
 * @throws {ProtocolError} MALFORMED when more than 16 different things share one fingerprint.
 */
export function findDuplicate(
  fingerprints: Float64Array,
  equal: (earlier: number, later: number) => boolean,
): readonly [number, number] | undefined {
  const shared = sharedFingerprints(fingerprints);
  if (shared.size === 0) return undefined;
  const groups = new Map<number, number[]>();
  for (let position = 0; position < fingerprints.length; position += 1) {
    const fingerprint = fingerprints[position] ?? 0;
    if (!shared.has(fingerprint)) continue;
    const group = groups.get(fingerprint) ?? [];
    const earlier = group.find((candidate) => equal(candidate, position));
    if (earlier !== undefined) return [earlier, position];
    if (group.length === groupMax) throw new ProtocolError('MALFORMED', `more than ${groupMax} entries were made to share a fingerprint`);
    group.push(position);
    groups.set(fingerprint, group);
  }
  return undefined;
}

/** Fingerprint of a run of numbers (bytes or UTF-16 units) that `at` gives. 53 bits; no protection against crafted input. */
export function fingerprintOf(length: number, at: (index: number) => number): number {
  let high = 0x811c9dc5 | 0;
  let low = 0x2545f491;
  for (let index = 0; index < length; index += 1) {
    const unit = at(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x5bd1e995) ^ (low >>> 15);
  }
  return joinFingerprint(high, low);
}

/** Two 32-bit words as one fingerprint of 53 bits. */
export function joinFingerprint(high: number, low: number): number {
  return (high >>> 0) * 0x200000 + (low >>> 11);
}

function sharedFingerprints(fingerprints: Float64Array): ReadonlySet<number> {
  const sorted = fingerprints.slice().sort();
  const shared = new Set<number>();
  for (let index = 1; index < sorted.length; index += 1) {
    const fingerprint = sorted[index] ?? 0;
    if (fingerprint === sorted[index - 1]) shared.add(fingerprint);
  }
  return shared;
}
