// The bulk channel of one neighbour: who invites whom, and what happens when it cannot be opened or ends. It is an optimisation: without it everything
// travels on the libp2p stream. What is said there of the channel itself stays there. The socket is channel.ts's, the port port.ts's.
//
// The side that was dialled over libp2p invites first, since the way to it is known to be open. A side that could not follow an invitation invites in its
// turn, at once the first time, then after longer and longer pauses; so a firewall before either of them costs a few attempts, no more.

import type { BulkMessage, ExchangeMessage } from '../../../proto/exchange.ts';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { BulkChannel } from './channel.ts';
import type { BulkPort, Invitation } from './port.ts';
import type { SwarmMetrics } from '../swarm.ts';

export interface BulkLinkOptions {
  readonly port: BulkPort;
  readonly member: string;
  /** Where the neighbour's end of the libp2p connection is. Only the port is the neighbour's to choose: it leads us nowhere but to itself. */
  readonly host: string;
  /** Whether we dialled the neighbour. */
  readonly dialled: boolean;
  readonly clock: Clock;
  readonly metrics: SwarmMetrics;
  readonly log: Logger;
  /** Sends over the libp2p stream. */
  readonly say: (message: BulkMessage) => void;
  readonly onMessage: (message: ExchangeMessage) => void;
  /** The backlog has become smaller. */
  readonly onSent: () => void;
  /** There is a channel from now on. */
  readonly onOpened: () => void;
  /** Nothing has passed over it for a while. Whether the neighbour should have said something. */
  readonly onQuiet: () => boolean;
  /** There is none any more. What was on its way may be lost. */
  readonly onEnded: () => void;
  /** What came over the channel broke the protocol. */
  readonly onMisbehaviour: (detail: string) => void;
}

export interface BulkLink {
  readonly backlogBytes: number;
  /** Takes an answer as a channel does, or says that it has to go over the stream. */
  send(parts: readonly Uint8Array[], onTaken?: () => void): boolean;
  /** The same of a word. */
  say(parts: readonly Uint8Array[]): boolean;
  hear(message: BulkMessage): void;
  close(): void;
}

/** Between attempts: doubled each time, from the first to the last of these. */
const pauseMs = 30_000;
const pauseMsMax = 10 * 60_000;
/** A channel that lived so long had nothing wrong with it: the next is opened at once. */
const soundMs = 60_000;
const none: BulkMessage = { kind: 'bulk', port: 0, token: new Uint8Array(0) };

/** Begins in a later turn than this call. */
export function createBulkLink(options: BulkLinkOptions): BulkLink {
  const link = new Link(options);
  if (!options.dialled) queueMicrotask(() => link.begin());
  return link;
}

class Link implements BulkLink {
  readonly #options: BulkLinkOptions;
  readonly #stop = new AbortController();
  #channel: BulkChannel | undefined;
  #openSince = 0;
  #invitation: Invitation | undefined;
  /** Invitations sent since the last sound channel. */
  #invited = 0;
  #isOpening = false;
  #isWaiting = false;

  constructor(options: BulkLinkOptions) {
    this.#options = options;
  }

  get backlogBytes(): number {
    return this.#channel?.backlogBytes ?? 0;
  }

  begin(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#options.port.listens) this.#invite();
    else this.#options.say(none);
  }

  send(parts: readonly Uint8Array[], onTaken?: () => void): boolean {
    this.#channel?.send(parts, onTaken);
    return this.#channel !== undefined;
  }

  say(parts: readonly Uint8Array[]): boolean {
    this.#channel?.say(parts);
    return this.#channel !== undefined;
  }

  hear({ port, token }: BulkMessage): void {
    if (this.#stop.signal.aborted) return;
    // It would not say either if it still had the channel.
    const wasOpener = this.#channel?.opened;
    this.#drop('the neighbour has none any more');
    if (port > 0) return this.#open(port, token);
    if (wasOpener !== true) this.#inviteLater();
  }

  close(): void {
    this.#stop.abort();
    this.#invitation?.[Symbol.dispose]();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel === undefined) return;
    this.#options.metrics.bulkChannels(-1);
    channel.close();
  }

  #invite(): void {
    if (this.#stop.signal.aborted || this.#channel !== undefined || this.#isOpening) return;
    const { port, member, say } = this.#options;
    this.#invitation?.[Symbol.dispose]();
    this.#invitation = port.invite(member, (channel) => this.#adopt(channel));
    if (this.#invitation === undefined) return;
    this.#invited += 1;
    say({ kind: 'bulk', port: this.#invitation.port, token: this.#invitation.token });
  }

  #inviteLater(): void {
    const { port, clock } = this.#options;
    if (!port.listens || this.#isWaiting) return;
    if (this.#invited === 0) return this.#invite();
    this.#isWaiting = true;
    clock.wait(Math.min(pauseMsMax, pauseMs * 2 ** (this.#invited - 1)), { signal: this.#stop.signal }).then(
      () => {
        this.#isWaiting = false;
        this.#invite();
      },
      () => undefined,
    );
  }

  #open(port: number, token: Uint8Array): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    const { member, host, log, say } = this.#options;
    const done = (): void => {
      this.#isOpening = false;
    };
    this.#options.port
      .open(member, { host, port, token }, { signal: this.#stop.signal })
      .finally(done)
      .then(
        (channel) => this.#adopt(channel),
        (error: unknown) => {
          if (this.#stop.signal.aborted) return;
          log.info({ member, host, port, error: error instanceof Error ? error.message : String(error) }, 'a bulk channel could not be opened; chunks go over the libp2p connection');
          if (this.#options.port.listens) this.#inviteLater();
          else say(none);
        },
      );
  }

  #adopt(channel: BulkChannel): void {
    const { member, dialled, clock, metrics, log } = this.#options;
    // Of two opened at once both sides keep the one that the dialler of libp2p opened.
    const isSecond = this.#channel !== undefined && this.#channel.opened === dialled;
    if (this.#stop.signal.aborted || isSecond) return channel.close();
    this.#drop('another one was opened');
    this.#channel = channel;
    this.#openSince = clock.monotonic();
    this.#invitation?.[Symbol.dispose]();
    this.#invitation = undefined;
    metrics.bulkChannels(1);
    log.info({ member, opened: channel.opened }, 'a bulk channel is open');
    this.#options.onOpened();
    channel.start({
      onMessage: (message) => {
        if (this.#channel === channel) this.#options.onMessage(message);
      },
      onSent: () => this.#options.onSent(),
      onQuiet: () => this.#channel === channel && this.#options.onQuiet(),
      onEnd: (reason, detail) => {
        if (this.#channel !== channel) return;
        this.#ended(`${reason}: ${detail}`);
        if (reason === 'protocol') return this.#options.onMisbehaviour(detail);
        // The other side may not see what we see.
        if (reason === 'stuck') this.#options.say(none);
        if (!channel.opened) this.#inviteLater();
      },
    });
  }

  #drop(why: string): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    this.#ended(why);
    channel.close();
  }

  #ended(why: string): void {
    const { member, clock, metrics, log, onEnded, onSent } = this.#options;
    this.#channel = undefined;
    if (clock.monotonic() - this.#openSince >= soundMs) this.#invited = 0;
    metrics.bulkChannels(-1);
    log.info({ member, why }, 'a bulk channel ended; chunks go over the libp2p connection');
    onEnded();
    onSent();
  }
}
