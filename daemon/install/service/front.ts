// The front: a small process of its own that listens on an application's port and passes connections on to whichever
// instance is active, so that no connection is refused while one takes over from the other. It outlives the daemon.
// Which instance is active is in a file that supervisor.ts replaces; the front reads it for every connection (15 µs).
// Its configuration comes on standard input, so that it needs nothing of its environment.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../../clock.ts';

/** Bounds of the front, in ms. */
const frontLimits = {
  connectionsMax: 4096,
  /** How long a connection waits for an instance that is being restarted. */
  connectMs: 5_000,
  againMs: 50,
  /** Silence after which a connection that one side has ended is over. */
  halfOpenMs: 60_000,
  /** How often it looks whether its files are still there; without them it is nobody's and ends. */
  orphanMs: 2_000,
} as const;

/** What it is told on standard input. */
interface FrontConfig {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  /** File with the active instance: `{ "port": 40001 }`. */
  readonly backend: string;
  /** File into which it writes `{ tag, port }` when it listens, or `{ tag, error }` when it cannot. */
  readonly ready: string;
  readonly tag: string;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

function readConfig(): FrontConfig {
  const value: unknown = JSON.parse(readFileSync(0, 'utf8'));
  const text = (name: string) => String(field(value, name));
  return { host: text('host'), port: Number(field(value, 'port')), backend: text('backend'), ready: text('ready'), tag: text('tag') };
}

/** Port of the active instance; `undefined` while there is none. */
function activePort(path: string): number | undefined {
  try {
    const port = field(JSON.parse(readFileSync(path, 'utf8')), 'port');
    return typeof port === 'number' ? port : undefined;
  } catch {
    return undefined;
  }
}

async function connectOnce(port: number): Promise<Socket | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => {
      resolve(socket);
    });
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}

/** Connects to the active instance, trying again while it is being replaced or restarted. */
async function connectActive(client: Socket, backend: string): Promise<Socket | undefined> {
  const deadline = systemClock.monotonic() + frontLimits.connectMs;
  while (!client.destroyed && systemClock.monotonic() < deadline) {
    const port = activePort(backend);
    const socket = port === undefined ? undefined : await connectOnce(port);
    if (socket !== undefined) return socket;
    await systemClock.wait(frontLimits.againMs, { signal: new AbortController().signal });
  }
  return undefined;
}

function join(client: Socket, instance: Socket): void {
  for (const [from, to] of [[client, instance], [instance, client]] as const) {
    from.pipe(to);
    from.once('error', () => to.destroy());
    from.once('close', () => {
      to.destroySoon();
    });
    from.once('end', () => {
      to.setTimeout(frontLimits.halfOpenMs, () => to.destroy());
    });
  }
}

async function serve(client: Socket, backend: string): Promise<void> {
  client.on('error', () => client.destroy());
  const instance = await connectActive(client, backend);
  if (instance === undefined || client.destroyed) {
    instance?.destroy();
    client.destroy();
    return;
  }
  join(client, instance);
}

function announce({ ready, tag }: FrontConfig, news: object): void {
  writeFileSync(`${ready}.new`, JSON.stringify({ tag, ...news }));
  renameSync(`${ready}.new`, ready);
}

const config = readConfig();
const clients = new Set<Socket>();
const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true }, (client) => {
  clients.add(client);
  client.once('close', () => clients.delete(client));
  // `serve` handles its own failures; a rejection here would be a mistake in it and ends the front, which is started again.
  void serve(client, config.backend);
});
server.maxConnections = frontLimits.connectionsMax;
server.once('error', (error) => {
  announce(config, { error: 'code' in error ? error.code : error.message });
});
server.listen(config.port, config.host, () => {
  const address = server.address();
  announce(config, { port: typeof address === 'object' && address !== null ? address.port : config.port });
});

while (server.listening || !existsSync(config.ready)) {
  await systemClock.wait(frontLimits.orphanMs, { signal: new AbortController().signal });
  if (existsSync(config.ready)) continue;
  server.close();
  for (const client of clients) client.destroy();
  break;
}
