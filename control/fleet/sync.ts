// The conversation with one member: what is new to it, told at once or as soon as there is something.

import type { JournalEntry } from '../../proto/events.ts';
import type { SyncReply, SyncRequest } from '../../proto/fleet.ts';
import type { Clock } from '../clock.ts';
import type { Member, State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import type { TrustRepository } from '../trust/repository.ts';
import { submit, type Facts } from './facts.ts';
import { manifestsFor, OrdersByMember, refusedBy } from './orders.ts';
import { Polls } from './polls.ts';
import type { Presence } from './presence.ts';
import { recordReports } from './reports.ts';
import { Rosters } from './rosters.ts';
import { certificateOf, recentlyRenewed, renewalDue } from './statements.ts';

export interface SyncOptions {
  readonly facts: Facts;
  readonly repository: TrustRepository;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly org: string;
  /** Ends every wait when the control plane stops. */
  readonly signal: AbortSignal;
  /** Called when a member is heard that had not been for a while: what waits for it may go on. */
  readonly returned: () => void;
}

/**
 * Members that are told something at once, and after how long the next ones: each comes back with a signed request, and people's requests must get between, which is
 * with a group and not within one. Where the thread is too busy for that pace, each of its turns rouses one group.
 */
const rousedTogether = 32;
const rousedEveryMs = 3;
/** After a role was published its agents are told this much later: mostly an order follows, which wakes them at once, and both then come in one answer. */
const roleAfterMs = 500;
/** A member whose address flaps is written down once in this time. */
const locateEveryMs = 5_000;
/** A member that was away for longer than this has returned when it is heard. */
const awayMs = 10_000;
/** One that does not take what it is sent is sent it again after a pause that doubles up to this. */
const repeatMsMax = 30_000;
const repeatMsMin = 250;
/** An empty answer is followed by the next poll within this time, at random, so that a fleet does not come in step. */
const jitterMs = 500;

/** What a member does not have yet. */
type News = Omit<SyncReply, 'pollAfterMs'>;

export class Conversations {
  readonly #options: SyncOptions;
  readonly #polls: Polls;
  readonly #rosters: Rosters;
  readonly #orders = new OrdersByMember();
  /** Looked up once: it changes twice in each request. */
  readonly #streams: ReturnType<Metrics['eventStreams']['labels']>;
  readonly #locatedAt = new Map<string, number>();
  /** What each member held when it was last sent news, and how often it came again with just that. */
  readonly #told = new Map<string, { readonly held: string; readonly times: number }>();
  readonly #stop: () => void;
  /** Members to be roused, in the order in which news for them came. */
  readonly #rousing = new Set<string>();
  #rosterDue = false;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { clock, repository, signal, metrics } = options;
    this.#streams = metrics.eventStreams.labels({ kind: 'agent' });
    this.#polls = new Polls(clock, signal);
    this.#rosters = new Rosters({ sign: (roster) => repository.signRoster(roster), now: () => clock.monotonic(), failed: (error, retryMs) => this.#unsigned(error, retryMs) });
    this.#stop = options.facts.onChange((entries) => this.#hear(entries));
  }

  close(): void {
    this.#stop();
  }

  async sync(claimed: string, request: SyncRequest, { signal }: { readonly signal: AbortSignal }): Promise<SyncReply> {
    const { presence, facts, clock } = this.#options;
    const member = memberOf(facts.state(), claimed);
    // The very text that the state has, and not an equal one of this request: maps of ten thousand find it at once, and one is kept where there were many.
    const id = member.member;
    const until = clock.monotonic() + request.waitMs;
    const away = clock.now() - (presence.seenAt(id) ?? 0) > awayMs;
    presence.heard(id, request);
    if (away) this.#options.returned();
    if (request.reports !== undefined) await recordReports(id, request.reports, this.#options);
    await this.#refusals(member, request);
    await this.#locate(member, request);
    const renewed = await this.#renew(member);
    const poll = this.#polls.open(id);
    const gone = presence.listen(id);
    this.#streams.inc();
    try {
      for (;;) {
        const news = this.#news(id, request, renewed);
        const left = until - clock.monotonic();
        if (news !== undefined) return this.#answer(id, request, news);
        if (left <= 0 || signal.aborted || this.#options.signal.aborted) return this.#nothing();
        if ((await poll.wait(left, { signal })) !== 'news') return this.#nothing();
      }
    } finally {
      this.#streams.dec();
      gone();
      poll.end();
    }
  }

  /**
   * The answer that carries news. A whole roster comes alone, after what else is new: so it is the same text for everybody, made once (control/http/sync-answers.ts). For a
   * member that comes again with just what it held before, everything comes together: something of it may be what it cannot take.
   */
  #answer(id: string, request: SyncRequest, news: News): SyncReply {
    const pollAfterMs = this.#pauseAfterNews(id, request);
    const { roster, ...others } = news;
    const alone = Object.keys(others.metadata).length === 0 && others.orders.length === 0 && others.certificate === undefined;
    return alone || roster === undefined || pollAfterMs > 0 ? { ...news, pollAfterMs } : { ...others, pollAfterMs };
  }

  /** None for a member that takes what it is sent: news may have a sequel. */
  #pauseAfterNews(id: string, { seqSeen, metadata, rosterEpoch }: SyncRequest): number {
    const held = JSON.stringify([seqSeen, metadata, rosterEpoch]);
    const told = this.#told.get(id);
    const times = told?.held === held ? told.times + 1 : 0;
    this.#told.set(id, { held, times });
    return times === 0 ? 0 : Math.min(repeatMsMax, repeatMsMin * 2 ** Math.min(times - 1, 10));
  }

  #nothing(): SyncReply {
    const draw = (this.#options.random(1)[0] ?? 0) / 256;
    return { orders: [], metadata: {}, pollAfterMs: Math.round(draw * jitterMs) };
  }

  /** What the member does not have yet; undefined when that is nothing. */
  #news(id: string, request: SyncRequest, renewed: boolean): News | undefined {
    const { facts, repository, org, clock } = this.#options;
    const state = facts.state();
    const member = memberOf(state, id);
    const environments = member.roles.includes('seed') || member.roles.includes('proxy') ? 'all' : member.environments;
    const orders = this.#orders.for(state, member, request);
    const metadata = repository.files(request.metadata, environments);
    const roster = this.#rosters.since(state, request.rosterEpoch);
    if (orders.length === 0 && Object.keys(metadata).length === 0 && Object.keys(roster).length === 0 && !renewed) return undefined;
    const manifests = request.manifests === true ? manifestsFor(state, member, orders) : [];
    const certificate = renewed || recentlyRenewed(member, clock.now()) ? { certificate: certificateOf(member, org, repository) } : {};
    return { orders: orders.map(({ compact }) => compact), metadata, ...(manifests.length === 0 ? {} : { manifests: [...manifests] }), ...roster, ...certificate };
  }

  /** Written down when it is new: nobody reads a target's own log. */
  async #refusals(member: Member, request: SyncRequest): Promise<void> {
    const { facts, clock, log } = this.#options;
    for (const command of refusedBy(this.#orders, facts.state(), member, request)) {
      const done = await submit(facts, `member:${member.member}`, command, clock);
      if (done.kind === 'accepted' && done.events.length > 0) log.warn({ target: member.name, environment: command.environment, seq: command.seq, code: command.code, detail: command.detail }, 'a target refuses an order');
    }
  }

  async #locate(member: Member, { addresses, uploadUrl }: SyncRequest): Promise<void> {
    const { facts, clock } = this.#options;
    const same = member.uploadUrl === uploadUrl && member.addresses.length === addresses.length && addresses.every((address, index) => member.addresses[index] === address);
    const now = clock.monotonic();
    if (same || now - (this.#locatedAt.get(member.member) ?? -Infinity) < locateEveryMs) return;
    this.#locatedAt.set(member.member, now);
    const url = uploadUrl === undefined ? {} : { uploadUrl };
    await submit(facts, `member:${member.member}`, { kind: 'locate-member', member: member.member, addresses, ...url }, clock);
  }

  /** Whether the member has just got a new certificate. */
  async #renew(member: Member): Promise<boolean> {
    const { facts, clock, log } = this.#options;
    if (!renewalDue(member, clock.now())) return false;
    const done = await submit(facts, 'system', { kind: 'renew-member', member: member.member }, clock);
    if (done.kind === 'refused') log.warn({ member: member.name, why: done.message }, 'a member gets no new certificate');
    return done.kind === 'accepted';
  }

  /** Wakes those for whom something is new. */
  #hear(entries: readonly JournalEntry[]): void {
    const state = this.#options.facts.state();
    for (const { event } of entries) {
      if (event.kind === 'order.issued') this.#rouse(event.targets);
      else if (event.kind === 'role.published') this.#wakeEnvironment(state, event.environment);
      else if (event.kind === 'member.enrolled' || event.kind === 'member.located') this.#tellAllSoon();
      // Mostly nobody else's business; it is when it brings back one that had expired, or a new day's roster.
      else if (event.kind === 'member.renewed' && !this.#rosters.isPublished(state)) this.#tellAllSoon();
      else if (event.kind === 'member.revoked') {
        this.#options.presence.forget(event.member);
        this.#locatedAt.delete(event.member);
        this.#told.delete(event.member);
        this.#tellAll(state);
      }
    }
  }

  /** Seeds and proxies at once; agents only when no order has woken them by then. */
  #wakeEnvironment(state: State, environment: string): void {
    this.#rouse([...this.#polls.members()].filter((id) => state.members.get(id)?.roles.some((role) => role !== 'agent')));
    const { clock, signal, facts } = this.#options;
    const publishedAt = clock.monotonic();
    const rest = (): void => this.#rouse((facts.state().agents.get(environment) ?? []).filter((id) => this.#polls.hasWaited(id, publishedAt)));
    void clock.wait(roleAfterMs, { signal }).then(rest, () => undefined);
  }

  /** Wakes the first ones now, the others soon, so many at a time. */
  #rouse(members: readonly string[]): void {
    const waiting = this.#rousing.size > 0;
    for (const member of members) this.#rousing.add(member);
    if (!waiting) this.#rouseSome();
  }

  #rouseSome(): void {
    let left = rousedTogether;
    for (const member of this.#rousing) {
      if (left === 0) break;
      left -= 1;
      this.#rousing.delete(member);
      this.#polls.wake(member);
    }
    if (this.#rousing.size === 0) return;
    const { clock, signal } = this.#options;
    // When the control plane stops, every poll ends anyway.
    void clock.wait(rousedEveryMs, { signal }).then(() => this.#rouseSome(), () => undefined);
  }

  #tellAllSoon(): void {
    if (this.#rosterDue) return;
    this.#rosterDue = true;
    const { clock, signal, facts } = this.#options;
    const tell = (): void => {
      this.#rosterDue = false;
      this.#tellAll(facts.state());
    };
    void clock.wait(this.#rosters.delayMs(facts.state()), { signal }).then(tell, () => undefined);
  }

  /** Tells everybody the newest roster; when it cannot be signed, later. */
  #tellAll(state: State): void {
    if (this.#rosters.publish(state, true)) this.#rouse([...this.#polls.members()]);
    else this.#tellAllSoon();
  }

  #unsigned(error: unknown, retryMs: number): void {
    const { metrics, log } = this.#options;
    metrics.rosterFailures.inc();
    log.error({ err: error, retryMs }, 'the roster could not be signed; members keep the one before until it can: who joined is not met, who was revoked is still admitted by neighbours');
  }
}

/** The member, if it still is one. @throws {ControlError} UNAUTHENTICATED. */
export function memberOf(state: State, id: string): Member {
  const member = state.members.get(id);
  if (member === undefined || member.revoked) throw new ControlError('UNAUTHENTICATED', `${id} is not a member any more: join again with a new token and a new key`);
  return member;
}
