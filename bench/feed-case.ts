// Inside of a lab: one deployment, and who fed whom meanwhile, as the bridge sees it: bytes of IP from host to host, looked at several times a second.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { onCase } from './lab/case.ts';
import { writeRandomTree } from './lab/content.ts';
import { fleetNames, LabFleet } from './lab/fleet.ts';
import type { Flow } from './lab/lab.ts';
import { touchedShare } from './touch.ts';

export interface FeedInput {
  readonly agents: readonly string[];
  readonly bytes: number;
  readonly boundMs: number;
  readonly timeoutMs: number;
}

/** What one deployment looked like from outside. */
export interface Feed {
  /** Origin first, then targets: rows and columns of what follows. */
  readonly members: readonly string[];
  /** When each look was, in milliseconds from the promotion. */
  readonly atMs: readonly number[];
  /** For each look, what each member had sent to the targets since the one before. */
  readonly sent: readonly (readonly number[])[];
  /** In all, by sender and receiver. */
  readonly matrix: readonly (readonly number[])[];
  /** What members and the control plane said to each other meanwhile; in none of the above. */
  readonly controlBytes: number;
  readonly wholeMs: readonly number[];
}

const lookMs = 200;

await onCase<FeedInput, Feed>(async (lab, { agents, bytes, boundMs, timeoutMs }) => {
  const scratch = await lab.directory('feed');
  try {
    await using fleet = await LabFleet.start(lab, { agents });
    await writeRandomTree(join(scratch, 'tree'), bytes);
    const { revision } = await fleet.push(join(scratch, 'tree'));
    await lab.touchMemory(bytes * agents.length * touchedShare);
    await lab.watchFlows();
    const members = [fleetNames.origin, ...agents];
    const ended = new AbortController();
    const looks: { readonly atMs: number; readonly flows: readonly Flow[] }[] = [];
    const startedAt = performance.now();
    const looking = (async () => {
      for (;;) {
        const atMs = performance.now() - startedAt;
        looks.push({ atMs, flows: await lab.flows() });
        // One more look after the end: the last bytes are in it.
        if (ended.signal.aborted) return;
        await wait(lookMs, undefined, { signal: ended.signal }).catch(() => undefined);
      }
    })();
    const { completion } = await fleet.promote(revision, { boundMs, timeoutMs }).finally(() => ended.abort());
    await looking;
    const sentBy = (flows: readonly Flow[]): number[] => members.map((from) => flows.reduce((sum, flow) => sum + (flow.from === from && agents.includes(flow.to) ? flow.bytes : 0), 0));
    const totals = looks.map(({ flows }) => sentBy(flows));
    const last = looks.at(-1)?.flows ?? [];
    return {
      members,
      atMs: looks.map(({ atMs }) => Math.round(atMs)),
      sent: totals.map((total, at) => total.map((sum, member) => sum - (totals[at - 1]?.[member] ?? 0))),
      matrix: members.map((from) => members.map((to) => last.find((flow) => flow.from === from && flow.to === to)?.bytes ?? 0)),
      controlBytes: last.reduce((sum, { from, to, bytes: some }) => sum + (from === fleetNames.control || to === fleetNames.control ? some : 0), 0),
      wholeMs: [...completion.values()].map((ms) => Math.round(ms)).toSorted((a, b) => a - b),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
