// The roster as members are told it: signed at most once in a while, since each signature covers everybody and each change is news to everybody; whole to
// those who hold none, else what became of the one that they hold. It lags behind the state by that while.

import type { RosterChange } from '../../proto/roster-change.ts';
import type { Roster, RosterMember } from '../../proto/statement.ts';
import type { Member, State } from '../core/model.ts';
import { zoneOf } from '../core/zones.ts';

/** Changes of membership are told together: each of them is new to everybody. */
const delayMsMin = 200;
/** For each member: at ten thousand, ten seconds, in which a control plane answers them all. */
const delayMsEach = 1;
/** Changes kept made, by where they start: nearly everybody holds one of the last few rosters. */
const changesMax = 16;

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

export class Rosters {
  readonly #sign: (roster: Roster) => string;
  readonly #now: () => number;
  readonly #changes = new Map<number, RosterChange>();
  #published: Published | undefined;

  /** `now` is milliseconds of a monotonic clock. */
  constructor(sign: (roster: Roster) => string, now: () => number) {
    this.#sign = sign;
    this.#now = now;
  }

  /** How long changes are gathered before they are told. */
  delayMs(state: State): number {
    return delayMsMin + state.members.size * delayMsEach;
  }

  /** Signs the roster of `state` unless it is signed, or the one before was signed a moment ago; `urgent` when that does not count. */
  publish(state: State, urgent = false): Published {
    const last = this.#published;
    const now = this.#now();
    if (last !== undefined && (last.state.rosterEpoch === state.rosterEpoch || (!urgent && now - last.at < this.delayMs(state)))) return last;
    this.#changes.clear();
    this.#published = { at: now, state, compact: this.#sign(rosterOf(state)) };
    return this.#published;
  }

  /** What is new to a member that holds the roster of `epoch`; 0 for none. */
  since(state: State, epoch: number): RosterNews {
    const { compact, state: { rosterEpoch, members } } = this.publish(state);
    if (rosterEpoch <= epoch) return {};
    if (epoch === 0) return { roster: compact };
    const known = this.#changes.get(epoch);
    if (known !== undefined) return { rosterChange: known };
    const changed = [...members.values()].filter((member) => member.rosterEpoch > epoch);
    // Half of a roster as a change is no shorter than a roster, since that is one text, made once.
    if (changed.length > members.size / 2) return { roster: compact };
    const [header = '', , signature = ''] = compact.split('.');
    const rosterChange = { from: epoch, epoch: rosterEpoch, members: present(changed), revoked: barred(changed), header, signature };
    if (this.#changes.size < changesMax) this.#changes.set(epoch, rosterChange);
    return { rosterChange };
  }
}

function rosterOf({ members, rosterEpoch }: State): Roster {
  const all = [...members.values()];
  return { epoch: rosterEpoch, members: present(all), revoked: barred(all) };
}

function present(members: readonly Member[]): RosterMember[] {
  return members
    .filter((member) => !member.revoked)
    .map(({ member, addresses, roles, environments, labels, attributes }) => ({ member, addresses: [...addresses], roles: [...roles], environments: [...environments], zone: zoneOf({ labels, attributes }) }))
    .toSorted((a, b) => (a.member < b.member ? -1 : 1));
}

function barred(members: readonly Member[]): string[] {
  return members.filter((member) => member.revoked).map(({ member }) => member).toSorted();
}
