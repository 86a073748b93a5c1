// A worker whose control plane is away: what it says of that, and how often.

import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommandLine } from '../../../control/cli/cli.ts';
import { systemClock } from '../../../control/clock.ts';
import { testWorld } from './world.ts';

test('a worker says once that its control plane is away, and once that it is back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'starling-worker-'));
  const clock = { now: () => systemClock.now(), monotonic: () => systemClock.monotonic(), wait: async () => await Promise.resolve() };
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    // The client asks several times before it gives up.
    if (asked === 42) world.stop.abort();
    if (asked <= 40) response.writeHead(429).end();
    else response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const world = testWorld({ arguments: ['worker', '-d', directory, '--name', 'w', '--url', url], environment: { STARLING_TOKEN: 'x' }, clock });
  await runCommandLine(world);
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
  expect(world.written.err.split('\n').slice(0, 3)).toEqual(["worker 'w' takes work for tester", expect.stringMatching(/^no work for now, and trying on: .* answered 429 /), 'the control plane answers again']);
});
