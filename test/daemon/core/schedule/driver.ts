// Schedulers that talk to one another with nothing between them but a queue: pure, in made-up time, in an order that a number decides.

import { createBitmap, decodeBitmap, type Bitmap } from '../../../../proto/bitmap.ts';
import type { OrdinalRange } from '../../../../proto/exchange.ts';
import { createSchedule, type Schedule } from '../../../../daemon/core/schedule/schedule.ts';
import type { Effect, PeerInfo, ScheduledMessage, ScheduleEvent, TopicInfo } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { seeded } from '../../../support/random.ts';

/**
 * How a node behaves; `silent` takes requests and never answers, `corrupt` sends wrong bytes. The last three answer each request at once and give nothing: `refuses`
 * is always busy, `points` sends elsewhere, `repents` does not hold it after all, and then says again that it does.
 */
export type Behaviour = 'honest' | 'corrupt' | 'silent' | 'refuses' | 'points' | 'repents';

export interface NodeOptions {
  readonly origin: boolean;
  readonly behaviour: Behaviour;
  readonly held: readonly number[];
  readonly wants: boolean;
}

export interface DrivenNode {
  readonly info: PeerInfo;
  readonly behaviour: Behaviour;
  readonly schedule: Schedule;
  readonly held: Bitmap;
  /** Ordinals in the order in which they were stored. */
  readonly stored: number[];
  readonly effects: Effect[];
  isDone: boolean;
}

interface Parcel {
  readonly at: number;
  readonly order: number;
  readonly deliver: () => void;
}

export const topicOne = 1;

export function topicInfo(chunkCount: number, lengthOf: (ordinal: number) => number = () => 20_000): TopicInfo {
  return { revision: 'a'.repeat(64), blob: 'tree', chunkCount, lengthOf, environments: ['prod'] };
}

/** A full mesh of schedulers around one topic. */
export class Driver {
  readonly nodes: DrivenNode[] = [];
  readonly #info: TopicInfo;
  readonly #random: () => number;
  readonly #parcels: Parcel[] = [];
  #now = 0;
  #order = 0;

  constructor(info: TopicInfo, seed: number, options: readonly NodeOptions[]) {
    this.#info = info;
    this.#random = seeded(seed).next;
    options.forEach((each, index) => {
      const self: PeerInfo = { member: `m${index}`, origin: each.origin, environments: ['prod'] };
      const held = createBitmap(info.chunkCount);
      for (const ordinal of each.held) held.set(ordinal);
      this.nodes.push({ info: self, behaviour: each.behaviour, schedule: createSchedule({ self, random: seeded(seed * 100 + index).next }), held, stored: [], effects: [], isDone: !each.wants });
    });
    const agents = this.nodes.map(({ info: peer }) => peer).filter(({ origin }) => !origin);
    for (const node of this.nodes) this.tell(node, { kind: 'roster', agents });
    for (const node of this.nodes) for (const other of this.nodes) if (other !== node) this.tell(node, { kind: 'joined', peer: other.info });
    this.nodes.forEach((node, index) => {
      this.tell(node, { kind: 'share', topic: topicOne, info, held: decodeBitmap(node.held.toBytes(), info.chunkCount) });
      if (options[index]?.wants === true) this.tell(node, { kind: 'want', topic: topicOne, fetch: 1, wanted: all(info.chunkCount) });
    });
  }

