// Listening and leaving: one clear line when the port cannot be had, and an end within its time. Part of the composition root.

import { isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Clock } from './clock.ts';
import type { ControlConfig } from './config.ts';
import { ControlError } from './errors.ts';

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

interface Options {
  readonly clock: Clock;
  readonly closeWithinMs: number;
  /** Aborted first when closing: it ends long polls and streams. */
  readonly stopping: AbortController;
}

/** @throws {ControlError} PORT_IN_USE when somebody else listens there, CONFIG_INVALID when nobody can. */
export async function listen(app: FastifyInstance, { listen: { host, port }, connectionsMax }: ControlConfig, { clock, closeWithinMs, stopping }: Options): Promise<Listening> {
  app.server.maxConnections = connectionsMax;
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
      const closed = app.close();
      const late = new AbortController();
      // Whoever still sends or reads after that is cut: a stop must come to its end.
      const cut = clock.wait(closeWithinMs, { signal: late.signal }).then(
        () => app.server.closeAllConnections(),
        () => undefined,
      );
      await closed;
      late.abort();
      await cut;
    },
  };
}

function refusal(cause: unknown, host: string, port: number): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') return new ControlError('PORT_IN_USE', `port ${port} on ${host} is in use by another process; stop that one, or choose another with --listen ${host}:PORT (0 takes any free one)`, { cause });
  if (code === 'EACCES') return new ControlError('CONFIG_INVALID', `port ${port} on ${host} may not be used without privileges; choose one above 1023`, { cause });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return new ControlError('CONFIG_INVALID', `'${host}' is not an address of this machine; choose one with --listen`, { cause });
  return cause;
}
