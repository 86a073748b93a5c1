// GET /v1/events: the feed as server-sent events. A reader is sent what is on record above `since`, then `snapshot-end`, then what
// happens. Nothing is queued for it: it is read for at the pace at which it takes, and cut when it takes nothing for too long.

import { fastifySSE } from '@fastify/sse';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { operations } from '../../proto/api/operations.ts';
import type { Clock } from '../clock.ts';
import { ControlError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { decodeCall } from './decode-call.ts';
import type { Feed } from './feed.ts';
import { accessHooks, callerOf, type RouteOptions } from './route.ts';

export interface EventsOptions extends Pick<RouteOptions, 'authenticator' | 'state'> {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Streams open at once. */
  readonly streamsMax: number;
  /** Ends every stream when the control plane stops. */
  readonly signal: AbortSignal;
}

/** A stream has no end of its own; this is the longest that a timer can wait, since fastify knows no `never`. */
const streamTimeoutMs = 2 ** 31 - 1;
/** A comment is sent this often, so that both ends notice a dead connection. */
export const heartbeatMs = 15_000;
/** Events sent before the reader's pace is looked at again. */
const stepEvents = 64;
/** A reader that leaves our buffers full for this long is cut; it comes again with Last-Event-ID and loses nothing. */
export const stuckMs = 30_000;

/** Registers the stream. */
export async function eventRoutes(app: FastifyInstance, options: EventsOptions): Promise<void> {
  const { feed, metrics, log } = options;
  let open = 0;
  await app.register(fastifySSE, { heartbeatInterval: heartbeatMs });
  const operation = operations.streamEvents;
  app.route({
    method: operation.method,
    url: operation.path,
    sse: 'manual',
    handlerTimeout: streamTimeoutMs,
    config: { access: 'scope', long: true },
    schema: { operationId: 'streamEvents', summary: operation.summary, tags: ['events'], querystring: operation.query, produces: ['text/event-stream'], response: { 200: { description: 'text/event-stream' } } },
    ...accessHooks(operation, options),
    handler: async (request, reply) => {
      if (open >= options.streamsMax) throw new ControlError('TOO_MANY_REQUESTS', `${options.streamsMax} event streams are open already: close some, or raise eventStreamsMax`);
      const from = startOf(request, feed);
      const kind = request.headers['user-agent']?.startsWith('starling') === true ? 'cli' : 'ui';
      open += 1;
      metrics.eventStreams.inc({ kind });
      try {
        await new Stream(reply, options, kind).run(from);
      } catch (error) {
        log.warn({ err: error, request: request.id }, 'an event stream ended with a failure');
        // What was begun as a stream cannot become a problem document.
        reply.raw.destroy();
      } finally {
        open -= 1;
        metrics.eventStreams.dec({ kind });
      }
    },
  });
}

/** After which event the reader goes on. @throws {ControlError} INVALID_REQUEST when Last-Event-ID is none of ours. */
function startOf(request: FastifyRequest, feed: Feed): number {
  const last = request.headers['last-event-id'];
  if (last === undefined || last === '') return decodeCall<'streamEvents'>(request).query.since ?? feed.head();
  const seq = Number(last);
  if (Number.isSafeInteger(seq) && seq >= 0) return seq;
  throw new ControlError('INVALID_REQUEST', `Last-Event-ID '${String(last).slice(0, 32)}' is not the id of an event: begin again with ?since=0`);
}

class Stream {
  readonly #reply: FastifyReply;
  readonly #options: EventsOptions;
  readonly #kind: string;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;

  constructor(reply: FastifyReply, options: EventsOptions, kind: string) {
    this.#reply = reply;
    this.#options = options;
    this.#kind = kind;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    reply.raw.once('close', () => this.#ended.abort());
  }

  async run(since: number): Promise<void> {
    const { feed } = this.#options;
    let roused = Promise.withResolvers<void>();
    const stop = feed.follow(() => roused.resolve());
    const end = (): void => roused.resolve();
    this.#signal.addEventListener('abort', end, { once: true });
    try {
      this.#reply.sse.sendHeaders();
      let at = since;
      if (since > feed.head()) {
        at = feed.head();
        await this.#send({ event: 'reset', id: String(at), data: { seq: at } });
      }
      at = await this.#catchUp(at, false);
      await this.#send({ event: 'snapshot-end', id: String(at), data: { seq: at } });
      while (!this.#signal.aborted) {
        at = await this.#catchUp(at, true);
        if (at >= feed.head()) await roused.promise;
        roused = Promise.withResolvers<void>();
      }
    } finally {
      stop();
      this.#signal.removeEventListener('abort', end);
    }
  }

  /** Sends everything above `after`; says where it came to. */
  async #catchUp(after: number, live: boolean): Promise<number> {
    const { feed, metrics, clock, authenticator } = this.#options;
    let at = after;
    while (at < feed.head() && !this.#signal.aborted) {
      // A stream outlives the request by which it was asked for. That a token was revoked is an event, which ends its streams at once.
      if (!authenticator.holds(callerOf(this.#reply.request))) return this.#end(at);
      for (const event of await feed.read(at, stepEvents)) {
        if (this.#signal.aborted) break;
        await this.#send({ id: event.id, event: event.type, data: event });
        if (live) metrics.eventDelivery.observe({ kind: this.#kind }, Math.max(0, clock.now() - Date.parse(event.time)) / 1000);
        at = event.sequence;
      }
    }
    return at;
  }

  /** Whoever comes again is told why. */
  #end(at: number): number {
    this.#reply.raw.end();
    this.#ended.abort();
    return at;
  }

  /** Writes one event; waits while the reader's buffers are full, and cuts it when that takes too long. */
  async #send(message: { readonly id: string; readonly event: string; readonly data: unknown }): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#signal.aborted) return;
    let sent = false;
    const sending = this.#reply.sse.send(message).then(() => {
      sent = true;
    });
    if (!this.#reply.raw.writableNeedDrain) return await sending;
    const patience = new AbortController();
    const waiting = AbortSignal.any([this.#signal, patience.signal]);
    const giveUp = clock.wait(stuckMs, { signal: waiting }).then(
      () => true,
      () => false,
    );
    const gaveUp = await Promise.race([sending.then(() => false), giveUp]);
    patience.abort();
    if (!gaveUp || sent) return;
    log.warn({ request: this.#reply.request.id, stuckMs }, 'an event stream was cut: its reader takes nothing');
    this.#reply.raw.destroy();
    this.#ended.abort();
  }
}
