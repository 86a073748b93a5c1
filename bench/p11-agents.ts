// Ten thousand light agents in one process: each with a key, an enrolment and a long poll of its own, speaking to a real control plane as starlingd does, and doing at once
// what it is told; none has a disk, a swarm or an application. Its parent is p11-control.ts: it prints one JSON line for each stage and reads commands from standard input.
// They listen nowhere and say so, so that the roster rests once they have joined. Each takes the bytes of its roster, but what they say is looked at once for all of them:
// ten thousand machines have ten thousand processors for it. As with starlingd, each has a connection of its own, manifests come with orders, and what is reported between
// two polls rides with the next.

import { generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import type { Report, SyncReply } from '../proto/fleet.ts';
import { limits } from '../proto/limits.ts';
import type { Order } from '../proto/statement.ts';
import { enrolmentProof, parseJoinToken } from '../daemon/trust/identity/enrolment.ts';
import { keyIdOf, type Identity } from '../daemon/trust/identity/identity.ts';
import { createRequestSigner, type SignRequest } from '../daemon/trust/identity/member-request.ts';
import { LightLink, type Answered } from './light-link.ts';

const [url = '', tokenText = '', countText = '0'] = process.argv.slice(2);
const count = Number(countText);
/** Machines do not come all at once. */
const comeTogether = 64;
const phases = { prefetch: ['downloading', 'verified'], activate: ['activating', 'health-checking', 'committed'], rollback: ['rolled-back'], cancel: [] } as const;

/** Epochs of compressed rosters, by the check sum and length at their end. */
const compressed = new Map<string, string>();
function decompressed(answer: Answered): string {
  const end = answer.end.toString('hex');
  const known = compressed.get(end);
  if (known !== undefined) return known;
  const { roster, rosterChange, ...rest }: SyncReply = JSON.parse(gunzipSync(answer.body()).toString('latin1'));
  const epoch = roster === undefined ? rosterChange?.epoch : payload<{ epoch: number }>(roster).epoch;
  const text = JSON.stringify({ ...rest, rosterChange: { epoch } });
  compressed.set(end, text);
  return text;
}

function identity(): Identity {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const raw = Buffer.from(x, 'base64url');
  const publicKey = raw.toString('hex');
  return { member: peerIdFromPublicKey(publicKeyFromRaw(raw)).toString(), seed: Buffer.from(d, 'base64url'), publicKey, keyId: keyIdOf(publicKey), sign: (bytes) => sign(null, bytes, privateKey) };
}

/** What has happened in all agents, for the parent. */
const seen = { requests: 0, manifests: 0, reports: 0, committed: 0, errors: 0 };
const manifestAt: number[] = [];
let firstReportAt = 0;

class LightAgent {
  readonly #me: Identity;
  readonly #sign: SignRequest;
  readonly #name: string;
  readonly #metadata: Record<string, number> = {};
  readonly #seqSeen: Record<string, number> = {};
  readonly #reportNo = new Map<string, number>();
  readonly #link = new LightLink(url);
  readonly #held = new Set<string>();
  /** What the next sync brings along. */
  #reports: Report[] = [];
  #rosterEpoch = 0;

  constructor(index: number) {
    this.#me = identity();
    this.#name = `light-${index}`;
    this.#sign = createRequestSigner(this.#me, { now: Date.now, random: (length) => randomBytes(length) });
  }

  async enrol(): Promise<void> {
    const { nonce }: { nonce: string } = JSON.parse(await this.#exchange('POST', '/agent/v1/enrol/challenge', undefined, '{}'));
    const proof = enrolmentProof(this.#me, parseJoinToken(tokenText), nonce, { name: this.#name, roles: ['agent'], attributes: {} });
    await this.#exchange('POST', '/agent/v1/enrol', undefined, JSON.stringify(proof));
  }

  /** Takes metadata and roster, until nothing is new. */
  async settle(): Promise<void> {
    for (;;) {
      const reply = await this.#sync(0);
      this.#news(reply);
      if (Object.keys(reply.metadata).length === 0 && reply.roster === undefined && reply.rosterChange === undefined) return;
    }
  }

  async run(): Promise<void> {
    for (;;) {
      try {
        const reply = await this.#sync(limits.syncWaitMs);
        this.#took(reply.manifests ?? []);
        for (const order of this.#news(reply)) this.#obey(order);
        if (reply.pollAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, reply.pollAfterMs));
      } catch (error) {
        if (seen.errors === 0) process.stderr.write(`a light agent met: ${error instanceof Error ? error.message : String(error)}\n`);
        seen.errors += 1;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  }

  async #sync(waitMs: number): Promise<SyncReply> {
    const reports = this.#reports.splice(0, limits.syncReportsMax);
    const riding = reports.length === 0 ? {} : { reports };
    const body = { seqSeen: this.#seqSeen, metadata: this.#metadata, rosterEpoch: this.#rosterEpoch, addresses: [], running: [], progress: [], ...riding, manifests: true, waitMs, version: 'light' };
    if (reports.length > 0 && firstReportAt === 0) firstReportAt = Date.now();
    try {
      const reply: SyncReply = JSON.parse(await this.#call('POST', '/agent/v1/sync', JSON.stringify(body)));
      return reply;
    } catch (error) {
      this.#reports = [...reports, ...this.#reports];
      throw error;
    }
  }

  async #call(method: string, path: string, body: string): Promise<string> {
    const digest = hash('sha256', body);
    return await this.#exchange(method, path, await this.#sign({ method, path, body: digest }), body);
  }

  async #exchange(method: string, path: string, authorization: string | undefined, body: string): Promise<string> {
    seen.requests += 1;
    const answer = await this.#link.exchange(method, path, authorization, body);
    const text = answer.isCompressed ? decompressed(answer) : answer.body().toString('latin1');
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
    return text;
  }

  /** Notes which versions it now holds; the orders in it. */
  #news({ metadata, orders, roster, rosterChange }: SyncReply): readonly Order[] {
    for (const [file, text] of Object.entries(metadata)) if (file !== 'trust/keys.json') this.#metadata[file.replace(/^\d+\./, '').replace(/\.json$/, '')] = versionOf(text);
    if (roster !== undefined) this.#rosterEpoch = epochOf(roster);
    if (rosterChange !== undefined) this.#rosterEpoch = rosterChange.epoch;
    return orders.map(orderOf);
  }

  /** A manifest comes with its order; what is looked at is that it is the one that was named. */
  #took(manifests: readonly string[]): void {
    for (const text of manifests) this.#held.add(digestOf(text));
  }

  #obey({ environment, app, seq, deployment, action, revision }: Order): void {
    this.#seqSeen[environment] = Math.max(seq, this.#seqSeen[environment] ?? 0);
    if (action === 'prefetch' && !this.#held.has(revision)) throw new Error(`an order came without the manifest of ${revision}`);
    if (action === 'prefetch') {
      seen.manifests += 1;
      manifestAt.push(Date.now());
    }
    for (const phase of phases[action]) this.#reports.push({ deployment, environment, app, seq, reportNo: this.#next(deployment), phase, at: Date.now() });
    seen.reports += phases[action].length;
    if (action === 'activate') seen.committed += 1;
  }

  #next(deployment: string): number {
    const number = (this.#reportNo.get(deployment) ?? 0) + 1;
    this.#reportNo.set(deployment, number);
    return number;
  }
}

function payload<Value>(compact: string): Value {
  const value: Value = JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return value;
}

/** What hundreds are sent alike is looked at once, as with rosters. */
function once<Value>(look: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const key = text.slice(-64);
    const value = known.get(key) ?? look(text);
    known.set(key, value);
    return value;
  };
}
const orderOf = once((compact) => payload<Order>(compact));
const digestOf = once((text) => hash('sha256', Buffer.from(text, 'base64')));

/** Everybody gets the same files: what is in them is read once. */
const versions = new Map<string, number>();
function versionOf(text: string): number {
  const key = hash('sha1', text);
  const known = versions.get(key);
  if (known !== undefined) return known;
  const file: { signed: { version: number } } = JSON.parse(text);
  versions.set(key, file.signed.version);
  return file.signed.version;
}

const epochs = new Map<string, number>();
function epochOf(compact: string): number {
  const signature = compact.slice(compact.lastIndexOf('.'));
  const epoch = epochs.get(signature) ?? payload<{ epoch: number }>(compact).epoch;
  epochs.set(signature, epoch);
  return epoch;
}

const agents = Array.from({ length: count }, (_, index) => new LightAgent(index));
const say = (stage: string, more: object = {}): void => void process.stdout.write(`${JSON.stringify({ stage, at: Date.now(), ...more })}\n`);
/** Does it with everybody, so many at a time. */
async function eachOf(step: (agent: LightAgent) => Promise<void>): Promise<void> {
  const waiting = [...agents];
  await Promise.all(
    Array.from({ length: comeTogether }, async () => {
      for (let agent = waiting.pop(); agent !== undefined; agent = waiting.pop()) await step(agent);
    }),
  );
}
await eachOf(async (agent) => await agent.enrol());
await eachOf(async (agent) => await agent.settle());
say('enrolled');
for (const agent of agents) void agent.run();
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stop') break;
  say('seen', { ...seen, manifestAt: manifestAt.toSorted((a, b) => a - b)[Math.ceil(count * 0.99) - 1] ?? 0, firstReportAt });
}
process.exit(0);
