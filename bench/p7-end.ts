// One end of a transfer that P7 measures, as a process of its own: the real swarm with a release on disk at both ends, a bare node:tls socket, or a
// bare libp2p stream. `p7-neighbour.ts` starts two and reads what they say: a JSON line when ready, another when done.
//
//   p7-end.ts <way> serve <source directory> <bytes>           prints {"address": …}; ends when its input does, printing {"cpuSeconds": …}
//   p7-end.ts <way> fetch <target directory> <bytes> <address> prints {"seconds": …, "cpuSeconds": …} and more

import { createHash, randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, createSecureContext } from 'node:tls';
import { once } from 'node:events';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createBitmap, fullBitmap } from '../proto/bitmap.ts';
import type { Certificate, Roster } from '../proto/statement.ts';
import { decodeTree } from '../proto/tree-index.ts';
import type { Tree } from '../proto/tree.ts';
import { systemClock } from '../daemon/clock.ts';
import { ingest } from '../daemon/content/ingest/ingest.ts';
import { createInstalledTrees } from '../daemon/content/installed/installed.ts';
import { createMemoryStore } from '../daemon/content/memory.ts';
import { materialize } from '../daemon/content/release/materialize.ts';
import type { Logger } from '../daemon/log.ts';
import { makeBulkCertificate } from '../daemon/swarm/bulk/certificate.ts';
import { createSwarm } from '../daemon/swarm/exchange/exchange.ts';
import { openLibp2pNetwork } from '../daemon/swarm/libp2p/libp2p.ts';
import { libp2pOptions } from '../daemon/swarm/libp2p/options.ts';
import type { Swarm, SwarmMetrics, Topic } from '../daemon/swarm/swarm.ts';

type Json = Readonly<Record<string, unknown>>;

const signal = new AbortController().signal;
const loopback = '/ip4/127.0.0.1/tcp/0';
const blockBytes = 256 * 1024;
const seeds = { serve: createHash('sha256').update('serve').digest(), fetch: createHash('sha256').update('fetch').digest() };
const say = (line: Json): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Seconds of processor time since `before`. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function memberOf(seed: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString();
}

function certificateOf(member: string): Certificate {
  const now = Math.floor(Date.now() / 1000);
  return { org: 'bench', member, name: member.slice(-8).toLowerCase(), roles: ['agent'], environments: ['bench'], labels: {}, serial: 1, notBefore: now - 60, notAfter: now + 3600 };
}

interface Opened {
  readonly swarm: Swarm;
  readonly carried: Map<string, number>;
  readonly channels: () => number;
}

