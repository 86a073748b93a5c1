// A client of the demo's service that never stops asking: whether the old version answers the whole time while a new one is tried.

import type { Clock } from '../../clock.ts';
import type { Probe } from './versions.ts';

const everyMs = 100;
/** A service that needs longer for such an answer is not serving. */
const timeoutMs = 2_000;
/** Failures that are described; the rest is only counted. */
const describedMax = 3;

export interface Probed {
  readonly target: string;
  readonly probes: number;
  readonly failures: number;
  /** The first few failures, in words. */
  readonly examples: readonly string[];
}

export interface Prober {
  /** Ends the asking and says how it went. */
  stop(): Promise<readonly Probed[]>;
}

/** Asks the port of every target, on its own and whatever the others answer, until it is stopped. */
export function startProber(targets: readonly { readonly name: string; readonly url: string }[], probe: Probe, version: string, clock: Clock): Prober {
  const stopping = new AbortController();
  const probeOne = async (name: string, url: string): Promise<Probed> => {
    let probes = 0;
    let failures = 0;
    const examples: string[] = [];
    while (!stopping.signal.aborted) {
      const began = clock.monotonic();
      const failure = await ask(url, probe, version);
      probes += 1;
      if (failure !== undefined) {
        failures += 1;
        if (examples.length < describedMax) examples.push(failure);
      }
      await clock.wait(Math.max(0, everyMs - (clock.monotonic() - began)), { signal: stopping.signal }).catch(() => undefined);
    }
    return { target: name, probes, failures, examples };
  };
  const results = targets.map(async ({ name, url }) => await probeOne(name, url));
  return {
    stop: async () => {
      stopping.abort();
      return await Promise.all(results);
    },
  };
}

/** What is wrong with the answer; undefined when nothing is. */
export async function ask(url: string, { path, status, expects }: Probe, version: string): Promise<string | undefined> {
  try {
    // A connection of its own each time, as a new client would make it.
    const response = await fetch(`${url}${path}`, { headers: { connection: 'close' }, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    const body = await response.text();
    if (response.status !== status) return `answered ${response.status} instead of ${status}`;
    const expected = expects(version);
    return expected === undefined || body.includes(expected) ? undefined : `answered ${body.slice(0, 80)}, which is not version ${version}`;
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : cause instanceof Error ? cause.message : String(cause);
    return `did not answer: ${reason}`;
  }
}
