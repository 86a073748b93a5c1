// How the origin spares itself: its memory of whom it gave what and what became of that, so that each chunk leaves it about once; and whom it names to others.
// Who is served when is in serving.ts.

import { createBitmap } from '../../../../proto/bitmap.ts';
import { exchangeHoldersMax } from '../../../../proto/exchange-frame.ts';
import { counts, givenTo, isKeeper } from '../books/views.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { Peer, SwarmState, TopicState, Upload, View } from '../state/swarm-state.ts';

/** Members named for one chunk that is to be had elsewhere. */
const holdersMax = 4;

/**
 * Of what an agent asks the origin for, what it should give: not what another agent that is here has or was just given. Who comes a second time
 * for the same chunk has waited for the others in vain, and gets it; but not yet when the other may simply still be at it.
 */
export function sparing(state: SwarmState, topic: TopicState, peer: Peer, held: readonly number[]): { ordinals: readonly number[]; holders: readonly string[] } {
  const view = topic.views.get(peer.info.member);
  if (view === undefined) return { ordinals: held, holders: [] };
  const ordinals: number[] = [];
  const holders = new Set<string>();
  for (const ordinal of held) {
    const wasRedirected = view.redirected?.has(ordinal) === true;
    const others = wasRedirectedJustNow(state, view, ordinal) ? [] : othersWith(state, topic, peer, ordinal, wasRedirected);
    if (others.length === 0) ordinals.push(ordinal);
    else {
      view.redirected ??= createBitmap(topic.info.chunkCount);
      view.redirected.set(ordinal);
      noteRedirect(state, view, ordinal);
      for (const other of others) holders.add(other);
    }
  }
  return { ordinals, holders: [...holders].slice(0, exchangeHoldersMax) };
}

/** Who asks again at once for the very chunk that it was sent elsewhere for cannot use those that it was sent to. */
function wasRedirectedJustNow({ now }: SwarmState, { redirects }: View, ordinal: number): boolean {
  const at = redirects?.get(ordinal);
  return at !== undefined && now - at < swarmBounds.askedAgainMs;
}

/** Those that are past, and the oldest of too many, are forgotten. */
function noteRedirect({ now }: SwarmState, view: View, ordinal: number): void {
  const redirects = (view.redirects ??= new Map());
  redirects.delete(ordinal);
  for (const [oldest, at] of redirects) {
    if (redirects.size < swarmBounds.redirectsMax && now - at < swarmBounds.askedAgainMs) break;
    redirects.delete(oldest);
  }
  redirects.set(ordinal, now);
}

/** Members to send the asker to: who was given the chunk, and unless the asker has been sent to them before, those that have announced it. */
function othersWith(state: SwarmState, topic: TopicState, peer: Peer, ordinal: number, wasRedirected: boolean): readonly string[] {
  const { member } = peer.info;
  const found: string[] = [];
  const view = givenTo(state, topic, ordinal);
  const given = view?.peer.info.member;
  if (given !== undefined && given !== member && view !== undefined && mayMeet(peer, view.peer, topic)) {
    const givenAt = topic.givenAt?.[ordinal] ?? 0;
    // One that has announced something since is at work, and will come to this one.
    const patienceMs = view.newsAt > givenAt ? scaled(state, swarmBounds.givenMs, swarmBounds.givenRequests) : scaled(state, swarmBounds.givenSilentMs, swarmBounds.givenSilentRequests);
    // And what it has just got is on its way from there.
    const isUnderWay = state.now - givenAt < (view.held?.has(ordinal) === true ? aloneMs(state) : patienceMs);
    if (isKeeper(view) || isAlone(state, topic, view, ordinal) || isBehind(view, topic.views.get(member))) return [];
    if (!wasRedirected || isUnderWay) found.push(given);
  }
  if (wasRedirected) return found;
  // What ten thousand ask for at the beginning nobody has; those that announced something are many to go through.
  if (topic.holders?.[ordinal] === 0) return found;
  for (const [other, holding] of topic.views) {
    if (found.length >= holdersMax) break;
    const { held, peer: holder } = holding;
    if (other !== member && held?.has(ordinal) === true && !isKeeper(holding) && counts(holding) && !found.includes(other) && mayMeet(peer, holder, topic)) found.push(other);
  }
  return found;
}