/** Admission is plain: certificates are what they say. Everything else is as in a daemon. */
async function openMember(seed: Uint8Array, bulk: boolean): Promise<Opened> {
  const member = await memberOf(seed);
  const carried = new Map<string, number>();
  let channels = 0;
  const metrics: SwarmMetrics = {
    receivedBytes: () => undefined,
    sentBytes: () => undefined,
    packedBytes: () => undefined,
    carried: (path, direction, bytes) => void carried.set(`${path} ${direction}`, (carried.get(`${path} ${direction}`) ?? 0) + bytes),
    bulkChannels: (change) => void (channels += change),
    wastedBytes: (reason, bytes) => void carried.set(`wasted ${reason}`, (carried.get(`wasted ${reason}`) ?? 0) + bytes),
    chunkVerifyFailed: () => undefined,
    strike: (reason) => void process.stderr.write(`strike: ${reason}\n`),
    ban: () => undefined,
    peers: () => undefined,
    dial: () => undefined,
    requestsInFlight: () => undefined,
  };
  const silent = (): void => undefined;
  const log: Logger = { debug: silent, info: silent, warn: (fields, message) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`), error: silent, child: () => log };
  const network = await openLibp2pNetwork({
    seed, listen: [loopback], origin: false, clock: systemClock, metrics, log,
    certificate: () => JSON.stringify(certificateOf(member)),
    verifyCertificate: async (compact) => await Promise.resolve(JSON.parse(compact) as Certificate),
    ...(bulk ? { bulk: { port: 0, randomBytes } } : {}),
  });
  const swarm = createSwarm({ network, roles: ['agent'], manifests: async () => await Promise.resolve(undefined), metrics, soon: (look) => void setImmediate(look), clock: systemClock, random: Math.random, log });
  return { swarm, carried, channels: () => channels };
}

function rosterOf(members: Readonly<Record<string, readonly string[]>>): Roster {
  return {
    epoch: 1,
    members: Object.entries(members).map(([member, addresses]) => ({ member, addresses: [...addresses], roles: ['agent' as const], environments: ['bench'], zone: 'one' })).toSorted((a, b) => (a.member < b.member ? -1 : 1)),
    revoked: [],
  };
}

const topicOf = (tree: Tree): Topic => ({ revision: 'ab'.repeat(32), blob: 'tree', chunkCount: tree.chunkCount, chunk: (ordinal) => tree.chunk(ordinal), environments: ['bench'] });

async function serveSwarm(source: string, bulk: boolean): Promise<void> {
  const published = await ingest(source, { signal });
  await writeFile(`${source}.index`, published.index);
  // A neighbour that has built the release itself, as every agent has that was there when it was deployed.
  const release = await materialize({ tree: published.tree, directory: `${source}.built`, local: createMemoryStore(), links: 'auto', signal });
  for (let ordinal = 0; ordinal < published.tree.chunkCount; ordinal += 1) await release.write(ordinal, await published.readChunk(ordinal));
  await release.finish({ signal });
  await release[Symbol.asyncDispose]();
  const installed = createInstalledTrees(() => undefined);
  await installed.add(published.tree, `${source}.built`, { seals: release.seals });
  const { swarm, carried } = await openMember(seeds.serve, bulk);
  swarm.share(topicOf(published.tree), { held: fullBitmap(published.tree.chunkCount), read: async (ordinal, options) => await installed.get(published.tree.chunk(ordinal).id, options), readRun: async (ordinals, places, options) => await installed.getRun(ordinals.map((ordinal) => published.tree.chunk(ordinal).id), places, options) });
  swarm.setRoster(rosterOf({ [swarm.self]: swarm.addresses(), [await memberOf(seeds.fetch)]: [] }));
  await serving({ address: `${source}.index ${swarm.self} ${swarm.addresses()[0]}` }, () => Object.fromEntries(carried));
  await swarm.close();
  await rm(`${source}.built`, { recursive: true });
}

async function fetchSwarm(target: string, address: string, bulk: boolean): Promise<void> {
  const [index = '', other = '', where = ''] = address.split(' ');
  const tree = decodeTree(await readFile(index));
  const { swarm, carried, channels } = await openMember(seeds.fetch, bulk);
  swarm.setRoster(rosterOf({ [swarm.self]: [], [other]: [where] }));
  while (swarm.neighbours().length === 0 || (bulk && channels() === 0)) await systemClock.wait(5, { signal });
  await using release = await materialize({ tree, directory: `${target}/release.tmp`, local: createMemoryStore(), links: 'auto', signal });
  const sharing = swarm.share(topicOf(tree), { held: createBitmap(tree.chunkCount), read: async (ordinal, options) => await release.read(ordinal, options) });
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await sharing.fetch({ wanted: fullBitmap(tree.chunkCount), write: async (ordinal, bytes) => await release.write(ordinal, bytes), borrows: true, signal });
  const fetchSeconds = (performance.now() - startedAt) / 1000;
  await release.finish({ signal });
  say({ seconds: (performance.now() - startedAt) / 1000, fetchSeconds, cpuSeconds: cpuSince(before), ...Object.fromEntries(carried) });
  await swarm.close();
}

async function tlsContext() {
  const { key, cert } = await makeBulkCertificate(await generateKeyPairFromSeed('Ed25519', seeds.serve), Date.now());
  return createSecureContext({ key, cert, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' });
}

/** As fast as the socket takes it, out of memory. */
async function serveTls(bytes: number): Promise<void> {
  const block = randomBytes(blockBytes);
  const server = createServer({ secureContext: await tlsContext() } as object, (socket) => {
    let left = bytes;
    const more = (): void => {
      while (left > 0) {
        left -= blockBytes;
        if (!socket.write(block)) return void socket.once('drain', more);
      }
    };
    socket.on('error', () => undefined);
    more();
  }).listen(0, '127.0.0.1');
  const { key, cert } = await makeBulkCertificate(await generateKeyPairFromSeed('Ed25519', seeds.serve), Date.now());
  server.setSecureContext({ key, cert, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' });
  await once(server, 'listening');
  const at = server.address();
  await serving({ address: String(typeof at === 'object' ? at?.port : at) }, () => ({}));
  server.close();
}

/** Nothing is kept. */
async function fetchTls(bytes: number, address: string): Promise<void> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const socket = connect({ host: '127.0.0.1', port: Number(address), rejectUnauthorized: false });
  let left = bytes;
  const done = Promise.withResolvers<void>();
  socket.on('data', (part: Buffer) => {
    left -= part.length;
    if (left <= 0) done.resolve();
  });
  await done.promise;
  say({ seconds: (performance.now() - startedAt) / 1000, cpuSeconds: cpuSince(before) });
  socket.destroy();
}

async function libp2pNode(seed: Uint8Array, listen: readonly string[]) {
  return await createLibp2p({ ...libp2pOptions({ listen, origin: false }), privateKey: await generateKeyPairFromSeed('Ed25519', seed) });
}

/** One long-lived stream, a window at a time: a sender that does not wait would buffer all of it. */
async function serveStream(bytes: number): Promise<void> {
  const block = randomBytes(blockBytes);
  const node = await libp2pNode(seeds.serve, [loopback]);
  await node.handle('/bench/1', (stream) => {
    let left = bytes;
    const more = (): void => {
      while (left > 0 && stream.writeBufferLength < 4 * blockBytes) {
        left -= blockBytes;
        stream.send(block);
      }
    };
    stream.addEventListener('drain', () => queueMicrotask(more));
    stream.addEventListener('idle', () => queueMicrotask(more));
    more();
  });
  await serving({ address: node.getMultiaddrs()[0]?.toString() }, () => ({}));
  await node.stop();
}

async function fetchStream(bytes: number, address: string): Promise<void> {
  const node = await libp2pNode(seeds.fetch, []);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const stream = await node.dialProtocol(multiaddr(address), '/bench/1');
  let left = bytes;
  const done = Promise.withResolvers<void>();
  stream.addEventListener('message', ({ data }) => {
    left -= data.byteLength;
    if (left <= 0) done.resolve();
  });
  await done.promise;
  say({ seconds: (performance.now() - startedAt) / 1000, cpuSeconds: cpuSince(before) });
  await node.stop();
}

/** Says where it is, and serves until nobody holds its input open any more. Processor time of preparations is not counted. */
async function serving(ready: Json, more: () => Json): Promise<void> {
  const before = process.cpuUsage();
  say(ready);
  for await (const _line of createInterface({ input: process.stdin })) continue;
  say({ cpuSeconds: cpuSince(before), ...more() });
}

const [way = '', role = '', directory = '', bytesText = '0', ...address] = process.argv.slice(2);
const bytes = Number(bytesText);
const serve = role === 'serve';
switch (way) {
  case 'bulk':
  case 'noise':
    await (serve ? serveSwarm(directory, way === 'bulk') : fetchSwarm(directory, address.join(' '), way === 'bulk'));
    break;
  case 'tls':
    await (serve ? serveTls(bytes) : fetchTls(bytes, address.join(' ')));
    break;
  case 'stream':
    await (serve ? serveStream(bytes) : fetchStream(bytes, address.join(' ')));
    break;
  default:
    throw new Error(`there is no way '${way}'`);
}
process.exit(0);
