// The client of a proxy (proto/upload.ts): one revision from a directory to the proxy that takes it, a few frames in flight, and
// again from where it stopped when the connection broke: what was acknowledged is kept there, so opening anew asks only for the rest.

import type { UploadProxy } from '../../../proto/api/apps.ts';
import { decodeBitmap, fullBitmap } from '../../../proto/bitmap.ts';
import { limits } from '../../../proto/limits.ts';
import { encodeUploadFrame, uploadPartHeaderBytes, type UploadPart } from '../../../proto/upload-frame.ts';
import type { CompleteReply, SessionReply } from '../../../proto/upload.ts';
import type { Ingested } from '../../../daemon/content/ingest/ingest.ts';
import { ControlError } from '../../errors.ts';
import { compress, createProxyClient, isPassing, type ProxyClient } from './proxy-client.ts';
import type { World } from '../world.ts';

/** Frames under way at once: enough to hide the round trip and the proxy's sync; each holds about 2 MiB. */
const framesInFlight = 4;
/** Chunk bytes and their headers in one frame. */
const frameBytes = 1024 * 1024;
/** Attempts in a row that moved nothing, before the push is given up. */
const fruitlessAttemptsMax = 6;
const backoffMs = 400;
const backoffMsMax = 8_000;

/** What is to be uploaded. */
export interface UploadPlan {
  readonly grant: string;
  /** Those that answer come first. */
  readonly proxies: readonly UploadProxy[];
  /** The encoded revision. */
  readonly manifest: Uint8Array;
  readonly alias?: string;
  readonly ingested: Pick<Ingested, 'tree' | 'index' | 'readChunk'>;
}

export interface UploadOptions extends Pick<World, 'clock' | 'signal'> {
  /** Chunk bytes acknowledged of those that the proxy lacked at first. */
  readonly onProgress: (sent: number, missing: number) => void;
  /** A connection broke and is tried again. */
  readonly onRetry: (reason: string) => void;
  /** Ask what is missing, and send none of it. */
  readonly dryRun?: boolean;
}

export interface Uploaded {
  /** Absent after a dry run. */
  readonly reply: CompleteReply | undefined;
  /** Bytes of request bodies that were sent, with what had to be sent twice. */
  readonly sentBytes: number;
  /** Chunk bytes that the proxy lacked at first. */
  readonly missingBytes: number;
  readonly missingChunks: number;
}

interface Tally {
  sentBytes: number;
  acknowledgedBytes: number;
  first: { readonly missingBytes: number; readonly missingChunks: number } | undefined;
}

/** @throws {ControlError} UNREACHABLE when it was tried often enough; by what a proxy answered; {DaemonError} FILE_CHANGED. */
export async function upload(plan: UploadPlan, options: UploadOptions): Promise<Uploaded> {
  if (plan.proxies.length === 0) {
    throw new ControlError('UNREACHABLE', 'no proxy takes uploads: start a `starlingd` with the role proxy and join it (`starling token create --join --roles seed,proxy`)');
  }
  const tally: Tally = { sentBytes: 0, acknowledgedBytes: 0, first: undefined };
  for (let fruitless = 0, attempt = 0; ; attempt += 1) {
    const before = tally.acknowledgedBytes;
    try {
      const reply = await attemptUpload(plan, options, tally, attempt);
      return { reply, sentBytes: tally.sentBytes, missingBytes: tally.first?.missingBytes ?? 0, missingChunks: tally.first?.missingChunks ?? 0 };
    } catch (error) {
      if (!isPassing(error)) throw error;
      fruitless = tally.acknowledgedBytes > before ? 1 : fruitless + 1;
      if (fruitless >= fruitlessAttemptsMax) {
        throw new ControlError('UNREACHABLE', `${error.message} (given up after ${fruitless} attempts; what was acknowledged is kept: push again to go on)`, { cause: error });
      }
      options.onRetry(error.message);
      await options.clock.wait(Math.min(backoffMsMax, backoffMs * 2 ** (fruitless - 1)), { signal: options.signal });
    }
  }
}

async function attemptUpload(plan: UploadPlan, options: UploadOptions, tally: Tally, attempt: number): Promise<CompleteReply | undefined> {
  const proxy = plan.proxies[attempt % plan.proxies.length];
  if (proxy === undefined) throw new ControlError('FAILED', 'no proxy to upload to');
  // Ends the other frames of this attempt when one fails.
  const ending = new AbortController();
  const client = createProxyClient(proxy, plan.grant, AbortSignal.any([options.signal, ending.signal]), (bytes) => {
    tally.sentBytes += bytes;
  });
  try {
    let session = await client.open({ manifest: Buffer.from(plan.manifest).toString('base64'), ...(plan.alias === undefined ? {} : { alias: plan.alias }) });
    if (session.needs === 'index') session = await client.index(session.session, await compress(plan.ingested.index));
    const missing = missingOf(session, plan.ingested.tree.chunkCount);
    tally.first ??= { missingBytes: session.missingBytes, missingChunks: missing.count };
    if (options.dryRun === true) return undefined;
    options.onProgress(tally.acknowledgedBytes, tally.first.missingBytes);
    await sendFrames(plan, client, session.session, missing.ranges(), (bytes) => {
      tally.acknowledgedBytes += bytes;
      options.onProgress(tally.acknowledgedBytes, tally.first?.missingBytes ?? 0);
    });
    return await client.complete(session.session);
  } finally {
    ending.abort(options.signal.aborted ? options.signal.reason : new ControlError('ABORTED', 'the attempt is over'));
  }
}

function missingOf(session: SessionReply, chunkCount: number): ReturnType<typeof fullBitmap> {
  if (session.needs === 'index') throw new ControlError('FAILED', 'the proxy asks for the tree index twice; is it of this version?');
  if (session.needs === 'whole') return decodeBitmap(new Uint8Array(Math.ceil(chunkCount / 8)), chunkCount);
  return session.missing === undefined ? fullBitmap(chunkCount) : decodeBitmap(Buffer.from(session.missing, 'base64'), chunkCount);
}

type Range = { readonly from: number; readonly to: number };

async function sendFrames(plan: UploadPlan, client: ProxyClient, session: string, ranges: readonly Range[], onSent: (bytes: number) => void): Promise<void> {
  const frames = framesOf(plan.ingested, ranges);
  const worker = async (): Promise<void> => {
    for (;;) {
      const { value, done } = await frames.next();
      if (done === true) return;
      await client.frame(session, await compress(value.frame));
      onSent(value.chunkBytes);
    }
  };
  await Promise.all(Array.from({ length: framesInFlight }, worker));
}

/** The chunks in order of their ordinals, which is the order of the files: reading stays sequential. */
async function* framesOf({ tree, readChunk }: UploadPlan['ingested'], ranges: readonly Range[]): AsyncGenerator<{ readonly frame: Uint8Array; readonly chunkBytes: number }, void> {
  let parts: UploadPart[] = [];
  let bytes = 0;
  const take = (): { readonly frame: Uint8Array; readonly chunkBytes: number } => {
    const frame = encodeUploadFrame(parts);
    const chunkBytes = bytes - parts.length * uploadPartHeaderBytes;
    parts = [];
    bytes = 0;
    return { frame, chunkBytes };
  };
  for (const { from, to } of ranges) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      const size = uploadPartHeaderBytes + tree.chunkLength(ordinal);
      if (parts.length > 0 && bytes + size > Math.min(frameBytes, limits.uploadFrameBytesMax)) yield take();
      parts.push({ ordinal, bytes: await readChunk(ordinal) });
      bytes += size;
    }
  }
  if (parts.length > 0) yield take();
}
