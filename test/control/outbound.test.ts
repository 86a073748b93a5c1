// Where the control plane never goes, whoever asks it to (threats.md, H6), and how it goes elsewhere.

import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ask, guarded } from '../../control/outbound.ts';

const { signal } = new AbortController();
const get = { method: 'GET', headers: {} } as const;

async function serving(location?: string): Promise<number> {
  const server = createServer((request, response) => response.writeHead(location === undefined ? 200 : 302, location === undefined ? {} : { location }).end(`${request.method} ${String(request.headers['x-one'])}`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test.each([
  'http://169.254.169.254/latest/meta-data', 'https://169.254.0.1/', 'http://2852039166/', 'http://0xa9fea9fe/', 'http://[::ffff:169.254.169.254]/', 'http://[fe80::1]/', 'http://[fd00:ec2::254]/',
  'http://0.0.0.0:7400/', 'http://0/', 'http://[::]:7400/', 'http://[::ffff:0.0.0.0]/', 'http://168.63.129.16/', 'http://100.100.100.200/', 'http://224.0.0.1/', 'http://255.255.255.255/', 'http://[ff02::1]/',
])('H6 %s is never asked, and the answer says so', async (url) => {
  await expect(ask(url, get, signal)).rejects.toThrow('is no address of a service and is never asked; name another');
});

test('H6 a name is refused for any such address of its own, when the connection is made', async () => {
  const port = await serving();
  const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '127.0.0.1', family: 4 }, { address: '::ffff:169.254.169.254', family: 6 }], [{ address: 'fe80::1%1', family: 6 }]];
  const lookup = guarded((_hostname, _options, found) => found(null, answers.shift() ?? []));
  const reached = async (): Promise<string> =>
    await new Promise((resolve) => {
      const socket = connect({ host: 'prometheus.example', port, lookup }, () => {
        socket.destroy();
        resolve('connected');
      });
      socket.on('error', (error) => resolve(error.message));
    });
  expect([await reached(), await reached(), await reached()]).toEqual([
    'connected',
    'prometheus.example is ::ffff:169.254.169.254, which is no address of a service and is never asked; name another',
    'prometheus.example is fe80::1%1, which is no address of a service and is never asked; name another',
  ]);
});

test('another address is asked with what is given, and a redirect is an answer that leads nowhere', async () => {
  const response = await ask(`http://127.0.0.1:${await serving()}/`, { method: 'POST', headers: { 'x-one': '1' }, body: 'x' }, signal);
  expect([response.statusCode, (await response.toArray()).join('')]).toEqual([200, 'POST 1']);
  const led = await ask(`http://localhost:${await serving('http://169.254.169.254/')}/`, get, signal);
  led.destroy();
  expect(led.statusCode).toBe(302);
});

test('one that is given up rejects', async () => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const over = new AbortController();
  const asked = ask(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`, get, over.signal);
  over.abort();
  await expect(asked).rejects.toThrow(/abort/i);
});
