// A meter in front of a server on loopback: passes everything on and counts what clients send, and in how many requests of HTTP/1.1.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Meter extends AsyncDisposable {
  /** Where to ask instead. */
  readonly url: string;
  /** Bytes that clients sent, headers included. */
  sent(): number;
  requests(): number;
}

/** In front of `target`, an `http://` URL. */
export async function startMeter(target: string): Promise<Meter> {
  const { hostname, port } = new URL(target);
  let [bytes, requests] = [0, 0];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
    }
    client.on('data', (part: Buffer) => {
      bytes += part.length;
      requests += part.toString('latin1').match(/(?:^|\r\n)(?:GET|POST|PUT|DELETE) \S+ HTTP\/1\.1\r\n/g)?.length ?? 0;
    });
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the meter has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    sent: () => bytes,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
