// What a version cost, read from the counters of the processes themselves: what they say after it less what they said before.

import { ControlError } from '../../errors.ts';

/** Bytes that one agent counted, since it started or between two readings. */
export interface Counted {
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly reusedBytes: number;
  readonly wastedBytes: number;
  readonly rollbacks: number;
}

const scrapeTimeoutMs = 10_000;
const names = {
  received: 'starling_agent_received_bytes_total',
  reused: 'starling_agent_reused_bytes_total',
  wasted: 'starling_agent_wasted_bytes_total',
  rollbacks: 'starling_agent_rollbacks_total',
} as const;

/**
 * The counters of one agent.
 * @throws {ControlError} FAILED when it does not answer, or does not count what is asked for.
 */
export async function scrape(url: string, signal: AbortSignal): Promise<Counted> {
  let text: string;
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.any([signal, AbortSignal.timeout(scrapeTimeoutMs)]) });
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new ControlError('FAILED', `cannot read the counters at ${url}/metrics: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return counted(text);
}

/** The counters in a text as Prometheus reads it. @throws {ControlError} FAILED when one is missing. */
export function counted(text: string): Counted {
  const samples = text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{([^}]*)\})? ([0-9.e+]+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
  const sum = (name: string, label = ''): number => {
    const found = samples.filter((sample) => sample.name === name && sample.labels.includes(label));
    if (found.length === 0) throw new ControlError('FAILED', `the agent does not count ${name}${label === '' ? '' : `{${label}}`}: is it of this version?`);
    return found.reduce((total, { value }) => total + value, 0);
  };
  return {
    originBytes: sum(names.received, 'source="origin"'),
    peerBytes: sum(names.received, 'source="peer"'),
    reusedBytes: sum(names.reused),
    wastedBytes: sum(names.wasted),
    rollbacks: sum(names.rollbacks),
  };
}

/** What happened between two readings. */
export function between(before: Counted, after: Counted): Counted {
  return {
    originBytes: after.originBytes - before.originBytes,
    peerBytes: after.peerBytes - before.peerBytes,
    reusedBytes: after.reusedBytes - before.reusedBytes,
    wastedBytes: after.wastedBytes - before.wastedBytes,
    rollbacks: after.rollbacks - before.rollbacks,
  };
}