/** How long a chunk may stay with the only one that has it. */
function aloneMs(state: SwarmState): number {
  return scaled(state, swarmBounds.aloneMs, swarmBounds.aloneRequests);
}

/** So long at least, and what so many requests take on our line: pieces of a megabyte at 40 Mbit/s take 0.2 s each, and an agent that has several to pass on as long for each. */
function scaled({ serving }: SwarmState, ms: number, requests: number): number {
  return Math.min(swarmBounds.patienceTimes * ms, Math.max(ms, requests * serving.msEach));
}

/** At an origin: whether an agent has what it was given a while ago, and nobody has it but those that were given it. */
function isAlone(state: SwarmState, topic: TopicState, view: View, ordinal: number): boolean {
  const isKept = (topic.holders?.[ordinal] ?? 0) <= (topic.givenTimes?.[ordinal] ?? 0);
  return isKept && view.held?.has(ordinal) === true && state.now - (topic.givenAt?.[ordinal] ?? 0) >= aloneMs(state);
}

/** At an origin: whether an agent holds so much less than the one that asks that it does not pay to wait for it: who gives nothing is fed last, and what it is given goes no further. */
function isBehind({ held, topic }: View, asker: View | undefined): boolean {
  return (asker?.held?.count ?? 0) - (held?.count ?? 0) > topic.info.chunkCount / swarmBounds.behindPart;
}

/** Whether two agents can have a topic from one another: by an environment of both, and not of the topic alone; else the one would wait for the other in vain. */
function mayMeet({ info: a }: Peer, { info: b }: Peer, { info }: TopicState): boolean {
  return info.environments.some((environment) => a.environments.includes(environment) && b.environments.includes(environment));
}

/** Notes whom the origin gives chunks to; the last one kept what it had, if nobody has it from there. */
export function remember(state: SwarmState, topic: TopicState, peer: Peer, ordinals: readonly number[]): void {
  if (!state.self.origin || peer.info.origin || peer.isFedElsewhere) return;
  const view = topic.views.get(peer.info.member);
  const hasKept = view !== undefined && isKeeper(view);
  topic.given ??= new Int32Array(topic.info.chunkCount);
  topic.givenAt ??= new Float64Array(topic.info.chunkCount);
  topic.givenTimes ??= new Uint16Array(topic.info.chunkCount);
  for (const ordinal of ordinals) {
    const before = givenTo(state, topic, ordinal);
    if (!hasKept && before !== undefined && before !== view && isAlone(state, topic, before, ordinal)) before.kept += 1;
    if (before === undefined || before !== view) topic.givenTimes[ordinal] = (topic.givenTimes[ordinal] ?? 0) + 1;
    if (hasKept) continue;
    topic.given[ordinal] = peer.connection;
    // Time in our own line is no fault of the one that waits: it begins when it is served.
    topic.givenAt[ordinal] = Number.POSITIVE_INFINITY;
  }
}

/** What it was to be given, it is not: the next who asks must not be sent to it. */
export function takeBack({ given, givenTimes }: TopicState, peer: Peer, ordinals: readonly number[]): void {
  if (given === undefined || givenTimes === undefined || peer.isFedElsewhere) return;
  for (const ordinal of ordinals) {
    given[ordinal] = 0;
    givenTimes[ordinal] = Math.max(0, (givenTimes[ordinal] ?? 0) - 1);
  }
}

/** From now on an agent could have what it was given. */
export function restart(state: SwarmState, { topic: id, peer, ordinals }: Upload): void {
  const topic = state.topics.get(id);
  if (topic?.given === undefined || topic.givenAt === undefined) return;
  for (const ordinal of ordinals) if (topic.given[ordinal] === peer.connection) topic.givenAt[ordinal] = state.now;
}
