// A whole control plane on loopback with a data directory of its own, and clients that speak to it over real sockets.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventSourceMessage } from 'eventsource-parser';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Clock } from '../../../control/clock.ts';
import { systemClock } from '../../../control/clock.ts';
import { readConfig } from '../../../control/config.ts';
import { createLog, startControl, type Control, type ControlDependencies } from '../../../control/control.ts';
import { enrolmentProof, parseJoinToken } from '../../../daemon/trust/identity/enrolment.ts';
import { createIdentity, type Identity } from '../../../daemon/trust/identity/identity.ts';
import { createRequestSigner } from '../../../daemon/trust/identity/member-request.ts';
import { compactOf } from '../../../daemon/trust/statements/roster-statement.ts';
import type { Problem } from '../../../proto/api/schema.ts';
import type { Report, SyncReply, SyncRequest } from '../../../proto/fleet.ts';
import type { Order, Role, Roster } from '../../../proto/statement.ts';

/** What JSON says is looked at, not declared: a test that is wrong about it fails. */
type Json = ReturnType<typeof JSON.parse>;

export interface Answer<Body = Json> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

export interface Ask {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A control plane under test. Stops and cleans up when it is disposed of. */
export class TestControl implements AsyncDisposable {
  readonly logs: string[] = [];
  readonly dataDir: string;
  admin = '';
  #control: Control | undefined;
  #dependencies: Partial<ControlDependencies>;
  #flags: Readonly<Record<string, string>>;

  constructor(dataDir: string, dependencies: Partial<ControlDependencies>, flags: Readonly<Record<string, string>>) {
    this.dataDir = dataDir;
    this.#dependencies = dependencies;
    this.#flags = flags;
  }

  static async start(dependencies: Partial<ControlDependencies> = {}, flags: Readonly<Record<string, string>> = {}): Promise<TestControl> {
    const test = new TestControl(await mkdtemp(join(tmpdir(), 'control-')), dependencies, flags);
    await test.start();
    return test;
  }

