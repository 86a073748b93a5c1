// Everything the scheduler knows, and how an empty one looks. Changed in place by the other files of the scheduler, and by nothing else:
// a copy for each of ten thousand messages a second would cost more than the messages.

import type { Bitmap } from '../../../../proto/bitmap.ts';
import type { Fetch } from './fetch-state.ts';
import { fullMeshMax } from '../../roster/neighbours.ts';
import type { PieceSet } from './pieces.ts';
import type { RateGate, TrafficClass } from '../../rate.ts';
import type { Effect, PeerInfo, TopicInfo } from './swarm-events.ts';

/** One of our requests, until each of its ordinals is answered. */
export interface Request {
  readonly id: number;
  readonly member: string;
  readonly peer: Peer;
  /** Of its topic, as the neighbour has it. */
  readonly view: View;
  readonly topic: number;
  readonly remaining: Set<number>;
  readonly bytes: number;
  remainingBytes: number;
  issuedAt: number;
  /** How long it should take behind what the neighbour owed then. */
  readonly expectedMs: number;
  /** Whether anything of it has come. */
  answered: boolean;
  deadline: number;
  /** It overstayed: its chunks are open to others again, and it no longer counts in the window. */
  late: boolean;
  /** It takes so long that it no longer keeps us from asking others; see peers.ts. */
  dawdles: boolean;
  /** Asked of the origin although another is to fetch it. */
  readonly desperate: boolean;
  /** A second request for chunks that are asked for already. */
  readonly duplicate: boolean;
}

/** How a neighbour takes part in one of our topics. */
export interface View {
  /** Whose it is, as it is connected now. */
  readonly peer: Peer;
  readonly topic: TopicState;
  /** Its number for the topic, once it has opened it. */
  theirTopic?: number;
  /** What it says that it holds. */
  held?: Bitmap;
  /** What it said that it holds, and then that it does not. */
  recanted?: Bitmap;
  /** Whether we have told it of the topic. */
  opened: boolean;
  /** How much of the topic's log it has been told. */
  told: number;
  /** And when that was. */
  toldAt: number;
  /** When it last said that it holds something. */
  newsAt: number;
  /** It lacks something and has said nothing for too long: it is stuck, or keeps what it gets to itself. */
  isSilent: boolean;
  /** The pieces of the fetch of which it holds something that had not arrived when it said so. */
  offers: PieceSet;
  /** Whether it is among {@link TopicState.awake}: there may be something to ask it for. */
  isAwake: boolean;
  /** Ordinals that we have asked it for and that are unanswered, late ones too. */
  readonly asked: Set<number>;
  /** For an origin's view of an asker: how many chunks it was given. */
  given: number;
  /** Of those, how many others had from there, and how many were found to have stayed with it. */
  spread: number;
  kept: number;
  /** And ordinals for which it was sent elsewhere once. */
  redirected?: Bitmap;
  /** When that was for each, the oldest first: no more than {@link swarmBounds.redirectsMax}. */
  redirects?: Map<number, number>;
}

export interface TopicState {
  readonly id: number;
  readonly info: TopicInfo;
  readonly held: Bitmap;
  /** Ordinals in the order in which they were gained since the topic was shared. */
  readonly log: number[];
  readonly views: Map<string, View>;
  /** The same in a row, and those of origins. */
  readonly viewList: View[];
  readonly originViews: View[];
  fetch?: Fetch;
  /** Those of which something of the fetch may be left to ask for: all that a step looks at. */
  readonly awake: View[];
  /** How urgent what we ask for of it is; only our own caps look at that. */
  traffic: TrafficClass;
  /** Whether it is among {@link SwarmState.lively}. */
  isLively: boolean;
  /** When what was gained must be announced. */
  flushAt: number | undefined;
  flushedPieces: number;
  /** Whether all who follow can wait for the next moment for news. */
  isPatient: boolean;
  /** Chunks of it that have arrived and wait for our disk. */
  unstoredChunks: number;
  /** At an origin: the connection number of whom each chunk was last given to; 0 for nobody. Made at the first request. */
  given?: Int32Array;
  /** And when. */
  givenAt?: Float64Array;
  /** And to how many. */
  givenTimes?: Uint16Array;
  /** At an origin: how many agents say that they hold each chunk. */
  readonly holders?: Int32Array;
  /** At an origin: what nobody has asked for yet, once somebody lacks something; see suggesting.ts. */
  unasked?: Unasked;
}

/** Blocks of a topic of which nobody has asked an origin for something. */
export interface Unasked {
  /** Those that are left; each is looked at anew. */
  blocks: number[];
  /** How often each was suggested, and when that was last. */
  readonly times: Uint8Array;
  readonly suggestedAt: Float64Array;
  /** When to look again; never when nothing is left, or nobody lacks anything. */
  lookAt: number | undefined;
}

export interface Peer {
  readonly info: PeerInfo;
  /** 1, 2, 3, …: tells connections of one member apart. */
  readonly connection: number;
  readonly requests: Map<number, Request>;
  /** Bytes of requests that are not late. */
  owedBytes: number;
  owedRequests: number;
  /** Bytes a millisecond, smoothed; 0 until something came. */
  rate: number;
  /** Shortest time from a request to its first answer. */
  roundTripMs: number;
  /** When it last completed something, or was last asked after being idle. */
  busySince: number;
  timeouts: number;
  timeoutAt: number;
  quarantinedUntil: number;
  busyUntil: number;
  /** Times that it said so since it last sent a chunk. */
  busyTimes: number;
  /** It has not delivered anything yet and is late with its first answer. */
  dawdles: boolean;
  /** Its topics by its number: which blob. Those that we share have a view beside. */
  readonly theirTopics: Map<number, string>;
  /** Those views by the same numbers. */
  readonly theirViews: Map<number, View>;
  /** Whether it is in another zone than we. */
  isForeign: boolean;
  /** Whether that one had an origin of its own when it was admitted: then what it holds is for there, and not for those here. */
  readonly isFedElsewhere: boolean;
  /** Requests of it that are being served. */
  serving: number;
}

