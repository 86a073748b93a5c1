// A simulated fleet: the scheduler of daemon/core in every member, driven by events over lines with rates and latencies, in virtual time. No promises, no
// bytes: a chunk is its number and whether it is right. What a scene is made of, and what a run came to, is in scenes.ts.

import { createBitmap, fullBitmap, type Bitmap } from '../../proto/bitmap.ts';
import { mix32 } from '../../daemon/core/roster/hash.ts';
import { createSchedule } from '../../daemon/core/schedule/schedule.ts';
import type { Effect, PeerInfo, ScheduledMessage, ScheduleEvent, TopicInfo } from '../../daemon/core/schedule/state/swarm-events.ts';
import { indexOf, linksOf, rosterOf, type FleetOptions, type Node, type Upload } from './hosts.ts';
import { Lines } from './lines.ts';
import { EventQueue } from './queue.ts';
import { seeded } from './random.ts';

type Words = readonly { readonly to: number; readonly message: ScheduledMessage }[];

/** `sent` is `uplink` and `served` in one: most requests are served when the last of them has left the line. */
const kinds = { words: 0, chunk: 1, served: 2, ready: 3, uplink: 4, tick: 5, want: 6, die: 7, gone: 8, sent: 9, enter: 10 } as const;
const topic = 1;

export class Fleet {
  readonly nodes: readonly Node[];
  readonly #options: FleetOptions;
  readonly #info: TopicInfo;
  readonly #lines: Lines;
  readonly #random: () => number;
  readonly #queue = new EventQueue<Words | Upload>();
  readonly #left: Bitmap;
  #allArrivedAt = 0;
  #waitedFor = 0;
  now = 0;
  readonly said: Record<string, number> = {};
  events = 0;
  /** Of all events so far, in their order: two runs with one digest went the same way. */
  digest = 0;

  constructor(options: FleetOptions) {
    const { hosts, chunkCount, chunkBytes, seed } = options;
    this.#options = options;
    this.#random = seeded(seed);
    this.#left = createBitmap(chunkCount);
    this.#info = { revision: String(seed).padStart(64, '0'), blob: 'tree', chunkCount, lengthOf: () => chunkBytes, environments: ['prod'] };
    this.#lines = new Lines(options);
    const roster = rosterOf(hosts);
    const infos = hosts.map(({ member, origin }): PeerInfo => ({ member, origin, environments: origin ? [] : ['prod'] }));
    const agents = infos.filter(({ origin }) => !origin);
    const zones = new Map(roster.members.map(({ member, zone }) => [member, zone]));
    const links = linksOf(hosts, roster);
    this.nodes = hosts.map((host, index): Node => ({
      index, host, neighbours: links[index] ?? [], sending: [], isSending: false, isAlive: true, tickAt: Number.POSITIVE_INFINITY, doneAt: undefined,
      schedule: createSchedule({ self: infos[index] ?? { member: host.member, origin: host.origin, environments: [] }, random: seeded(seed * 65_537 + index) }),
      messages: 0, sentBytes: 0, originBytes: 0, crossBytes: 0, wastedBytes: 0, badStored: 0,
    }));
    for (const node of this.nodes) {
      this.#tell(node, { kind: 'roster', agents, zones });
      for (const other of node.neighbours) {
        const peer = infos[other];
        if (peer !== undefined) this.#tell(node, { kind: 'joined', peer });
      }
    }
    for (const node of this.nodes) this.#plan(node);
  }

  /** Runs until everybody that is waited for is whole, or the limit of virtual time is reached. */
  run(untilMs = this.#options.limitMs): void {
    const queue = this.#queue;
    while (this.#waitedFor > 0 && queue.nextAt <= untilMs && queue.pop()) {
      this.now = queue.at;
      this.events += 1;
      this.digest = mix32(this.digest ^ mix32(Math.round(this.now * 1024) ^ mix32(queue.kind ^ mix32(queue.who ^ mix32(queue.what)))));
      this.#happen(queue.kind, queue.who, queue.what, queue.value);
    }
  }

