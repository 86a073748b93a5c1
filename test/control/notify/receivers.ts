// Real receivers on loopback: an HTTP server that answers as told, and as much of a mail server as a sender needs.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import type { Notice } from '../../../control/core/notices.ts';

export interface Post {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpReceiver extends AsyncDisposable {
  readonly url: string;
  readonly posts: Post[];
  /** What the next posts are answered with, in order; 200 when there is nothing left. */
  readonly answers: { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }[];
}

export async function httpReceiver(): Promise<HttpReceiver> {
  const posts: Post[] = [];
  const answers: HttpReceiver['answers'] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      posts.push({ headers: request.headers, body });
      const { status = 200, headers = {}, body: said = '' } = answers.shift() ?? {};
      response.writeHead(status, headers).end(said);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    posts,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Takes letters, or refuses recipients with `refuse`. */
export async function mailReceiver(refuse?: string): Promise<AsyncDisposable & { readonly port: number; readonly letters: string[] }> {
  const letters: string[] = [];
  const server = createSocketServer((socket) => {
    let inData = false;
    let pending = '';
    let letter = '';
    const say = (line: string): void => void socket.write(`${line}\r\n`);
    say('220 receiver');
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => {
      pending += text;
      for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 2);
        if (inData && line !== '.') letter += `${line}\n`;
        else if (inData) {
          inData = false;
          letters.push(letter);
          letter = '';
          say('250 taken');
        } else if (/^(EHLO|HELO)/i.test(line)) say('250 receiver');
        else if (/^RCPT/i.test(line)) say(refuse ?? '250 ok');
        else if (/^DATA/i.test(line)) {
          inData = true;
          say('354 go on');
        } else if (/^QUIT/i.test(line)) {
          say('221 bye');
          socket.end();
        } else say('250 ok');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    letters,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function notice(seq: number, more: Partial<Notice> = {}): Notice {
  return { id: `${seq}.shop.chat`, name: 'deployment.failed', channel: 'chat', pipeline: 'shop', subject: 'prod-1', title: 'prod: web@1 failed', text: 'prod: web@1 failed: <2 of 3> targets & more', at: 1_000, ...more };
}