  tell(node: DrivenNode, event: ScheduleEvent): void {
    for (const effect of node.schedule.step(event, this.#now)) {
      node.effects.push(effect);
      this.#perform(node, effect);
    }
  }

  /** Cuts a node off: nobody hears of it any more, and all are told. */
  kill(dead: DrivenNode): void {
    for (const node of this.nodes) if (node !== dead) this.tell(node, { kind: 'gone', member: dead.info.member });
    this.nodes.splice(this.nodes.indexOf(dead), 1);
  }

  /** Until everybody who wants has it all, or throws at `limitMs`. */
  run(limitMs: number, isDone: () => boolean = () => this.nodes.every((node) => node.isDone)): void {
    let nextTick = 0;
    while (!isDone()) {
      this.#parcels.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#parcels[0];
      if (next === undefined || next.at > nextTick) {
        this.#now = nextTick;
        nextTick += 25;
        for (const node of this.nodes) this.tell(node, { kind: 'tick' });
      } else {
        this.#parcels.shift();
        this.#now = Math.max(this.#now, next.at);
        next.deliver();
      }
      if (this.#now > limitMs) throw new Error(`not done after ${limitMs} ms: ${this.nodes.map(({ info, isDone: done, stored }) => `${info.member} ${done ? 'done' : stored.length}`).join(', ')}`);
    }
  }

  #later(ms: number, deliver: () => void): void {
    this.#order += 1;
    this.#parcels.push({ at: this.#now + ms, order: this.#order, deliver });
  }

  #node(member: string): DrivenNode | undefined {
    return this.nodes.find(({ info }) => info.member === member);
  }

  #perform(node: DrivenNode, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        // One fixed delay for words keeps them in order, as a stream does.
        return this.#later(2, () => {
          const to = this.#node(effect.member);
          if (to === undefined) return;
          const answers = answersOf(to.behaviour, effect.message);
          if (answers === undefined) this.tell(to, { kind: 'message', member: node.info.member, message: effect.message });
          else for (const message of answers) this.#later(2, () => this.tell(node, { kind: 'message', member: to.info.member, message }));
        });
      case 'serve':
        return this.#serve(node, effect);
      case 'store':
        return this.#later(this.#random() * 3, () => {
          node.stored.push(effect.ordinal);
          node.held.set(effect.ordinal);
          this.tell(node, { kind: 'stored', topic: effect.topic, ordinal: effect.ordinal, bytes: this.#info.lengthOf(effect.ordinal) });
        });
      case 'done':
        node.isDone = true;
        return;
      case 'close':
        return this.#later(0, () => {
          this.tell(node, { kind: 'gone', member: effect.member });
          const other = this.#node(effect.member);
          if (other !== undefined) this.tell(other, { kind: 'gone', member: node.info.member });
        });
      case 'stop-serving':
      case 'received':
      case 'wasted':
      case 'strike':
      case 'banned':
        return;
    }
    effect satisfies never;
  }

  #serve(node: DrivenNode, effect: Extract<Effect, { kind: 'serve' }>): void {
    if (node.behaviour === 'silent') return;
    let delay = 2;
    for (const ordinal of effect.ordinals) {
      delay += 1 + this.#random() * 4;
      this.#later(delay, () => {
        const to = this.#node(effect.member);
        const { topic, request } = effect;
        if (to !== undefined) this.tell(to, { kind: 'chunk', member: node.info.member, topic, request, ordinal, bytes: this.#info.lengthOf(ordinal), good: node.behaviour !== 'corrupt' });
      });
    }
    this.#later(delay, () => this.tell(node, { kind: 'served', upload: effect.upload, absent: [] }));
  }
}

/** What a node that gives nothing says to a request; undefined where it is left to its scheduler. */
function answersOf(behaviour: Behaviour, message: ScheduledMessage): readonly ScheduledMessage[] | undefined {
  if (message.kind !== 'request') return undefined;
  const { request, topic, ranges } = message;
  if (behaviour === 'refuses') return [{ kind: 'busy', request, retryAfterMs: 0 }];
  if (behaviour === 'points') return [{ kind: 'elsewhere', request, holders: [] }];
  if (behaviour === 'repents') return [{ kind: 'absent', request, ranges }, { kind: 'have', topic, ranges }];
  return undefined;
}

export function all(count: number): Bitmap {
  const bitmap = createBitmap(count);
  bitmap.setRange(0, count);
  return bitmap;
}

export function count(ranges: readonly OrdinalRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}