  #plan(node: Node): void {
    const { host, index } = node;
    if (host.wantsAt === undefined) this.#share(node);
    else this.#queue.push(host.wantsAt, kinds.want, index);
    if (host.diesAt !== undefined) this.#queue.push(host.diesAt, kinds.die, index);
    if (host.wantsAt !== undefined && !host.excused) this.#waitedFor += 1;
  }

  #share(node: Node): void {
    const { chunkCount } = this.#options;
    const { holds, behaviour } = node.host;
    const held = holds === 'all' || behaviour === 'corrupt' ? fullBitmap(chunkCount) : createBitmap(chunkCount);
    if (typeof holds !== 'string' && behaviour !== 'corrupt') for (const ordinal of holds) held.set(ordinal);
    this.#tell(node, { kind: 'share', topic, info: this.#info, held });
  }

  #happen(kind: number, who: number, what: number, value: Words | Upload | undefined): void {
    const node = this.nodes[who];
    if (node === undefined || (!node.isAlive && kind !== kinds.gone)) return;
    switch (kind) {
      case kinds.words:
        return this.#deliver(node, value);
      case kinds.chunk:
        return this.#arrive(node, what, value);
      case kinds.enter:
        return this.#enter(node, what, value);
      case kinds.served:
        return this.#tell(node, { kind: 'served', upload: what, absent: [] });
      case kinds.ready:
        if (isUpload(value)) node.sending.push(value);
        return this.#send(node);
      case kinds.uplink:
        node.isSending = false;
        return this.#send(node);
      case kinds.sent:
        node.isSending = false;
        this.#send(node);
        return this.#tell(node, { kind: 'served', upload: what, absent: [] });
      case kinds.tick:
        if (node.tickAt !== this.now) return;
        node.tickAt = Number.POSITIVE_INFINITY;
        // What it was for may have been done with something else since.
        if ((node.schedule.wakeAt() ?? Number.POSITIVE_INFINITY) > this.now) return this.#wake(node);
        return this.#tell(node, { kind: 'tick' });
      case kinds.want:
        this.#share(node);
        return this.#tell(node, { kind: 'want', topic, fetch: 1, wanted: fullBitmap(this.#options.chunkCount) });
      case kinds.die:
        return this.#die(node);
      case kinds.gone:
        return this.#gone(what, node);
    }
  }

  #deliver(from: Node, value: Words | Upload | undefined): void {
    if (value === undefined || isUpload(value)) return;
    for (const { to, message } of value) {
      const receiver = this.nodes[to];
      if (receiver?.isAlive === true) this.#tell(receiver, { kind: 'message', member: from.host.member, message });
    }
  }

  #arrive(node: Node, ordinal: number, value: Words | Upload | undefined): void {
    if (!isUpload(value)) return;
    const sender = this.nodes[value.from];
    if (sender === undefined) return;
    const good = sender.host.behaviour !== 'corrupt' && sender.host.behaviour !== 'tainted';
    const bytes = this.#options.chunkBytes;
    // As a daemon does with what comes in one turn: its disk takes no time here.
    this.#perform(node, node.schedule.take({ kind: 'chunk', member: sender.host.member, topic: value.topic, request: value.request, ordinal, bytes, good }, this.now), good);
    this.#perform(node, node.schedule.settle(this.now), good);
    this.#wake(node);
  }

  #tell(node: Node, event: ScheduleEvent): void {
    this.#perform(node, node.schedule.step(event, this.now), true);
    this.#wake(node);
  }

  #wake(node: Node): void {
    const at = node.schedule.wakeAt();
    if (at === undefined || at >= node.tickAt) return;
    node.tickAt = Math.max(at, this.now);
    this.#queue.push(node.tickAt, kinds.tick, node.index);
  }

  #perform(node: Node, effects: readonly Effect[], good: boolean): void {
    if (effects.length === 0) return;
    const near: { to: number; message: ScheduledMessage }[] = [];
    const far: { to: number; message: ScheduledMessage }[] = [];
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send': {
          const message = this.#said(node, effect.message);
          if (message === undefined) break;
          node.messages += 1;
          this.said[message.kind] = (this.said[message.kind] ?? 0) + 1;
          const to = indexOf(effect.member);
          (this.#lines.isCrossing(node.index, to) ? far : near).push({ to, message });
          break;
        }
        case 'serve':
          this.#serve(node, effect);
          break;
        case 'stop-serving':
          node.sending.splice(0, node.sending.length, ...node.sending.filter(({ id }) => id !== effect.upload));
          break;
        case 'store':
          if (!good) node.badStored += 1;
          this.#perform(node, node.schedule.take({ kind: 'stored', topic, ordinal: effect.ordinal, bytes: this.#options.chunkBytes }, this.now), true);
          break;
        case 'done':
          this.#done(node);
          break;
        case 'received':
          this.#count(node, effect.member, effect.bytes);
          break;
        case 'wasted':
          node.wastedBytes += effect.bytes;
          break;
        case 'close':
          this.#close(node, indexOf(effect.member));
          break;
        case 'strike':
        case 'banned':
      }
    }
    if (near.length > 0) this.#queue.push(this.now + this.#options.latencyMs, kinds.words, node.index, 0, near);
    if (far.length > 0) this.#queue.push(this.now + this.#options.crossMs, kinds.words, node.index, 0, far);
  }

  /** What becomes of a message on its way out. */
  #said({ host: { behaviour } }: Node, message: ScheduledMessage): ScheduledMessage | undefined {
    if (message.kind === 'have' && this.#options.lostHaves !== undefined && this.#random() < this.#options.lostHaves) return undefined;
    if (behaviour !== 'boastful' && behaviour !== 'silent') return message;
    if (message.kind === 'open') return { ...message, held: fullBitmap(this.#options.chunkCount).toBytes() };
    return behaviour === 'silent' && (message.kind === 'absent' || message.kind === 'busy') ? undefined : message;
  }

  #serve(node: Node, { upload, member, topic: theirs, request, ordinals }: Extract<Effect, { kind: 'serve' }>): void {
    const to = indexOf(member);
    if (node.host.behaviour === 'silent') return this.#queue.push(this.now, kinds.served, node.index, upload);
    node.sending.push({ id: upload, from: node.index, to, topic: theirs, request, ordinals, next: 0 });
    this.#send(node);
  }

  /** One chunk after the other leaves, of one upload after the other, as a fair line would let them. */
  #send(node: Node): void {
    if (node.isSending || !node.isAlive) return;
    const upload = node.sending.shift();
    if (upload === undefined) return;
    const [{ chunkBytes }, { to }] = [this.#options, upload];
    const ordinal = upload.ordinals[upload.next] ?? -1;
    this.#lines.leave(node.index, to, chunkBytes, this.now);
    const { sentAt, firstAt, lastAt } = this.#lines;
    node.isSending = true;
    node.sentBytes += chunkBytes;
    upload.next += 1;
    if (this.#lines.hasBorder(node.index, to)) {
      upload.lastAt = lastAt;
      this.#queue.push(sentAt, kinds.uplink, node.index, upload.id);
      this.#queue.push(firstAt, kinds.enter, to, ordinal, upload);
      return;
    }
    const arrivesAt = this.#lines.enter(to, chunkBytes, firstAt, lastAt);
    this.#queue.push(arrivesAt, kinds.chunk, to, ordinal, upload);
    const readyAt = Math.max(sentAt, this.#lines.readyAt(node.index, to, arrivesAt));
    const isLast = upload.next === upload.ordinals.length;
    const mustWait = readyAt > sentAt;
    this.#queue.push(sentAt, isLast && !mustWait ? kinds.sent : kinds.uplink, node.index, upload.id);
    if (mustWait) this.#queue.push(readyAt, isLast ? kinds.served : kinds.ready, node.index, upload.id, upload);
    else if (!isLast) node.sending.push(upload);
    if (node.host.origin) this.#leaves(ordinal, arrivesAt);
  }

  /** A chunk that crossed a border comes to its receiver's cable. */
  #enter(to: Node, ordinal: number, upload: Words | Upload | undefined): void {
    if (!isUpload(upload)) return;
    const { from, lastAt = this.now } = upload;
    const arrivesAt = this.#lines.enter(to.index, this.#options.chunkBytes, this.now, lastAt);
    this.#queue.push(arrivesAt, kinds.chunk, to.index, ordinal, upload);
    const isLast = upload.next === upload.ordinals.length;
    this.#queue.push(Math.max(this.now, this.#lines.readyAt(from, to.index, arrivesAt)), isLast ? kinds.served : kinds.ready, from, upload.id, upload);
    if (this.nodes[from]?.host.origin === true) this.#leaves(ordinal, arrivesAt);
  }

  #leaves(ordinal: number, arrivesAt: number): void {
    // What leaves last need not arrive last.
    this.#allArrivedAt = Math.max(this.#allArrivedAt, arrivesAt);
    if (!this.#left.set(ordinal) || !this.#left.isFull || this.#options.originDiesAfterOne !== true) return;
    for (const { index, host } of this.nodes) if (host.origin) this.#queue.push(this.#allArrivedAt, kinds.die, index);
  }

  #count(node: Node, from: string, bytes: number): void {
    const sender = indexOf(from);
    if (this.nodes[sender]?.host.origin === true) node.originBytes += bytes;
    if (this.#lines.isCrossing(sender, node.index)) node.crossBytes += bytes;
  }

  #done(node: Node): void {
    node.doneAt = this.now;
    if (!node.host.excused) this.#waitedFor -= 1;
  }

  #die(node: Node): void {
    node.isAlive = false;
    node.sending.length = 0;
    if (!node.host.excused && node.doneAt === undefined && node.host.wantsAt !== undefined) this.#waitedFor -= 1;
    for (const other of node.neighbours) this.#queue.push(this.now + this.#lines.latencyMs(node.index, other), kinds.gone, node.index, other);
  }

  /** `index` hears that `dead` is gone. */
  #gone(index: number, dead: Node): void {
    const node = this.nodes[index];
    if (node?.isAlive === true) this.#tell(node, { kind: 'gone', member: dead.host.member });
  }

  #close(node: Node, index: number): void {
    const other = this.nodes[index];
    if (other === undefined) return;
    this.#tell(node, { kind: 'gone', member: other.host.member });
    if (other.isAlive) this.#queue.push(this.now, kinds.gone, node.index, index);
  }
}

function isUpload(value: Words | Upload | undefined): value is Upload {
  return value !== undefined && 'next' in value;
}
