// Inside of a lab: the rate of one stream of TCP between two hosts, as the receiving application sees it.

import { setTimeout as wait } from 'node:timers/promises';
import { onCase } from './lab/case.ts';

/** Which hosts. */
export interface StreamInput {
  readonly from: string;
  readonly to: string;
}

const [port, settleMs, spanMs] = [9000, 1_500, 4_000];
const receiver = `let bytes = 0;
require('net').createServer((socket) => socket.on('data', (part) => (bytes += part.length)).on('error', () => {})).listen(${port}, '0.0.0.0', () => process.send('ready'));
process.on('message', () => process.send(bytes));`;
const sender = (address: string): string => `const socket = require('net').connect(${port}, '${address}');
const block = Buffer.alloc(65536);
const push = () => { while (socket.write(block)); socket.once('drain', push); };
push();`;

await onCase<StreamInput, number>(async (lab, { from, to }) => {
  const listening = lab.spawn(to, [process.execPath, '-e', receiver], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const said = async (): Promise<unknown> => await new Promise((resolve) => listening.once('message', resolve));
  const received = async (): Promise<number> => {
    const answer = said();
    listening.send('tell');
    return Number(await answer);
  };
  await said();
  const sending = lab.spawn(from, [process.execPath, '-e', sender(lab.host(to).address)], { stdio: ['ignore', 'ignore', 'inherit'] });
  await wait(settleMs);
  const [before, startedAt] = [await received(), performance.now()];
  await wait(spanMs);
  const [after, endedAt] = [await received(), performance.now()];
  for (const child of [sending, listening]) child.kill('SIGKILL');
  return ((after - before) * 8) / ((endedAt - startedAt) * 1000);
});
