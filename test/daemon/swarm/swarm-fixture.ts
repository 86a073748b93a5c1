// Members of a fleet in one process, over libp2p on loopback: keys, certificates that a test can bend, rosters, and swarms that count.

import { createHash, randomBytes } from 'node:crypto';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { createBitmap, fullBitmap } from '../../../proto/bitmap.ts';
import type { Certificate, Role, Roster, RosterMember } from '../../../proto/statement.ts';
import type { ChunkRef } from '../../../proto/tree.ts';
import { systemClock, type Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/log.ts';
import type { VerifyCertificate } from '../../../daemon/swarm/libp2p/admission.ts';
import { createSwarm } from '../../../daemon/swarm/exchange/exchange.ts';
import { openLibp2pNetwork } from '../../../daemon/swarm/libp2p/libp2p.ts';
import type { Network } from '../../../daemon/swarm/network.ts';
import type { Packing } from '../../../daemon/swarm/exchange/packing.ts';
import type { ManifestSource, Swarm, SwarmMetrics, Topic } from '../../../daemon/swarm/swarm.ts';
import { seeded } from '../../support/random.ts';

export const loopback = '/ip4/127.0.0.1/tcp/0';

/** Whether members have bulk channels unless a test says so: on, and off where the same tests run without. */
export const fixture: { bulk: 'on' | 'off' } = { bulk: 'on' };

/** Settings of bulk channels for tests. */
export const bulkOnLoopback = { port: 0, randomBytes: (length: number): Uint8Array => randomBytes(length) };

/** A logger that keeps what it is told. */
export interface KeptLog extends Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

export function keptLog(): KeptLog {
  const lines: KeptLog['lines'] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields: { ...fields } });
  };
  const log: KeptLog = { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
  return log;
}

export interface Counts extends SwarmMetrics {
  readonly received: { origin: number; peer: number };
  sent: number;
  packed: number;
  readonly wasted: Record<string, number>;
  readonly strikes: Record<string, number>;
  readonly verifyFailed: string[];
  readonly bans: string[];
  readonly dials: Record<string, number>;
  /** Bytes of answers by path and direction, and open bulk channels. */
  readonly carriedBytes: Record<string, number>;
  channels: number;
}

export function counts(): Counts {
  const bump = (record: Record<string, number>, key: string, by = 1): void => {
    record[key] = (record[key] ?? 0) + by;
  };
  const made: Counts = {
    received: { origin: 0, peer: 0 },
    sent: 0,
    packed: 0,
    wasted: {},
    strikes: {},
    verifyFailed: [],
    bans: [],
    dials: {},
    carriedBytes: {},
    channels: 0,
    carried: (path, direction, bytes) => bump(made.carriedBytes, `${path} ${direction}`, bytes),
    bulkChannels(change) {
      made.channels += change;
    },
    receivedBytes(source, bytes) {
      made.received[source] += bytes;
    },
    sentBytes(bytes) {
      made.sent += bytes;
    },
    packedBytes(saved) {
      made.packed += saved;
    },
    wastedBytes: (reason, bytes) => bump(made.wasted, reason, bytes),
    chunkVerifyFailed: (member) => void made.verifyFailed.push(member),
    strike: (reason) => bump(made.strikes, reason),
    ban: (member) => void made.bans.push(member),
    peers: () => undefined,
    dial: (outcome) => bump(made.dials, outcome),
    requestsInFlight: () => undefined,
  };
  return made;
}

export async function identityOf(name: string): Promise<{ readonly seed: Uint8Array; readonly member: string }> {
  const seed = createHash('sha256').update(name).digest();
  return { seed, member: peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString() };
}

export function certificateOf(member: string, name: string, roles: readonly Role[] = ['agent'], environments: readonly string[] = ['prod']): Certificate {
  const now = Math.floor(Date.now() / 1000);
  return { org: 'acme', member, name, roles: [...roles], environments: [...environments], labels: {}, serial: 1, notBefore: now - 60, notAfter: now + 3600 };
}

/** A certificate as these tests write it: JSON in the place of a signature; the real one is verified in test/contract/trust-statements.test.ts. */
export const verifyPlain = async (compact: string, peerId: string): Promise<Certificate> => {
  const certificate: Certificate = await Promise.resolve(JSON.parse(compact));
  if (certificate.member !== peerId) throw new Error(`a certificate of ${certificate.member} shown by ${peerId}`);
  return certificate;
};

export interface Blob {
  readonly topic: Topic;
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
}

