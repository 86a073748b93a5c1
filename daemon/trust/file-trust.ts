// What this member believes, kept in `<dataDir>/trust/`: metadata.json (one generation of TUF files, replaced as a whole), memory.json
// (the latest time seen, and the orders accepted) and roster.jws. What is believed is decided in trusted-set.ts, statements.ts and order.ts.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Digest } from '../../proto/cid.ts';
import { limits } from '../../proto/limits.ts';
import type { RosterChange } from '../../proto/roster-change.ts';
import type { Order, Roster } from '../../proto/statement.ts';
import { DaemonError } from '../errors.ts';
import { makeDirectory, readBytes, replaceFile } from './durable.ts';
import { freshnessOf, nextFloor, signedAt, type Times } from './freshness.ts';
import { checkOrder } from './statements/order.ts';
import { decodeBelief, decodeMemory, emptyMemory, encodeBelief, encodeMemory, type Belief, type Memory } from './records.ts';
import { compactOf } from './statements/roster-statement.ts';
import { keysFile, type StatementKeys } from './statements/statement-keys.ts';
import { openCertificate, openGrant, openOrder, openRoster } from './statements/statements.ts';
import type { Authorised, Trust, UpdateOutcome } from './trust.ts';
import { currentRole, filesOf, restoreSet, startSet, type Files, type TrustedSet } from './tuf/trusted-set.ts';
import { changedNames, step } from './tuf/trusted-step.ts';

export interface TrustOptions {
  readonly dataDir: string;
  /** sha2-256 of `1.root.json`, from the join token; needed until a root has been pinned. */
  readonly pin: Digest | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const comesAgain = 'remove it and start again: what it held comes again from the control plane';
const doesNot = 'restore it from a backup; without it, orders of the last hours that are not over could be repeated to this machine';

/** While nothing else changes, the latest time seen is written this seldom. */
const floorStepMs = 10 * 60_000;

/**
 * Opens what is believed. @throws {DaemonError} STORAGE_FAILED; CORRUPT_STATE with the file to remove; WRONG_TRUST_ROOT when another root
 * was pinned before.
 */
export async function openTrust(options: TrustOptions): Promise<Trust> {
  const { dataDir, pin, now } = options;
  await makeDirectory(dataDir);
  const directory = join(dataDir, 'trust');
  await makeDirectory(directory);
  const paths = { belief: join(directory, 'metadata.json'), memory: join(directory, 'memory.json'), roster: join(directory, 'roster.jws') };
  const belief = await load(paths.belief, decodeBelief, comesAgain);
  if (belief !== undefined && pin !== undefined && belief.pin !== pin) {
    throw new DaemonError('WRONG_TRUST_ROOT', `this machine trusts the root ${belief.pin}, not ${pin}: remove ${directory} if it is to change hands`);
  }
  const set = belief === undefined ? undefined : await load(paths.belief, () => restore(belief), comesAgain);
  const memory = (await load(paths.memory, decodeMemory, doesNot)) ?? emptyMemory;
  const trust = new FileTrust({ paths, pin: belief?.pin ?? pin, now, belief, set, memory });
  await trust.restoreRoster();
  return trust;
}

interface Opened {
  readonly paths: { readonly belief: string; readonly memory: string; readonly roster: string };
  readonly pin: Digest | undefined;
  readonly now: () => number;
  readonly belief: Belief | undefined;
  readonly set: TrustedSet | undefined;
  readonly memory: Memory;
}

class FileTrust implements Trust {
  readonly #paths: Opened['paths'];
  readonly #pin: Digest | undefined;
  readonly #now: () => number;
  #belief: Belief | undefined;
  #set: TrustedSet | undefined;
  #memory: Memory;
  #roster: Roster | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(opened: Opened) {
    this.#paths = opened.paths;
    this.#pin = opened.pin;
    this.#now = opened.now;
    this.#belief = opened.belief;
    this.#set = opened.set;
    this.#memory = { ...opened.memory, floor: Math.max(opened.memory.floor, signedAt(opened.set) ?? 0) };
  }

