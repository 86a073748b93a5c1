// The roster as members are told it: signed at most once in a while, since each signature covers everybody and each change is news to everybody; whole to
// those who hold none, else what became of the one that they hold. It lags behind the state by that while, and longer when it cannot be signed: the fleet
// keeps the one before meanwhile.

import { limits } from '../../proto/limits.ts';
import type { RosterChange } from '../../proto/roster-change.ts';
import type { Roster, RosterMember } from '../../proto/statement.ts';
import type { Member, State } from '../core/model/model.ts';
import { forgotten, isBarred, isPresent } from '../core/model/roster.ts';
import { zoneOf } from '../core/model/zones.ts';

/** Changes of membership are told together: each of them is new to everybody. */
const delayMsMin = 200;
/** For each member: at ten thousand, ten seconds, in which a control plane answers them all. */
const delayMsEach = 1;
/** Changes kept made, by where they start: nearly everybody holds one of the last few rosters. */
const changesMax = 16;
/** A roster that cannot be signed is tried again after a pause that doubles up to this. */
const retryMsMin = 1_000;
const retryMsMax = 60_000;

/** The newest roster in its two forms. */
export interface RosterNews {
  readonly roster?: string;
  readonly rosterChange?: RosterChange;
}

interface Published {
  readonly at: number;
  readonly state: State;
  readonly compact: string;
}

export interface RostersOptions {
  /** @throws when the roster is beyond a bound of its form, or the key is of no use. */
  readonly sign: (roster: Roster) => string;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Told of each failure to sign, and after how many milliseconds it will be tried again. */
  readonly failed: (error: unknown, retryMs: number) => void;
}

export class Rosters {
  readonly #options: RostersOptions;
  readonly #changes = new Map<number, RosterChange>();
  #published: Published | undefined;
  #failures = 0;
  #retryAt = -Infinity;

  constructor(options: RostersOptions) {
    this.#options = options;
  }

  /** Whether the roster of `state` is signed. */
  isPublished(state: State): boolean {
    return this.#published?.state.rosterEpoch === state.rosterEpoch;
  }

  /** How long changes are gathered before they are told; after a failure, until it is tried again. */
  delayMs(state: State): number {
    return Math.max(delayMsMin + state.members.size * delayMsEach, this.#retryAt - this.#options.now());
  }

  /**
   * Signs the roster of `state` unless it is signed, or the one before was signed a moment ago (`urgent`: that does not count), or signing failed a moment ago.
   * Returns whether the roster of `state` is signed.
   */
  publish(state: State, urgent = false): boolean {
    const last = this.#published;
    const now = this.#options.now();
    if (this.isPublished(state)) return true;
    if (now < this.#retryAt || (last !== undefined && !urgent && now - last.at < this.delayMs(state))) return false;
    try {
      this.#published = { at: now, state, compact: this.#options.sign(rosterOf(state)) };
    } catch (error) {
      const retryMs = Math.min(retryMsMax, retryMsMin * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 10);
      this.#retryAt = now + retryMs;
      this.#options.failed(error, retryMs);
      return false;
    }
    this.#changes.clear();
    this.#failures = 0;
    this.#retryAt = -Infinity;
    return true;
  }

  /** What is new to a member that holds the roster of `epoch`; 0 for none. */
  since(now: State, epoch: number): RosterNews {
    this.publish(now);
    if (this.#published === undefined) return {};
    const { compact, state } = this.#published;
    const { rosterEpoch, members } = state;
    if (rosterEpoch <= epoch) return {};
    if (epoch === 0) return { roster: compact };
    const known = this.#changes.get(epoch);
    if (known !== undefined) return { rosterChange: known };
    const changed = [...members.values()].filter((member) => member.rosterEpoch > epoch);
    const gone = forgotten(state, epoch);
    // Half of a roster as a change is no shorter than a roster, since that is one text, made once.
    if (changed.length > members.size / 2 || gone === undefined || gone.length > limits.rosterRevokedMax) return { roster: compact };
    const [header = '', , signature = ''] = compact.split('.');
    const rosterChange = { from: epoch, epoch: rosterEpoch, members: present(changed, state), revoked: barred(changed, state), ...(gone.length === 0 ? {} : { forgotten: [...gone] }), header, signature };
    if (this.#changes.size < changesMax) this.#changes.set(epoch, rosterChange);
    return { rosterChange };
  }
}

function rosterOf(state: State): Roster {
  const all = [...state.members.values()];
  return { epoch: state.rosterEpoch, members: present(all, state), revoked: barred(all, state) };
}

/** By the moment that the state gives the roster, not by a clock: so the roster of an epoch is the same text whenever it is made. */
function present(members: readonly Member[], { rosterAt }: State): RosterMember[] {
  return members
    .filter((member) => isPresent(member, rosterAt))
    .map(({ member, addresses, roles, environments, labels, attributes }) => ({ member, addresses: [...addresses], roles: [...roles], environments: [...environments], zone: zoneOf({ labels, attributes }) }))
    .toSorted((a, b) => (a.member < b.member ? -1 : 1));
}

function barred(members: readonly Member[], { rosterAt }: State): string[] {
  return members.filter((member) => isBarred(member, rosterAt)).map(({ member }) => member).toSorted();
}