/** A blob of made-up chunks; the same seed makes the same. */
export function blobOf(seed: number, count: number, lengthMax: number, environments: readonly string[] = ['prod']): Blob {
  const random = seeded(seed).next;
  const chunks = Array.from({ length: count }, () => {
    const bytes = new Uint8Array(1 + Math.floor(random() * lengthMax));
    for (let at = 0; at < bytes.length; at += 97) bytes[at] = Math.floor(random() * 256);
    return bytes;
  });
  const refs: ChunkRef[] = chunks.map((bytes) => ({ id: createHash('sha256').update(bytes).digest('hex'), length: bytes.length }));
  const revision = createHash('sha256').update(`revision ${seed}`).digest('hex');
  const chunk = (ordinal: number): ChunkRef => {
    const found = refs[ordinal];
    if (found === undefined) throw new RangeError(`no chunk ${ordinal}`);
    return found;
  };
  return { topic: { revision, blob: 'tree', chunkCount: count, chunk, environments }, chunks, bytes: chunks.reduce((sum, { length }) => sum + length, 0) };
}

/** What a member holds of a blob, and what was written to it. */
export function holdingsOf(blob: Blob, held: 'all' | 'none' | readonly number[]) {
  const bitmap = held === 'all' ? fullBitmap(blob.chunks.length) : createBitmap(blob.chunks.length);
  if (held !== 'all' && held !== 'none') for (const ordinal of held) bitmap.set(ordinal);
  const kept = new Map<number, Uint8Array>();
  for (const { from, to } of bitmap.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) kept.set(ordinal, blob.chunks[ordinal] ?? new Uint8Array(0));
  const writes = new Map<number, number>();
  return {
    kept,
    writes,
    holdings: { held: bitmap, read: async (ordinal: number) => await Promise.resolve(kept.get(ordinal)) },
    write: async (ordinal: number, bytes: Uint8Array) => {
      await Promise.resolve();
      kept.set(ordinal, bytes.slice());
      writes.set(ordinal, (writes.get(ordinal) ?? 0) + 1);
    },
    /** Ordinals whose bytes are not the blob's. */
    bad: () => blob.chunks.flatMap((bytes, ordinal) => (Buffer.compare(bytes, kept.get(ordinal) ?? new Uint8Array(0)) === 0 ? [] : [ordinal])),
  };
}

export interface Member {
  readonly name: string;
  readonly member: string;
  readonly network: Network;
  readonly swarm: Swarm;
  readonly counts: Counts;
  readonly log: KeptLog;
  readonly rostered: RosterMember;
}

export interface MemberOptions {
  readonly roles?: readonly Role[];
  readonly environments?: readonly string[];
  readonly manifests?: ManifestSource;
  readonly certificate?: () => string;
  readonly clock?: Clock;
  readonly listen?: string;
  readonly packing?: Packing;
  readonly verifyCertificate?: VerifyCertificate;
  /** Whether there is a bulk channel; as `fixture` says when it is left out. */
  readonly bulk?: 'on' | 'off';
}

export async function openMember(name: string, options: MemberOptions = {}): Promise<Member> {
  const { roles = ['agent'], environments = ['prod'] } = options;
  const { seed, member } = await identityOf(name);
  const metrics = counts();
  const log = keptLog();
  const certificate = options.certificate ?? (() => JSON.stringify(certificateOf(member, name, roles, environments)));
  const { clock = systemClock, verifyCertificate = verifyPlain } = options;
  const network = await openLibp2pNetwork({ seed, listen: [options.listen ?? loopback], origin: !roles.includes('agent'), certificate, verifyCertificate, clock, metrics, log, ...((options.bulk ?? fixture.bulk) === 'off' ? {} : { bulk: bulkOnLoopback }) });
  const swarm = createSwarm({ network, ...(options.packing === undefined ? {} : { packing: options.packing }), roles, manifests: options.manifests ?? (async () => await Promise.resolve(undefined)), metrics, soon: (look) => void setImmediate(look), clock, random: seeded(seed[0] ?? 0).next, log });
  const rostered: RosterMember = { member, addresses: [...network.addresses()], roles: [...roles], environments: [...environments], zone: 'a' };
  return { name, member, network, swarm, counts: metrics, log, rostered };
}

export function rosterOf(epoch: number, members: readonly Pick<Member, 'rostered'>[], revoked: readonly string[] = []): Roster {
  return { epoch, members: members.map(({ rostered }) => rostered).toSorted((a, b) => (a.member < b.member ? -1 : 1)), revoked: [...revoked] };
}

/** Polls without a timer of the test's own: each turn lets the sockets work. */
export async function until(condition: () => boolean, what: string, turnsMax = 20_000): Promise<void> {
  for (let turn = 0; turn < turnsMax; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  throw new Error(`waited in vain until ${what}`);
}

export async function closeAll(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(async ({ swarm }) => await swarm.close()));
}

/** A seed that holds and shares all of a blob. */
export async function openSeed(blob: Blob, options: MemberOptions = {}): Promise<Member> {
  const seed = await openMember('seed', { roles: ['seed'], ...options });
  seed.swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  return seed;
}
