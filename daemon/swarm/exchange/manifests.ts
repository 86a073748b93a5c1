// Revision manifests from neighbour to neighbour: asked for by digest, checked by digest, refused alike when absent and when not for the asker.

import { hash } from 'node:crypto';
import type { Digest } from '../../../proto/cid.ts';
import { encodeMessage } from '../../../proto/exchange-codec.ts';
import type { ManifestMessage, WantManifestMessage } from '../../../proto/exchange.ts';
import type { Clock } from '../../clock.ts';
import { isOrigin, shareEnvironment } from '../../core/roster/neighbours.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Neighbour } from '../network.ts';
import type { ManifestSource, SwarmMetrics } from '../swarm.ts';

export interface ManifestExchange {
  /** See Swarm.fetchManifest. */
  fetch(revision: Digest, options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
  onWant(neighbour: Neighbour, message: WantManifestMessage): void;
  onManifest(neighbour: Neighbour, message: ManifestMessage): void;
  onGone(member: string): void;
}

export interface ManifestExchangeDeps {
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  readonly source: ManifestSource;
  readonly metrics: SwarmMetrics;
  readonly clock: Clock;
  /** Fires when the swarm closes. */
  readonly stop: AbortSignal;
  readonly log: Logger;
}

/** How long one neighbour is waited for. */
const answerMs = 3_000;
/** How often it is looked whom to ask: a neighbour that is new is asked at once. */
const roundMs = 500;
/** One that did not have it is asked again after the first of these, then after twice as long each time, up to the last: it may have it by then, but mostly nobody has. */
const againMs = { first: 500, most: 8_000 } as const;
/** Manifests that one neighbour may have us read at once; half a megabyte each. */
const wantedOfOneMax = 4;

interface Asked {
  readonly member: string;
  resolve(bytes: Uint8Array | undefined): void;
}

export function createManifestExchange(deps: ManifestExchangeDeps): ManifestExchange {
  const { neighbours, metrics, clock, log } = deps;
  const asked = new Map<number, Asked>();
  const serving = new Map<string, number>();
  let lastRequest = 0;

  const ask = async (neighbour: Neighbour, revision: Digest, signal: AbortSignal): Promise<Uint8Array | undefined> => {
    lastRequest += 1;
    const request = lastRequest;
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    const done = new AbortController();
    asked.set(request, { member: neighbour.member, resolve });
    const give = (): void => resolve(undefined);
    clock.wait(answerMs, { signal: AbortSignal.any([signal, done.signal]) }).then(give, give);
    neighbour.send(encodeMessage({ kind: 'want-manifest', request, revision }));
    try {
      return await promise;
    } finally {
      asked.delete(request);
      done.abort();
    }
  };
  return {
    async fetch(revision, { signal }) {
      const either = AbortSignal.any([signal, deps.stop]);
      const liars = new Set<string>();
      const turns = new WeakMap<Neighbour, { readonly at: number; readonly pauseMs: number }>();
      for (;;) {
        for (const neighbour of neighbours.values()) {
          const turn = turns.get(neighbour);
          if (liars.has(neighbour.member) || (turn !== undefined && clock.monotonic() < turn.at)) continue;
          if (either.aborted) break;
          const bytes = await ask(neighbour, revision, either);
          const pauseMs = turn === undefined ? againMs.first : Math.min(againMs.most, 2 * turn.pauseMs);
          turns.set(neighbour, { at: clock.monotonic() + pauseMs, pauseMs });
          if (bytes === undefined || bytes.length === 0) continue;
          if (hash('sha256', bytes, 'hex') === revision) return bytes;
          liars.add(neighbour.member);
          metrics.chunkVerifyFailed(neighbour.member);
          metrics.strike('corrupt-chunk');
          log.warn({ member: neighbour.member, neighbour: neighbour.certificate.name, revision }, 'a neighbour sent another manifest than the one asked for');
        }
        try {
          await clock.wait(roundMs, { signal: either });
        } catch (cause) {
          throw new DaemonError('ABORTED', `manifest ${revision} was not found before the wait for it ended`, { cause });
        }
      }
    },
    onWant(neighbour, message) {
      void serve(deps, serving, neighbour, message);
    },
    onManifest(neighbour, { request, bytes }) {
      const waiting = asked.get(request);
      if (waiting?.member === neighbour.member) waiting.resolve(bytes);
    },
    onGone(member) {
      for (const waiting of asked.values()) if (waiting.member === member) waiting.resolve(undefined);
    },
  };
}

/** Answers with the manifest, or with nothing when it is absent, not for the asker, or too much at once; `serving` counts by neighbour. */
async function serve({ source, stop, log }: ManifestExchangeDeps, serving: Map<string, number>, neighbour: Neighbour, { request, revision }: WantManifestMessage): Promise<void> {
  const answer = (bytes: Uint8Array): void => neighbour.send(encodeMessage({ kind: 'manifest', request, bytes }));
  const running = serving.get(neighbour.member) ?? 0;
  if (running >= wantedOfOneMax) return answer(new Uint8Array(0));
  serving.set(neighbour.member, running + 1);
  try {
    const found = await source(revision, { signal: stop });
    const { certificate } = neighbour;
    const may = found !== undefined && (isOrigin(certificate) || shareEnvironment(certificate.environments, found.environments));
    answer(may ? found.bytes : new Uint8Array(0));
  } catch (error) {
    log.warn({ revision, error: messageOf(error) }, 'a manifest could not be read');
    answer(new Uint8Array(0));
  } finally {
    const left = (serving.get(neighbour.member) ?? 1) - 1;
    if (left === 0) serving.delete(neighbour.member);
    else serving.set(neighbour.member, left);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
