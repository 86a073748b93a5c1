// P12: one event folded and decided upon, with 10,000 targets in 50 environments of one pipeline, while a deployment is under way in one of them: the
// report of a target, which is what comes most often, and how that grows with the fleet. First with nothing else to do, then with promotions that wait in all
// fifty: at night for their windows, and in a freeze.

import { decide } from '../control/core/decide.ts';
import { evolve } from '../control/core/evolve/evolve.ts';
import type { Observed } from '../control/core/model/select.ts';
import type { JournalEntry } from '../proto/events.ts';
import { DecidedFleet, environmentsOf, now } from './decided-fleet.ts';
import { median, printRow } from './rows.ts';

const events = 300;
/** Eleven hours later it is night in Berlin, and the windows of all environments are closed. */
const nightMs = 11 * 3_600_000;

interface Case {
  readonly name: string;
  readonly prepare: (fleet: DecidedFleet) => Observed;
}

const cases: readonly Case[] = [
  { name: 'one event', prepare: ({ observed }) => observed },
  { name: 'promotions wait for windows', prepare: (fleet) => waiting(fleet, now + nightMs) },
  {
    name: 'promotions wait in a freeze',
    prepare: (fleet) => {
      fleet.ask({ kind: 'start-freeze', freeze: 'holidays', scope: { kind: 'all' }, reason: 'holidays' });
      return waiting(fleet, now);
    },
  },
];

/** A third revision comes, and automation wants it everywhere; everybody is heard. */
function waiting(fleet: DecidedFleet, at: number): Observed {
  fleet.push(3);
  const observed = { ...fleet.observed, now: at, lastSeen: new Map([...fleet.state.members.keys()].map((member) => [member, at])) };
  for (let round = 0; !fleet.step(observed).idle; round += 1) if (round > 1_000) throw new Error('the fleet did not come to wait');
  const all = [...fleet.state.environments.values()];
  if (all.some((environment) => environment.waiting.length === 0)) throw new Error('in some environment nothing waits');
  return observed;
}

/** Each event: a report of progress, folded and decided upon. In milliseconds, and in those of processor time, which a busy machine does not make more of. */
function measure(targets: number, { prepare }: Case): readonly { readonly ms: number; readonly cpuMs: number }[] {
  const fleet = new DecidedFleet(targets);
  fleet.deploy(1);
  fleet.push(2);
  fleet.start();
  const deployment = [...fleet.state.deployments.values()].at(-1);
  if (deployment === undefined) throw new Error('there is no deployment');
  const [member = ''] = deployment.batches[0]?.targets ?? [];
  const seq = fleet.state.environments.get(deployment.environment)?.orderSeq ?? 0;
  const observed = prepare(fleet);
  return Array.from({ length: events }, (_, index) => {
    const entry: JournalEntry = {
      seq: fleet.state.head + 1, at: now, actor: `member:${member}`,
      event: { kind: 'target.reported', member, report: { deployment: deployment.deployment, environment: deployment.environment, app: 'web', seq, reportNo: 1_000_000 + index, phase: 'downloading', at: now } },
    };
    const [startedAt, before] = [performance.now(), process.threadCpuUsage()];
    fleet.state = evolve(fleet.state, entry);
    decide(fleet.state, observed);
    const { user, system } = process.threadCpuUsage(before);
    return { ms: performance.now() - startedAt, cpuMs: (user + system) / 1000 };
  });
}

for (const targets of process.argv.includes('--full') ? [100, 1_000, 10_000] : [10_000]) {
  for (const one of cases) {
    // The first ones are the compiler's.
    const measured = measure(targets, one).slice(events / 3);
    const times = measured.map(({ ms }) => ms);
    printRow({
      row: 'P12', case: `${one.name}, ${targets} targets, ${environmentsOf} environments`, figure: median(times), unit: 'ms', goal: 5, runs: times.length,
      details: {
        p99: Number((times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0).toFixed(2)),
        'processor, ms': Number((measured.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / measured.length).toFixed(2)),
      },
    });
  }
}
