// Delta sets from neighbour to neighbour: asked for by the revision wanted and those at hand, answered with a descriptor and its statement. The parts
// travel in a topic of their own; whether a statement is to be believed and what a set is worth is the asker's.

import { encodeMessage } from '../../../proto/exchange-codec.ts';
import type { DeltaMessage, WantDeltaMessage } from '../../../proto/exchange.ts';
import type { Clock } from '../../clock.ts';
import { isOrigin, shareEnvironment } from '../../core/roster/neighbours.ts';
import type { Logger } from '../../log.ts';
import type { Neighbour } from '../network.ts';
import type { DeltaAnswers, DeltaOffer, DeltaQuestion, DeltaSource } from '../swarm.ts';

export interface DeltaExchange {
  /** See Swarm.askDelta. */
  ask(question: DeltaQuestion, options: { readonly signal: AbortSignal }): Promise<DeltaAnswers>;
  onWant(neighbour: Neighbour, message: WantDeltaMessage): void;
  onDelta(neighbour: Neighbour, message: DeltaMessage): void;
  onGone(member: string): void;
}

export interface DeltaExchangeDeps {
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  /** None: whoever asks is told that there is nothing. */
  readonly source: DeltaSource | undefined;
  readonly clock: Clock;
  /** Fires when the swarm closes. */
  readonly stop: AbortSignal;
  readonly log: Logger;
}

/** How long a neighbour is waited for; without an answer the plain chunks are asked for. */
const answerMs = 2_000;
/** All of them together: hung origins must not hold a deployment up one after the other. */
const allMs = 3_000;
/** Peers asked before the origins: one of them may hold what would otherwise leave the origin once more. */
const peersAskedMax = 3;
/** So much before: a round trip and a look into a shelf. At the beginning of a deployment peers have nothing yet, and are too busy to say so. */
const peersAloneMs = 50;
/** Questions of one neighbour that are looked up at once; a descriptor is at most 256 KiB. */
const wantedOfOneMax = 2;

interface Asked {
  readonly member: string;
  resolve(message: DeltaMessage | undefined): void;
}

/** What is sent when there is no set. */
const none = { etaMs: 0, statement: '', descriptor: new Uint8Array(0) } as const;

export function createDeltaExchange(deps: DeltaExchangeDeps): DeltaExchange {
  const { neighbours, clock } = deps;
  const asked = new Map<number, Asked>();
  const serving = new Map<string, number>();
  let lastRequest = 0;

  const askOne = async (neighbour: Neighbour, { to, bases }: DeltaQuestion, signal: AbortSignal): Promise<DeltaMessage | undefined> => {
    lastRequest += 1;
    const request = lastRequest;
    const { promise, resolve } = Promise.withResolvers<DeltaMessage | undefined>();
    const done = new AbortController();
    asked.set(request, { member: neighbour.member, resolve });
    const give = (): void => resolve(undefined);
    clock.wait(answerMs, { signal: AbortSignal.any([signal, done.signal]) }).then(give, give);
    neighbour.send(encodeMessage({ kind: 'want-delta', request, to, bases }));
    try {
      return await promise;
    } finally {
      asked.delete(request);
      done.abort();
    }
  };
  return {
    async ask(question, { signal }) {
      if (signal.aborted || deps.stop.aborted) return { offers: [], isLast: false };
      const all = [...neighbours.values()];
      const origins = all.filter(({ certificate }) => isOrigin(certificate));
      const answers = createAnswers();
      const done = new AbortController();
      const late = new AbortController();
      const ends = AbortSignal.any([signal, deps.stop, done.signal]);
      clock.wait(allMs, { signal: ends }).then(() => late.abort(), () => late.abort());
      const take = async (neighbour: Neighbour): Promise<void> => answers.add(neighbour, await askOne(neighbour, question, late.signal));
      const peers = Promise.all(all.filter(({ certificate }) => !isOrigin(certificate)).slice(0, peersAskedMax).map(take));
      await Promise.race([peers, answers.full, clock.wait(peersAloneMs, { signal: ends }).catch(() => undefined)]);
      for (const origin of origins) {
        if (answers.isFull() || late.signal.aborted) break;
        await Promise.race([take(origin), answers.full]);
      }
      // What peers hold comes from an origin: once all have spoken, it is not worth waiting for.
      if (origins.length === 0 || answers.origins().length < origins.length) await Promise.race([peers, answers.full]);
      done.abort();
      const spoken = answers.origins();
      return { offers: answers.all(), isLast: origins.length > 0 && spoken.length === origins.length && spoken.every((etaMs) => etaMs === 0) };
    },
    onWant(neighbour, message) {
      void serve(deps, serving, neighbour, message);
    },
    onDelta(neighbour, message) {
      const waiting = asked.get(message.request);
      // A copy: what was read may be used again for the next frame.
      if (waiting?.member === neighbour.member) waiting.resolve({ ...message, descriptor: message.descriptor.slice() });
    },
    onGone(member) {
      for (const waiting of asked.values()) if (waiting.member === member) waiting.resolve(undefined);
    },
  };
}

/** What comes in of one question; `full` resolves with the first set than which no better is being made. */
function createAnswers() {
  const offers: DeltaOffer[] = [];
  const full = Promise.withResolvers<void>();
  const origins: number[] = [];
  let isFull = false;
  return {
    full: full.promise,
    isFull: () => isFull,
    /** Of each origin that has spoken, when it will have a better set; 0 when it makes none. */
    origins: (): readonly number[] => origins,
    add({ member, certificate }: Neighbour, answer: DeltaMessage | undefined): void {
      if (answer === undefined) return;
      const { etaMs, statement, descriptor } = answer;
      const origin = isOrigin(certificate);
      if (etaMs > 0 || descriptor.length > 0) offers.push({ member, origin, etaMs, statement, descriptor });
      if (origin) origins.push(etaMs);
      if (etaMs > 0 || descriptor.length === 0) return;
      isFull = true;
      full.resolve();
    },
    /** As of now: what comes later is nobody's. */
    all: (): readonly DeltaOffer[] => [...offers],
  };
}

/** Answers with a set, or with nothing when there is none, it is not for the asker, or it is too much at once. */
async function serve({ source, stop, log }: DeltaExchangeDeps, serving: Map<string, number>, neighbour: Neighbour, { request, to, bases }: WantDeltaMessage): Promise<void> {
  const { member, certificate } = neighbour;
  const running = serving.get(member) ?? 0;
  if (source === undefined || running >= wantedOfOneMax) return neighbour.send(encodeMessage({ kind: 'delta', request, ...none }));
  serving.set(member, running + 1);
  try {
    const found = await source({ to, bases }, { signal: stop });
    const may = found !== undefined && (isOrigin(certificate) || shareEnvironment(certificate.environments, found.environments));
    const { etaMs, statement, descriptor } = may ? found : none;
    neighbour.send(encodeMessage({ kind: 'delta', request, etaMs, statement, descriptor }));
  } catch (error) {
    if (!stop.aborted) log.warn({ revision: to, err: error }, 'a delta set could not be looked up');
    neighbour.send(encodeMessage({ kind: 'delta', request, ...none }));
  } finally {
    if (running === 0 && serving.get(member) === 1) serving.delete(member);
    else serving.set(member, (serving.get(member) ?? 1) - 1);
  }
}
