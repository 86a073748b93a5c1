// What a neighbour holds of a topic, as far as it has said, and what of that may be asked of it. How its words come to be here is in topics.ts,
// whom to ask for what in requesting.ts.

import { createBitmap, type Bitmap } from '../../../../proto/bitmap.ts';
import type { OrdinalRange } from '../../../../proto/exchange.ts';
import type { Fetch } from '../state/fetch-state.ts';
import { chunkState, createPieceSet, isMissing, noPieces, putPiece } from '../state/pieces.ts';
import type { Peer, SwarmState, TopicState, View } from '../state/swarm-state.ts';

/** A view of a neighbour that has said nothing yet. */
function createView(peer: Peer, topic: TopicState): View {
  return { peer, topic, opened: false, told: 0, toldAt: 0, newsAt: 0, isSilent: false, offers: noPieces, isAwake: false, asked: new Set(), given: 0, spread: 0, kept: 0 };
}

/** The view of a neighbour on a topic, made when needed. */
export function viewOf(topic: TopicState, peer: Peer): View {
  const { member, origin } = peer.info;
  let view = topic.views.get(member);
  if (view !== undefined) return view;
  view = createView(peer, topic);
  topic.views.set(member, view);
  topic.viewList.push(view);
  if (origin) topic.originViews.push(view);
  return view;
}

/** Forgets it. */
export function dropView(topic: TopicState, view: View): void {
  topic.views.delete(view.peer.info.member);
  topic.viewList.splice(topic.viewList.indexOf(view), 1);
  if (view.peer.info.origin) topic.originViews.splice(topic.originViews.indexOf(view), 1);
  lull(view);
}

/** Takes what a neighbour says that it holds now in place of what it said before. */
export function setViewHeld(state: SwarmState, topic: TopicState, view: View, held: Bitmap | undefined): void {
  view.newsAt = state.now;
  state.isStirred = true;
  uncountView(topic, view);
  countHolder(topic, view, -1);
  if (held === undefined) delete view.held;
  else view.held = held;
  countHolder(topic, view, 1);
  countView(topic, view);
  // In a large fleet the roster decides who owns what, and which origins are here.
  if (topic.fetch !== undefined && (topic.fetch.seesAll || view.peer.info.origin)) topic.fetch.ownersStale = true;
}

/** More that a neighbour holds. Whether it is news. */
export function viewGains(state: SwarmState, topic: TopicState, view: View, ranges: readonly OrdinalRange[]): boolean {
  const { held } = view;
  if (held === undefined) return false;
  const { fetch } = topic;
  const holders = counts(view) ? topic.holders : undefined;
  let isNew = false;
  for (const { from, to } of ranges) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      if (!held.set(ordinal)) continue;
      isNew = true;
      if (fetch !== undefined && offer(fetch, view, ordinal)) wake(view);
      if (holders === undefined) continue;
      const count = (holders[ordinal] ?? 0) + 1;
      holders[ordinal] = count;
      if (count === (topic.givenTimes?.[ordinal] ?? 0) + 1) credit(state, topic, ordinal);
    }
  }
  if (isNew) view.newsAt = state.now;
  return isNew;
}

/** An ordinal that a neighbour turned out not to hold. Whether it had said so before, of the same. */
export function viewLoses(topic: TopicState, view: View, ordinal: number): boolean {
  view.recanted ??= createBitmap(topic.info.chunkCount);
  const again = !view.recanted.set(ordinal);
  if (view.held === undefined || !view.held.clear(ordinal)) return again;
  if (topic.holders !== undefined && counts(view)) topic.holders[ordinal] = (topic.holders[ordinal] ?? 0) - 1;
  if (topic.fetch !== undefined) withdraw(topic.fetch, view, topic.fetch.table.pieceOf(ordinal));
  return again;
}

/** At an origin: whom a chunk was last given to, as it is connected now. */
export function givenTo(state: SwarmState, topic: TopicState, ordinal: number): View | undefined {
  const member = state.connections.get(topic.given?.[ordinal] ?? 0);
  return member === undefined ? undefined : topic.views.get(member);
}

/** At an origin: whether what an agent was given stayed with it more often than others had it from there. Such a one is given last, and counts as nobody that others could be sent to. */
export function isKeeper({ kept, spread }: View): boolean {
  return kept > spread;
}

/** Somebody has a chunk from the one that the origin gave it to. */
function credit(state: SwarmState, topic: TopicState, ordinal: number): void {
  const view = givenTo(state, topic, ordinal);
  if (view !== undefined) view.spread += 1;
}

/** At an origin: whether others may have from an agent what it holds. */
export function counts({ peer: { info, isFedElsewhere } }: View): boolean {
  return !info.origin && !isFedElsewhere;
}

/** At an origin: counts an agent among the holders of all that it holds, or no longer. */
function countHolder({ holders }: TopicState, view: View, change: 1 | -1): void {
  const { held } = view;
  if (holders === undefined || held === undefined || !counts(view)) return;
  for (const { from, to } of held.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) holders[ordinal] = (holders[ordinal] ?? 0) + change;
}

/** Something may be left to ask a neighbour for, if anything is being fetched. */
export function wake(view: View): void {
  if (view.isAwake || view.topic.fetch === undefined) return;
  view.isAwake = true;
  view.topic.awake.push(view);
}

/** Nothing is, until something changes. */
export function lull(view: View): void {
  if (!view.isAwake) return;
  view.isAwake = false;
  view.topic.awake.splice(view.topic.awake.indexOf(view), 1);
}

/** A neighbour has a chunk. Whether it may be asked for it: what is asked for already is somebody's to bring, until it is free again. */
function offer({ table }: Fetch, view: View, ordinal: number): boolean {
  const found = table.state[ordinal];
  if (found !== chunkState.missing && found !== chunkState.taken) return false;
  const piece = table.pieceOf(ordinal);
  if (putPiece(view.offers, piece, true) && !view.peer.info.origin) table.holders[piece] = (table.holders[piece] ?? 0) + 1;
  return found === chunkState.missing;
}

/** It has less of a piece than it said; unless something is left that we lack, it has nothing of it for us. */
function withdraw(fetch: Fetch, view: View, piece: number): void {
  const { table } = fetch;
  if (piece === -1) return;
  const end = table.begins[piece + 1] ?? 0;
  for (let position = table.begins[piece] ?? 0; position < end; position += 1) {
    const ordinal = table.ordinals[position] ?? -1;
    if (isMissing(table, ordinal) && view.held?.has(ordinal) === true) return;
  }
  if (!putPiece(view.offers, piece, false) || view.peer.info.origin) return;
  table.holders[piece] = (table.holders[piece] ?? 0) - 1;
}

/** Looks through what a neighbour that we know anew says that it holds. What arrives later stays in its offers: nobody looks for what is not open. */
export function countView({ fetch }: TopicState, view: View): void {
  if (fetch === undefined) return;
  view.offers = createPieceSet(fetch.table.count);
  wake(view);
  if (view.held === undefined) return;
  for (const ordinal of fetch.table.ordinals) if (view.held.has(ordinal)) offer(fetch, view, ordinal);
}

function uncountView({ fetch }: TopicState, view: View): void {
  if (fetch === undefined || view.peer.info.origin) return;
  const { count, holders } = fetch.table;
  for (let piece = 0; piece < count; piece += 1) if (putPiece(view.offers, piece, false)) holders[piece] = (holders[piece] ?? 0) - 1;
}
