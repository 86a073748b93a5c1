// P12: one event folded and decided upon, with 10,000 targets in 50 environments of one pipeline, while a deployment is under way in one of them: the
// report of a target, which is what comes most often, and how that grows with the fleet.

import { decide } from '../control/core/decide.ts';
import { evolve } from '../control/core/evolve.ts';
import type { JournalEntry } from '../proto/events.ts';
import { DecidedFleet, environmentsOf, now } from './decided-fleet.ts';
import { median, printRow } from './rows.ts';

const events = 300;

/** Milliseconds of each event: a report of progress, folded and decided upon. */
function measure(targets: number): readonly number[] {
  const fleet = new DecidedFleet(targets);
  fleet.deploy(1);
  fleet.push(2);
  fleet.start();
  const deployment = [...fleet.state.deployments.values()].at(-1);
  if (deployment === undefined) throw new Error('there is no deployment');
  const [member = ''] = deployment.batches[0]?.targets ?? [];
  const seq = fleet.state.environments.get(deployment.environment)?.orderSeq ?? 0;
  return Array.from({ length: events }, (_, index) => {
    const entry: JournalEntry = {
      seq: fleet.state.head + 1, at: now, actor: `member:${member}`,
      event: { kind: 'target.reported', member, report: { deployment: deployment.deployment, environment: deployment.environment, app: 'web', seq, reportNo: 1_000_000 + index, phase: 'downloading', at: now } },
    };
    const startedAt = performance.now();
    fleet.state = evolve(fleet.state, entry);
    decide(fleet.state, fleet.observed);
    return performance.now() - startedAt;
  });
}

for (const targets of process.argv.includes('--full') ? [100, 1_000, 10_000] : [10_000]) {
  // The first ones are the compiler's.
  const times = measure(targets).slice(events / 3);
  printRow({
    row: 'P12', case: `one event, ${targets} targets, ${environmentsOf} environments`, figure: median(times), unit: 'ms', goal: 5, runs: times.length,
    details: { p99: Number((times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0).toFixed(2)) },
  });
}
