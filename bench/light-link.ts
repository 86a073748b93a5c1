// One keep-alive connection over which one request is under way at a time: as much of HTTP/1.1 as the control plane's answers need, which all say how long they are.
// Ten thousand of them are to cost little beside what they ask; who signs and what is said is p11-agents.ts.

import { connect, type Socket } from 'node:net';

export interface Answered {
  readonly status: number;
  readonly isCompressed: boolean;
  /** The last bytes, {@link endBytes} of them where there are as many. */
  readonly end: Buffer;
  /** All of it, put together when somebody asks: of ten thousand rosters alike, of a megabyte each, nobody does but once. */
  readonly body: () => Buffer;
}

/** The check sum and the length with which gzip ends. */
export const endBytes = 8;

interface Waiting {
  readonly resolve: (answer: Answered) => void;
  readonly reject: (error: Error) => void;
}

const headEnd = Buffer.from('\r\n\r\n');

/** The connection of one agent, opened when it is needed and again after the other end closed it. */
export class LightLink {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #parts: Buffer[] = [];
  #length = 0;
  /** Bytes of the answer under way in all, once its head is there. */
  #expected = Infinity;
  #head = '';
  #headBytes = 0;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /** One request, to its end. Rejects when the connection ends before. */
  async exchange(method: string, path: string, authorization: string | undefined, body: string): Promise<Answered> {
    const socket = this.#socket ?? this.#open();
    const proof = authorization === undefined ? '' : `authorization: ${authorization}\r\n`;
    const length = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    return await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}:${this.#port}\r\naccept-encoding: gzip\r\n${proof}${length}\r\n${body}`);
    });
  }

  #open(): Socket {
    const socket = connect(this.#port, this.#host);
    socket.setNoDelay(true);
    this.#socket = socket;
    socket.on('data', (part) => this.#take(part));
    socket.on('error', (error) => this.#lost(socket, error));
    socket.on('close', () => this.#lost(socket, new Error('the connection was closed before the answer')));
    return socket;
  }

  #lost(socket: Socket, error: Error): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#clear();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }

  #take(part: Buffer): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#expected === Infinity) this.#readHead();
    if (this.#length < this.#expected) return;
    const [parts, from, to] = [this.#parts, this.#headBytes, this.#expected];
    const answer = { status: Number(this.#head.slice(9, 12)), isCompressed: /content-encoding: gzip/i.test(this.#head), end: endOf(parts, Math.min(endBytes, to - from)), body: () => joined(parts).subarray(from, to) };
    if (/connection: close/i.test(this.#head)) this.#socket = undefined;
    this.#clear();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }

  #readHead(): void {
    const bytes = joined(this.#parts);
    this.#parts = [bytes];
    const end = bytes.indexOf(headEnd);
    if (end < 0) return;
    this.#head = bytes.toString('latin1', 0, end);
    this.#headBytes = end + headEnd.length;
    this.#expected = this.#headBytes + Number(/content-length: (\d+)/i.exec(this.#head)?.[1] ?? 0);
  }

  #clear(): void {
    this.#parts = [];
    this.#length = 0;
    this.#expected = Infinity;
    this.#head = '';
  }
}

function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

/** The last `length` bytes; of a last part that is shorter, more parts are looked at. */
function endOf(parts: readonly Buffer[], length: number): Buffer {
  const last = parts.at(-1);
  return last !== undefined && last.length >= length ? last.subarray(last.length - length) : joined(parts).subarray(-length);
}
