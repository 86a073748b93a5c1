// Listening and leaving: one clear line when the port cannot be had, and an end within its time. Part of the composition root.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Clock } from './clock.ts';
import type { ControlConfig } from './config.ts';
import { ControlError } from './errors.ts';

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** How often resting connections are looked for while closing. */
const sweepMs = 20;

interface Options {
  readonly clock: Clock;
  /** Whoever still sends or reads after that is cut: a stop must come to its end. */
  readonly closeWithinMs: number;
  /** Aborted first when closing: it ends long polls and streams. */
  readonly stopping: AbortController;
}

/** @throws {ControlError} PORT_IN_USE when somebody else listens there, CONFIG_INVALID when nobody can. */
export async function listen(app: FastifyInstance, { listen: { host, port }, connectionsMax }: ControlConfig, { clock, closeWithinMs, stopping }: Options): Promise<Listening> {
  app.server.maxConnections = connectionsMax;
  const connections = new Connections(app.server);
  try {
    await app.listen({ host, port, backlog: 1024 });
  } catch (cause) {
    await app.close();
    throw refusal(cause, host, port);
  }
  const address = app.server.address();
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return {
    url: `http://${isIPv6(shown) ? `[${shown}]` : shown}:${typeof address === 'object' ? (address?.port ?? port) : port}`,
    close: async () => {
      stopping.abort();
      const closed = app.close().then(() => 'closed' as const);
      const until = clock.monotonic() + closeWithinMs;
      const done = new AbortController();
      const step = async (): Promise<'waiting'> => {
        await clock.wait(sweepMs, { signal: done.signal }).catch(() => undefined);
        return 'waiting';
      };
      while ((await Promise.race([closed, step()])) === 'waiting') {
        if (clock.monotonic() < until) connections.closeResting();
        else app.server.closeAllConnections();
      }
      done.abort();
    },
  };
}

/**
 * Connections and which of them are being answered. Node closes those that rest when closing begins; but one that was answered a moment
 * later rests for as long as its client likes, and one on which nothing was ever asked counts as busy there.
 */
class Connections {
  readonly #open = new Set<Socket>();
  readonly #busy = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#busy.add(socket);
      response.once('close', () => this.#busy.delete(socket));
    });
  }

  closeResting(): void {
    for (const socket of this.#open) if (!this.#busy.has(socket)) socket.destroySoon();
  }
}

function refusal(cause: unknown, host: string, port: number): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') return new ControlError('PORT_IN_USE', `port ${port} on ${host} is in use by another process; stop that one, or choose another with --listen ${host}:PORT (0 takes any free one)`, { cause });
  if (code === 'EACCES') return new ControlError('CONFIG_INVALID', `port ${port} on ${host} may not be used without privileges; choose one above 1023`, { cause });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return new ControlError('CONFIG_INVALID', `'${host}' is not an address of this machine; choose one with --listen`, { cause });
  return cause;
}