/** What is remembered of a member across connections. */
export interface Record {
  readonly barred: Set<string>;
  corrupt: number;
  bannedUntil: number;
}

/** A request of a neighbour, waiting or being served. */
export interface Upload {
  readonly id: number;
  readonly member: string;
  readonly peer: Peer;
  readonly view: View | undefined;
  readonly request: number;
  readonly topic: number;
  readonly ordinals: readonly number[];
  /** Who is to be named for the rest of the request, which is not served. */
  readonly elsewhere: readonly string[] | undefined;
  /** When it came. */
  readonly since: number;
  active: boolean;
}

export interface SwarmState {
  readonly self: PeerInfo;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** What may be asked for now; absent: as much as the windows allow. */
  readonly receive: RateGate | undefined;
  readonly peers: Map<string, Peer>;
  /** Ours to all neighbours, late ones too. */
  readonly requests: Map<number, Request>;
  readonly topics: Map<number, TopicState>;
  /** Those with a fetch, or with news to tell: all that time and room can do something about, few of the thousands that a seed shares. */
  readonly lively: TopicState[];
  /** Something may have changed since all was asked for that could be: there is room, or somebody has more. */
  isStirred: boolean;
  /** When deadlines are to be looked at. */
  lookAt: number;
  /** Until when, as said after the last step, nothing is due. */
  dueAt: number;
  /** Our topic by {@link topicKey}. */
  readonly byKey: Map<string, TopicState>;
  readonly records: Map<string, Record>;
  agents: readonly PeerInfo[];
  /** Zone of each member of the roster. */
  zones: ReadonlyMap<string, string>;
  /** Of its origins. */
  originZones: ReadonlySet<string>;
  readonly uploads: Upload[];
  /** How many of them are being served. */
  activeUploads: number;
  /** Connection numbers of present peers. */
  readonly connections: Map<number, string>;
  lastRequest: number;
  lastUpload: number;
  lastConnection: number;
  owedBytes: number;
  /** Of those, what is soon to come: not from an origin, whose line is as long as all that all want of it, nor by requests that dawdle. */
  awaitedBytes: number;
  /** Bytes a millisecond that come in from all neighbours, smoothed; and what came since when. */
  readonly income: { rate: number; bytes: number; since: number };
  /** From the end of one served request to that of the next in milliseconds, smoothed; and when the last one ended, or the first began. */
  readonly serving: { msEach: number; since: number };
  /** Arrived, and waiting for our disk. */
  unstoredBytes: number;
  /** From a request to its first answer, smoothed over all neighbours. */
  latencyMs: number | undefined;
  /** The same of neighbours in other zones; those are not in the other. */
  foreignLatencyMs: number | undefined;
  /** The shortest way to a neighbour and back, smoothed over those that answer; 0 before the first. */
  roundTripMs: number;
  now: number;
  /** Effects of the step under way. */
  effects: Effect[];
}

export function createSwarmState(self: PeerInfo, random: () => number, receive?: RateGate): SwarmState {
  return {
    self,
    random,
    receive,
    peers: new Map(),
    requests: new Map(),
    topics: new Map(),
    lively: [],
    isStirred: false,
    lookAt: Number.POSITIVE_INFINITY,
    dueAt: Number.POSITIVE_INFINITY,
    byKey: new Map(),
    records: new Map(),
    agents: [],
    zones: new Map(),
    originZones: new Set(),
    uploads: [],
    activeUploads: 0,
    connections: new Map(),
    lastRequest: 0,
    lastUpload: 0,
    lastConnection: 0,
    owedBytes: 0,
    awaitedBytes: 0,
    income: { rate: 0, bytes: 0, since: 0 },
    serving: { msEach: 0, since: 0 },
    unstoredBytes: 0,
    latencyMs: undefined,
    foreignLatencyMs: undefined,
    roundTripMs: 0,
    now: 0,
    effects: [],
  };
}

/** Names a blob whatever numbers the two sides give it. */
export function topicKey(info: { readonly revision: string; readonly blob: string }): string {
  return `${info.blob} ${info.revision}`;
}

/** Has a topic looked after from now on. */
export function enliven(state: SwarmState, topic: TopicState): void {
  if (topic.isLively) return;
  topic.isLively = true;
  state.lively.push(topic);
}

/** What is remembered of `member`, made when needed. */
export function recordOf(state: SwarmState, member: string): Record {
  let record = state.records.get(member);
  if (record === undefined) {
    record = { barred: new Set(), corrupt: 0, bannedUntil: 0 };
    state.records.set(member, record);
  }
  return record;
}

/** Whether a neighbour must not be asked for this revision again: it sent a corrupt chunk of it. */
export function isBarred(state: SwarmState, member: string, revision: string): boolean {
  return state.records.size > 0 && (state.records.get(member)?.barred.has(revision) ?? false);
}

/** Whether the fleet is too large for everybody to see everybody. */
export function isLarge(state: SwarmState): boolean {
  return state.agents.length > fullMeshMax;
}
