// The scheduler's numbers: how much, how long, how many. Bytes and milliseconds. What the wire allows is in proto/limits.ts.

const KiB = 1024;
const MiB = 1024 * KiB;

export const swarmBounds = {
  /**
   * A piece is what one request asks for: missing bytes / 4,096, down to a power of two, between these. Eight times as many as swarm.md, section 2.1, has: what is
   * under way is counted in pieces, and too much of it overflows the queue before the asker's line. With 512, of 256 MiB to 16 targets in the lab, 4.7 % more
   * left the origin than there was, with these 2.3 %; a request for less costs nothing that could be measured beside that.
   */
  pieceBytesMin: 64 * KiB,
  pieceBytesMax: 4 * MiB,
  piecesAim: 4096,
  /** What one agent brings from the origin or across a border: a part of all chunks, the same whatever is missing and in every version. */
  blocksAim: 512,
  /** Trees of tiny files: a request stays short to describe and to answer. */
  pieceChunksMax: 1024,
  /** The first pieces are chosen at random, so that newcomers have something to give one another. */
  randomPieces: 4,

  /** What one neighbour may owe us: twice its bandwidth-delay product, within these. */
  windowBytesMax: 4 * MiB,
  /** One on the wire and one queued behind it. */
  windowRequestsMin: 2,
  windowRequestsMax: 16,
  /** Added to the round trip: the holder reads from its disk and serves others too. */
  windowSlackMs: 50,
  /** What all neighbours together may owe us, and what waits for our disk. */
  totalBytesMax: 32 * MiB,
  /** Chunks of one topic that are asked for or wait for our disk: each may be a file of its own, which is open until it is synced. */
  chunksMax: 4096,
  /**
   * What is asked of agents at once: so many pieces, or what comes in this long, or in so many round trips; the income is measured over spans of at least the
   * last. More than that overflows the queue before our own line (50 ms in the lab's switch): of 64 MiB to eight targets 2.6 % more than there was left the origin
   * with eight pieces and 110 ms, the last was whole after 1.157 times the bound; with these it is 1.6 % and 1.138; with five and 65 ms lines stay idle.
   */
  enoughPieces: 6,
  enoughMs: 80,
  enoughTrips: 2,
  incomeMs: 250,
  /** In a large fleet, while so many pieces or what comes in this long is under way, a neighbour that has a part of a piece is not asked for that. */
  wholePieces: 2,
  wholeMs: 100,
  /** After this, and twice what it should take, a request no longer counts in that. */
  dawdleMs: 250,
  /** Assumed of a neighbour that has not sent anything yet, in bytes a second; only for timeouts and windows. */
  rateAssumed: 1 * MiB,

  /** On top of four times what the owed bytes should take: four times the usual latency within these; the middle one while that is unknown. */
  timeoutMs: 1_000,
  timeoutUnknownMs: 3_000,
  timeoutMsMax: 10_000,
  /** A request that overstayed is kept this long in case that the data comes after all. */
  lateMs: 30_000,
  /** A tick that comes this late was held up by our own machine. */
  pauseMs: 150,
  /** Times that requests overstay, in a row, until the neighbour is left alone, and how long. */
  timeoutsMax: 3,
  quarantineMs: 30_000,
  /** Corrupt chunks, one for each revision, until a ban, and how long. */
  corruptMax: 3,
  banMs: 60 * 60_000,
  /** Longest `busy` that is believed. */
  busyMsMax: 5_000,
  /** Who is refused again and again comes back half as often each time: a question costs both sides as much as some 10 KiB of chunks. */
  busyDoublings: 3,
  /** Where each sees a few of many that begins with so many refusals. */
  busyLargeTimes: 6,

  /** The last pieces are asked of more holders when they dawdle. */
  endgamePieces: 8,
  endgameHoldersMax: 3,
  endgameMs: 100,

  /** An order reaches the agents within this: until then the pieces are divided among all neighbours, not only those that have begun. */
  expectedMs: 1_500,

  /** No holder for what is missing: how long until the origin is asked for what another agent was to fetch (tau). */
  starvedMs: 3_000,
  starvedPieces: 8,
  starvedMsMax: 10_000,
  /** For fewer pieces than this, if they are less than such a part of a fetch, that time is so many times shorter. */
  lastPieces: 8,
  lastPart: 8,
  lastHaste: 6,
  /** Who lacks no more than such a part, and nothing of its own, brings what is others': sooner, one with a fast line would have all of it, and all others would wait for that one. */
  helpPart: 8,
  /** In a fleet too large to see: what none of our neighbours has this long after the beginning, others bring from the origin, so many, one after the other. */
  backupMs: 4_500,
  backupNextMs: 500,
  backups: 8,
  /** What only the one holds whom the origin gave it, so long after, does not spread from there. */
  aloneMs: 3_500,
  /** And as long as our line takes for so many requests, as with the two below: what agents pass on takes them as long, for each copy. */
  aloneRequests: 48,
  /** An importer that is not seen is waited for this long, then its backup, once half is there (swarm.md, section 2.4). */
  importMs: 500,
  /** One that is seen and silent, this many times what our own requests across the border take, within the second. */
  importLatencies: 8,
  importMsMax: 60_000,
  /** What is asked for across a border should take no longer than this, or so many times what is asked for nearby: then all of a zone together ask for too much. */
  borderMs: 400,
  borderLatencies: 3,
  /** Who is sent to members that it does not see waits for this part of tau. */
  unseenPart: 4,
  /** And where so many neighbours cannot be relied on, whoever has its own turn, too. */
  badNeighbours: 3,

  /** What was gained is announced after this, or after so many pieces; sooner when a piece takes less than twice that. */
  haveMs: 100,
  /** After the first pieces, where everybody sees everybody, one neighbour is told once in the time of so many. */
  turnPieces: 8,
  /** The first pieces are announced at once. */
  earlyPieces: 16,
  haveMsMin: 2,
  havePieces: 8,
  /** Whoever lacks this many pieces that we have told it of has enough to choose from, and is told this often. */
  aheadPieces: 32,
  aheadMs: 400,
  /** And whoever is in another zone: an announcement crosses the border like a chunk does. */
  haveForeignMs: 500,
  /** An origin, which only points others to it, and from all agents together not more often than so many times a millisecond. */
  haveOriginMs: 1_000,
  haveOriginPerMs: 5,
  /** How often deadlines are looked at while something is being fetched. */
  tickMs: 50,
  /** The same while enough is under way, in a fleet of which we see a few. */
  calmTickMs: 200,

  /** Requests served at once to completion, and of those to one neighbour; the rest wait in line. */
  servingMax: 4,
  servingOriginMax: 8,
  /** More than {@link servingMax} at once while they are no more than this: eight long pieces side by side would all arrive last. */
  servingBytes: 2 * MiB,
  servingOfOneMax: 2,
  queueMax: 32,
  /**
   * A line is no longer than what is served in this: whoever would wait longer finds another holder, and a slow line holds up nobody. Of sixteen agents of whom a third has a tenth of
   * the others' line, the last was whole after 2.65 times the bound, now after 1.64 times. Of long requests each part of this length counts as one: they take their time on any line.
   */
  queueMs: 400,
  queuePartBytes: 256 * KiB,
  /** The same where each sees a few of many: whoever is turned away soon finds another holder, whose line would be idle else. */
  queueLargeMax: 6,
  /** The same, with those served, of an agent that has just begun: what it gives is twice as much elsewhere by the time that the third would have it. */
  queueEarlyMax: 2,
  /** Who has waited this long comes before who lacks everything. */
  leadMs: 4_000,
  /** Who holds more than this part and has given us nothing is put back by so much of it. */
  unprovenFrom: 1 / 8,
  unprovenLead: 1 / 4,
  queueOriginMax: 128,
  /** In a fleet of which each sees a few, so long after somebody began, an origin whose line is shorter than this suggests what nobody has asked for; it looks this often. */
  suggestAfterMs: 1_000,
  suggestMax: 16,
  suggestEveryMs: 100,
  /** What was suggested and not asked for in this is suggested to another one, so many times in all: it may not be wanted. */
  suggestAgainMs: 1_000,
  suggestTimes: 3,
  /**
   * Nor longer than what is served in this: who waits longer gives its request up, and asks for what others were to bring. Of 512 MiB in pieces of 1 MiB to 100
   * agents, with 40 Mbit/s each and at the origin, 1.47 copies left the origin, with this 1.03, and with longer patience for long pieces 1.004.
   */
  queueOriginMs: 6_000,
  /** In a line that is half full, one neighbour's. */
  queueOfOneMax: 16,
  /** The origin gives a chunk again to another who waits for it when it was given so long ago and nobody has announced it. */
  givenMs: 8_000,
  givenRequests: 112,
  /** The same, for one that has announced nothing since. */
  givenSilentMs: 3_000,
  givenSilentRequests: 40,
  /** Nor more than so many times as long: whoever reads slowly from an origin makes its line look slow. */
  patienceTimes: 16,
  /** Nor is one waited for that was given it and holds so much less than the asker, as a part of all. */
  behindPart: 8,
  /** Whoever asks again so soon after it was sent elsewhere cannot use those that it was sent to. */
  askedAgainMs: 500,
  /** Chunks of one asker for which that is remembered: about as many as come in so soon. */
  redirectsMax: 4096,
  /** "Come again": doubled jitter keeps the refused from coming back together. */
  busyMs: 50,
  /** However slowly the line moves: the reader may have better luck later than it thinks. */
  lineMsMax: 2_000,
} as const;
