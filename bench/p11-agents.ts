// Ten thousand light agents in one process: each with a key, an enrolment and a long poll of its own, speaking to a real control plane as starlingd does, and doing at once
// what it is told; none has a disk, a swarm or an application. Its parent is p11-control.ts: it prints one JSON line for each stage and reads commands from standard input.
// They listen nowhere and say so, so that the roster rests once they have joined. Each takes the bytes of its roster, but what they say is looked at once for all of them:
// ten thousand machines have ten thousand processors for it.

import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Agent as Connections, request as send } from 'node:http';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { cidOf } from '../proto/cid.ts';
import type { Report, SyncReply } from '../proto/fleet.ts';
import { limits } from '../proto/limits.ts';
import type { Order } from '../proto/statement.ts';
import { enrolmentProof, parseJoinToken } from '../daemon/trust/enrolment.ts';
import { keyIdOf, type Identity } from '../daemon/trust/identity.ts';
import { createRequestSigner, type SignRequest } from '../daemon/trust/member-request.ts';

const [url = '', tokenText = '', countText = '0'] = process.argv.slice(2);
const count = Number(countText);
/** Machines do not come all at once. */
const comeTogether = 64;
const phases = { prefetch: ['downloading', 'verified'], activate: ['activating', 'health-checking', 'committed'], rollback: ['rolled-back'], cancel: [] } as const;

const connections = new Connections({ keepAlive: true, maxSockets: count + 1 });

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Epochs of compressed rosters, by the check sum and length at their end. */
const compressed = new Map<string, string>();
function decompressed(bytes: Buffer): string {
  const end = bytes.subarray(-8).toString('hex');
  const known = compressed.get(end);
  if (known !== undefined) return known;
  const { roster, rosterChange, ...rest }: SyncReply = JSON.parse(gunzipSync(bytes).toString('latin1'));
  const epoch = roster === undefined ? rosterChange?.epoch : payload<{ epoch: number }>(roster).epoch;
  const text = JSON.stringify({ ...rest, rosterChange: { epoch } });
  compressed.set(end, text);
  return text;
}

/** One request, to its end. */
async function exchange(method: string, path: string, authorization: string | undefined, body: string): Promise<Answered> {
  return await new Promise((resolve, reject) => {
    const request = send(new URL(path, url), { method, agent: connections, headers: { 'accept-encoding': 'gzip', ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }), ...(authorization === undefined ? {} : { authorization }) } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const bytes = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
        resolve({ status: response.statusCode ?? 0, text: response.headers['content-encoding'] === 'gzip' ? decompressed(bytes) : bytes.toString('latin1') });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function identity(): Identity {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const raw = Buffer.from(x, 'base64url');
  const publicKey = raw.toString('hex');
  const key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return { member: peerIdFromPublicKey(publicKeyFromRaw(raw)).toString(), seed: Buffer.from(d, 'base64url'), publicKey, keyId: keyIdOf(publicKey), sign: (bytes) => sign(null, bytes, key) };
}

/** What has happened in all agents, for the parent. */
const seen = { polling: 0, manifests: 0, reports: 0, committed: 0, errors: 0 };
const manifestAt: number[] = [];
let firstReportAt = 0;
let lastReportAt = 0;

class LightAgent {
  readonly #me: Identity;
  readonly #sign: SignRequest;
  readonly #name: string;
  readonly #metadata: Record<string, number> = {};
  readonly #seqSeen: Record<string, number> = {};
  readonly #reportNo = new Map<string, number>();
  #rosterEpoch = 0;

  constructor(index: number) {
    this.#me = identity();
    this.#name = `light-${index}`;
    this.#sign = createRequestSigner(this.#me, { now: Date.now, random: (length) => randomBytes(length) });
  }

  async enrol(): Promise<void> {
    const challenge = await exchange('POST', '/agent/v1/enrol/challenge', undefined, '{}');
    const { nonce }: { nonce: string } = JSON.parse(challenge.text);
    const proof = enrolmentProof(this.#me, parseJoinToken(tokenText), nonce, { name: this.#name, roles: ['agent'], attributes: {} });
    const { status, text } = await exchange('POST', '/agent/v1/enrol', undefined, JSON.stringify(proof));
    if (status !== 200) throw new Error(`enrolment: ${status} ${text}`);
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
        for (const order of this.#news(reply)) await this.#obey(order);
        if (reply.pollAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, reply.pollAfterMs));
      } catch (error) {
        if (seen.errors === 0) process.stderr.write(`a light agent met: ${error instanceof Error ? error.message : String(error)}\n`);
        seen.errors += 1;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  }

  async #sync(waitMs: number): Promise<SyncReply> {
    const body = { seqSeen: this.#seqSeen, metadata: this.#metadata, rosterEpoch: this.#rosterEpoch, addresses: [], running: [], progress: [], waitMs, version: 'light' };
    const reply: SyncReply = JSON.parse(await this.#call('POST', '/agent/v1/sync', JSON.stringify(body)));
    return reply;
  }

  async #call(method: string, path: string, body: string): Promise<string> {
    const digest = createHash('sha256').update(body).digest('hex');
    const { status, text } = await exchange(method, path, await this.#sign({ method, path, body: digest }), body);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return text;
  }

  /** Notes which versions it now holds; the orders in it. */
  #news({ metadata, orders, roster, rosterChange }: SyncReply): readonly Order[] {
    for (const [file, text] of Object.entries(metadata)) if (file !== 'trust/keys.json') this.#metadata[file.replace(/^\d+\./, '').replace(/\.json$/, '')] = versionOf(text);
    if (roster !== undefined) this.#rosterEpoch = epochOf(roster);
    if (rosterChange !== undefined) this.#rosterEpoch = rosterChange.epoch;
    return orders.map(payload<Order>);
  }

  async #obey({ environment, app, seq, deployment, action, revision }: Order): Promise<void> {
    this.#seqSeen[environment] = Math.max(seq, this.#seqSeen[environment] ?? 0);
    if (action === 'prefetch') {
      await this.#call('GET', `/agent/v1/revisions/${cidOf(revision, 'dag-cbor')}`, '');
      seen.manifests += 1;
      manifestAt.push(Date.now());
    }
    const reports = phases[action].map((phase): Report => ({ deployment, environment, app, seq, reportNo: this.#next(deployment), phase, at: Date.now() }));
    if (reports.length === 0) return;
    if (firstReportAt === 0) firstReportAt = Date.now();
    await this.#call('POST', '/agent/v1/reports', JSON.stringify({ reports }));
    lastReportAt = Date.now();
    seen.reports += reports.length;
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

/** Everybody gets the same files: what is in them is read once. */
const versions = new Map<string, number>();
function versionOf(text: string): number {
  const key = createHash('sha1').update(text).digest('base64');
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
  say('seen', { ...seen, manifestAt: manifestAt.toSorted((a, b) => a - b)[Math.ceil(count * 0.99) - 1] ?? 0, firstReportAt, lastReportAt });
}
process.exit(0);