  get control(): Control {
    if (this.#control === undefined) throw new Error('the control plane is not running');
    return this.#control;
  }

  get url(): string {
    return this.control.url;
  }

  /** By the control plane's clock. */
  now(): number {
    return (this.#dependencies.clock ?? systemClock).now();
  }

  async start(dependencies: Partial<ControlDependencies> = {}): Promise<void> {
    const config = readConfig({ environment: {}, flags: { listen: '127.0.0.1:0', dataDir: this.dataDir, ...this.#flags } });
    const log = createLog('debug', (line) => this.logs.push(line));
    this.#control = await startControl(config, { log, ...this.#dependencies, ...dependencies });
    this.admin = this.#control.firstToken ?? this.admin;
  }

  async stop(): Promise<void> {
    await this.#control?.close();
    this.#control = undefined;
  }

  async restart(dependencies: Partial<ControlDependencies> = {}): Promise<void> {
    await this.stop();
    await this.start(dependencies);
  }

  async call(method: string, path: string, { body, token = this.admin, headers = {} }: Ask = {}): Promise<Answer> {
    return await ask(this.url, method, path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    });
  }

  async get(path: string, options: Ask = {}): Promise<Answer> {
    return await this.call('GET', path, options);
  }

  /** Follows /v1/events. */
  async follow(query = '?since=0', options: Ask = {}): Promise<EventReader> {
    const ended = new AbortController();
    const response = await fetch(`${this.url}/v1/events${query}`, { signal: ended.signal, headers: { authorization: `Bearer ${options.token ?? this.admin}`, ...options.headers } });
    if (response.status !== 200 || response.body === null) throw new Error(`GET /v1/events: ${response.status} ${await response.text()}`);
    return new EventReader(response.body, ended);
  }

  /** Everything on record, as outsiders see it. */
  async events(): Promise<readonly EventSourceMessage[]> {
    const reader = await this.follow();
    const found = [];
    for (let message = await reader.next(); message.event !== 'snapshot-end'; message = await reader.next()) found.push(message);
    reader.close();
    return found;
  }

  /** POSTs, and expects success. */
  async post(path: string, body: unknown = {}, options: Ask = {}): Promise<Answer> {
    const answer = await this.call('POST', path, { body, ...options });
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** Enrols a member with a new token of its own. */
  async join(name: string, roles: readonly Role[], options: { readonly environments?: readonly string[]; readonly labels?: Readonly<Record<string, string>> } = {}): Promise<TestMember> {
    const { body } = await this.post('/v1/tokens', { use: 'join', name: `join-${name}`, roles, ...options });
    return await TestMember.join(this, name, roles, body.text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Reads server-sent events one by one. */
export class EventReader {
  readonly #ended: AbortController;
  readonly #messages: ReadableStreamDefaultReader<EventSourceMessage>;

  constructor(body: ReadableStream<Uint8Array>, ended: AbortController) {
    this.#ended = ended;
    this.#messages = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).pipeThrough(new EventSourceParserStream()).getReader();
  }

  async next(): Promise<EventSourceMessage> {
    const { value, done } = await this.#messages.read();
    if (done) throw new Error('the stream has ended');
    return value;
  }

  close(): void {
    this.#messages.cancel().catch(() => undefined);
    this.#ended.abort();
  }
}

/** A member that speaks /agent/v1 with its own key. */
export class TestMember {
  readonly identity: Identity;
  readonly name: string;
  readonly #test: TestControl;
  readonly #sign: ReturnType<typeof createRequestSigner>;
  readonly #known: { seqSeen: Record<string, number>; metadata: Record<string, number>; rosterEpoch: number } = { seqSeen: {}, metadata: {}, rosterEpoch: 0 };
  readonly #reportNo = new Map<string, number>();
  /** The statement of the roster that it holds. */
  roster = '';
  addresses: string[];
  uploadUrl: string | undefined;

  constructor(test: TestControl, name: string, identity: Identity) {
    this.#test = test;
    this.name = name;
    this.identity = identity;
    this.addresses = [`/dns4/${name}/tcp/7401`];
    this.#sign = createRequestSigner(identity, { now: () => test.now(), random: (length) => randomBytes(length) });
  }

  get id(): string {
    return this.identity.member;
  }

  static async join(test: TestControl, name: string, roles: readonly Role[], token: string): Promise<TestMember> {
    const identity = await createIdentity(await mkdtemp(join(test.dataDir, 'member-')));
    const answer = await enrol(test, identity, name, roles, token);
    if (answer.status !== 200) throw new Error(`enrolment of ${name}: ${answer.status} ${answer.text}`);
    return new TestMember(test, name, identity);
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const authorization = await this.#sign({ method, path, body: createHash('sha256').update(text).digest('hex') });
    return await ask(this.#test.url, method, path, {
      ...(body === undefined ? {} : { body: text }),
      ...(signal === undefined ? {} : { signal }),
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    });
  }

  /** What it would say of itself now. */
  saying(more: Partial<SyncRequest> = {}): SyncRequest {
    return {
      ...structuredClone(this.#known),
      addresses: this.addresses,
      ...(this.uploadUrl === undefined ? {} : { uploadUrl: this.uploadUrl }),
      running: [],
      progress: [],
      waitMs: 0,
      version: '0.1.0',
      ...more,
    };
  }

  /** One round: takes what it is sent, as a daemon would, and says it the next time. */
  async sync(more: Partial<SyncRequest> = {}, signal?: AbortSignal): Promise<SyncReply & { readonly read: readonly Order[] }> {
    const answer: Answer<SyncReply> = await this.request('POST', '/agent/v1/sync', this.saying(more), signal);
    if (answer.status !== 200) throw new Error(`sync of ${this.name}: ${answer.status} ${answer.text}`);
    const read = answer.body.orders.map((compact) => payloadOf<Order>(compact));
    for (const { environment, seq } of read) this.#known.seqSeen[environment] = Math.max(seq, this.#known.seqSeen[environment] ?? 0);
    for (const [file, text] of Object.entries(answer.body.metadata)) {
      const [, rootVersion] = /^([0-9]+)\.root\.json$/.exec(file) ?? [];
      if (rootVersion !== undefined) this.#known.metadata['root'] = Number(rootVersion);
      else if (file !== 'trust/keys.json') this.#known.metadata[file.replace(/\.json$/, '')] = JSON.parse(text).signed.version;
    }
    const { roster, rosterChange } = answer.body;
    if (roster !== undefined) this.roster = roster;
    // Two polls that were open at once may bring the same change.
    if (rosterChange !== undefined && rosterChange.from === payloadOf<Roster>(this.roster).epoch) this.roster = compactOf(payloadOf<Roster>(this.roster), rosterChange);
    if (roster !== undefined || rosterChange !== undefined) this.#known.rosterEpoch = payloadOf<Roster>(this.roster).epoch;
    return { ...answer.body, read };
  }

  /** Reports phases in answer to an order. */
  async report(order: Order, phases: readonly Report['phase'][], more: Partial<Report> = {}): Promise<Answer> {
    const reports = phases.map((phase) => {
      const reportNo = (this.#reportNo.get(order.deployment) ?? 0) + 1;
      this.#reportNo.set(order.deployment, reportNo);
      const { deployment, environment, app, seq } = order;
      return { deployment, environment, app, seq, reportNo, phase, at: Date.now(), ...more };
    });
    return await this.request('POST', '/agent/v1/reports', { reports });
  }

  /** Syncs and carries orders out, as long as there are any. */
  async work(outcome: (order: Order) => readonly Report['phase'][] = healthy): Promise<readonly Order[]> {
    const { read } = await this.sync();
    for (const order of read) await this.report(order, outcome(order));
    return read;
  }
}

export function healthy({ action }: Order): readonly Report['phase'][] {
  if (action === 'prefetch') return ['downloading', 'verified'];
  if (action === 'activate') return ['activating', 'health-checking', 'committed'];
  return action === 'rollback' ? ['rolling-back', 'rolled-back'] : ['cancelled'];
}

/** One enrolment, whatever comes of it. */
export async function enrol(test: TestControl, identity: Identity, name: string, roles: readonly Role[], token: string, nonce?: string): Promise<Answer> {
  const challenge = nonce ?? (await ask(test.url, 'POST', '/agent/v1/enrol/challenge', { body: '{}', headers: { 'content-type': 'application/json' } })).body.nonce;
  const request = enrolmentProof(identity, parseJoinToken(token), challenge, { name, roles: [...roles], attributes: { zone: 'a' } });
  return await ask(test.url, 'POST', '/agent/v1/enrol', { body: JSON.stringify(request), headers: { 'content-type': 'application/json' } });
}

export async function ask(url: string, method: string, path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url + path, { method, ...init });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true && text !== '';
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
}

/** What a statement says, unverified. */
export function payloadOf<Payload>(compact: string): Payload {
  return JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString());
}

export function problemOf(answer: Answer): Problem {
  return answer.body;
}

/** A clock whose waits end when the test says so, or when they are aborted. Time passes only by `pass`. */
export class ManualClock implements Clock {
  #offset = 0;
  readonly #waits = new Set<{ readonly until: number; readonly resolve: () => void }>();

  now(): number {
    return Date.now() + this.#offset;
  }

  monotonic(): number {
    return performance.now() + this.#offset;
  }

  async wait(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    // Short waits are pauses between rounds; the long ones are what tests are about.
    if (ms <= 1000) return await systemClock.wait(ms, { signal });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wait = { until: this.#offset + ms, resolve };
    this.#waits.add(wait);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      this.#waits.delete(wait);
      signal.removeEventListener('abort', abort);
    }
  }

  pass(ms: number): void {
    this.#offset += ms;
    for (const wait of this.#waits) if (wait.until <= this.#offset) wait.resolve();
  }
}

/** Looks again and again, after each look doing `step`, until `check` says something. Bounded by time only to end a test that has failed, before its own bound does. */
export async function until<Result>(check: () => Promise<Result | undefined>, step: () => Promise<unknown> = async () => undefined): Promise<Result> {
  const giveUpAt = performance.now() + 25_000;
  while (performance.now() < giveUpAt) {
    const result = await check();
    if (result !== undefined) return result;
    await step();
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not come to that');
}