  /** A roster that no longer verifies, after a change of keys, is as good as none: the next sync brings one. */
  async restoreRoster(): Promise<void> {
    const bytes = await readBytes(this.#paths.roster);
    if (bytes === undefined || this.#set?.keys === undefined) return;
    this.#roster = await openRoster(bytes.toString('utf8'), this.#set.keys).catch(() => undefined);
  }

  isPinned(): boolean {
    return this.#set !== undefined;
  }

  async pinRoot(bytes: Uint8Array): Promise<void> {
    await this.#alone(async () => {
      if (this.#set !== undefined) return;
      const found = createHash('sha256').update(bytes).digest('hex');
      if (this.#pin !== found) {
        throw new DaemonError(
          'WRONG_TRUST_ROOT',
          `the control plane's trust root is ${found}, expected ${this.#pin ?? 'one that is pinned, and none is'}: ` +
            'compare the join token with the control plane that it comes from; this may be another one that answers in its place',
        );
      }
      const text = Buffer.from(bytes).toString('utf8');
      const set = startSet('1.root.json', text);
      await this.#keep({ pin: found, roots: [{ version: set.root.version, text }], files: {} }, set);
    });
  }

  async update(files: Files): Promise<UpdateOutcome> {
    return await this.#alone(async () => {
      const belief = this.#belief;
      const before = this.#set;
      if (belief === undefined || before === undefined) throw new DaemonError('WRONG_TRUST_ROOT', 'no trust root is pinned yet: join first');
      const now = this.#now();
      const { set, roots, refused } = step(before, files, now);
      const keptRoots = [...belief.roots, ...roots].slice(-limits.rootRotationsMax);
      const changed = changedNames(before, set, roots);
      if (changed.length > 0) await this.#keep({ pin: belief.pin, roots: keptRoots, files: filesOf(set) }, set);
      const floor = nextFloor(this.#times(now), set.timestamp === before.timestamp ? undefined : signedAt(set));
      if (changed.length > 0 || floor > this.#memory.floor + floorStepMs) await this.#remember({ ...this.#memory, floor });
      return { changed, refused };
    });
  }

  versions(): Readonly<Record<string, number>> {
    const set = this.#set;
    if (set === undefined) return {};
    const current = [...set.roles.values()].filter((role) => currentRole(set, role.environment) === role).map((role) => role.file);
    const files = [set.timestamp, set.snapshot, set.targets, ...current].filter((file) => file !== undefined);
    return Object.fromEntries([['root', set.root.version], ...files.map((file) => [file.name.slice(0, -'.json'.length), file.version])]);
  }

  files(newerThan: Readonly<Record<string, number>>): Files {
    const held = (role: string): number => (Object.hasOwn(newerThan, role) ? (newerThan[role] ?? 0) : 0);
    const roots = (this.#belief?.roots ?? []).filter(({ version }) => version > held('root'));
    const newer = Object.entries(this.versions()).filter(([role, version]) => role !== 'root' && version > held(role));
    const all = this.#belief?.files ?? {};
    const names = newer.flatMap(([role]) => (role === 'targets' ? ['targets.json', keysFile] : [`${role}.json`]));
    return Object.fromEntries([
      ...roots.map(({ version, text }) => [`${version}.root.json`, text]),
      ...names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
    ]);
  }

  freshness() {
    return freshnessOf(this.#set, this.#times(this.#now()));
  }

  authorised(environment: string): Authorised | undefined {
    const role = this.#set === undefined ? undefined : currentRole(this.#set, environment);
    if (role === undefined) return undefined;
    const freshness = freshnessOf(this.#set, this.#times(this.#now()), environment);
    const revisions = [...role.revisions].map(([app, { revision, bytes, number }]) => [app, { revision, bytes, number }] as const);
    return { version: role.file.version, revisions: new Map(revisions), freshness };
  }

  async verifyOrder(compact: string, audience: Parameters<Trust['verifyOrder']>[1]): Promise<Order> {
    const order = await openOrder(compact, this.#keys(), this.#times(this.#now()));
    checkOrder(order, audience, this.authorised(order.environment));
    return order;
  }

  seqSeen(): Readonly<Record<string, number>> {
    return this.#memory.seqSeen;
  }

  async acceptOrder(order: Order): Promise<void> {
    await this.#alone(async () => {
      const { environment, app, seq } = order;
      const seen = this.#memory.seqSeen[environment] ?? 0;
      if (seq <= seen) throw new DaemonError('ROLLBACK_REFUSED', `order ${seq} of ${environment} is not above order ${seen}, which was accepted before`);
      const others = this.#memory.orders.filter((one) => one.environment !== environment || one.app !== app);
      const floor = Math.max(this.#memory.floor, this.#now());
      await this.#remember({ floor, seqSeen: { ...this.#memory.seqSeen, [environment]: seq }, orders: [...others, order] });
    });
  }

  acceptedOrders(): readonly Order[] {
    return this.#memory.orders;
  }

  async verifyCertificate(compact: string, peerId: string) {
    return await openCertificate(compact, peerId, this.#keys(), this.#times(this.#now()));
  }

  async verifyGrant(compact: string) {
    return await openGrant(compact, this.#keys(), this.#times(this.#now()));
  }

  async verifyRoster(compact: string): Promise<Roster> {
    return await openRoster(compact, this.#keys());
  }

  async acceptRoster(compact: string): Promise<Roster> {
    const roster = await this.verifyRoster(compact);
    await this.#alone(async () => {
      const held = this.#roster?.epoch ?? 0;
      // An older roster would let in again who was revoked since.
      if (roster.epoch < held) throw new DaemonError('ROLLBACK_REFUSED', `the roster is that of epoch ${roster.epoch}, epoch ${held} was seen before`);
      await replaceFile(this.#paths.roster, compact);
      this.#roster = roster;
    });
    return roster;
  }

  async acceptRosterChange(change: RosterChange): Promise<Roster> {
    return await this.acceptRoster(compactOf(this.#roster, change));
  }

  roster(): Roster | undefined {
    return this.#roster;
  }

  #times(now: number): Times {
    return { now, floor: this.#memory.floor };
  }

  #keys(): StatementKeys {
    const keys = this.#set?.keys;
    if (keys === undefined) throw new DaemonError('STATEMENT_REFUSED', 'no statement can be checked before the first metadata has come from the control plane');
    return keys;
  }

  /** Memory follows the disk, never the other way round. */
  async #keep(belief: Belief, set: TrustedSet): Promise<void> {
    await replaceFile(this.#paths.belief, encodeBelief(belief));
    this.#belief = belief;
    this.#set = set;
  }

  async #remember(memory: Memory): Promise<void> {
    await replaceFile(this.#paths.memory, encodeMemory(memory));
    this.#memory = memory;
  }

  /** One change at a time. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

function restore(belief: Belief): TrustedSet {
  const root = belief.roots.at(-1);
  if (root === undefined) throw new DaemonError('CORRUPT_STATE', 'it names no root');
  return restoreSet(`${root.version}.root.json`, root.text, belief.files);
}

/** Decodes a file of ours; absence is `undefined`. */
async function load<Value>(path: string, decode: (text: string) => Value, advice: string): Promise<Value | undefined> {
  const bytes = await readBytes(path);
  if (bytes === undefined) return undefined;
  try {
    return decode(bytes.toString('utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DaemonError('CORRUPT_STATE', `${path} is damaged (${reason}): ${advice}`, { cause });
  }
}
