// Reports on their way to the control plane: with the next poll where one follows at once, beside it where one is open, again where nobody said that they were taken.

import { setImmediate } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import type { Report } from '../../../proto/fleet.ts';
import { limits } from '../../../proto/limits.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { createMetrics } from '../../../daemon/metrics.ts';
import { createReporter } from '../../../daemon/run/reports.ts';
import { keptLog } from '../swarm/swarm-fixture.ts';

/** An installer that holds reports, and a control plane that takes what is sent beside polls. */
function stage() {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  let held: readonly Report[] = [];
  const sent: number[][] = [];
  const world = { isDiskBroken: false, isControlAway: false };
  const reporter = createReporter({
    installer: {
      pendingReports: () => held,
      acknowledged: async (deployment, reportNo) => {
        if (world.isDiskBroken) throw new DaemonError('STORAGE_FAILED', 'the disk is full');
        held = held.filter((report) => report.deployment !== deployment || report.reportNo > reportNo);
        await Promise.resolve();
      },
    },
    link: {
      report: async (reports) => {
        if (world.isControlAway) throw new DaemonError('CONTROL_UNREACHABLE', 'connection refused');
        sent.push(await Promise.resolve(reports.map(({ reportNo }) => reportNo)));
      },
    },
    clock: systemClock, random: () => 0, metrics: createMetrics(new Registry(), { version: '', nodeVersion: '' }), log: keptLog(),
  });
  void reporter.run(stop.signal);
  return {
    world, sent, ride: reporter.ride,
    held: () => held.map(({ reportNo }) => reportNo),
    report: async (...numbers: readonly number[]) => {
      held = [...held, ...numbers.map((reportNo): Report => ({ deployment: 'prod-1', environment: 'prod', app: 'web', seq: 1, reportNo, phase: 'downloading', at: 0 }))];
      reporter.wake();
      await setImmediate();
    },
  };
}

test('what is reported between two polls rides with the next, and is forgotten when that is answered', async () => {
  const { ride, report, sent, held } = stage();
  await ride.arrived();
  await report(1);
  await report(2);
  expect(ride.board().map(({ reportNo }) => reportNo)).toEqual([1, 2]);
  await setImmediate();
  expect([sent, held()]).toEqual([[], [1, 2]]);
  await ride.arrived();
  expect([sent, held()]).toEqual([[], []]);
});

test('what is reported while a poll is open is sent beside it at once, behind what rides with the poll: nothing is recorded before what came before it', async () => {
  const { ride, report, sent, held } = stage();
  await ride.arrived();
  await report(1);
  ride.board();
  await report(2);
  expect([sent, held()]).toEqual([[[1, 2]], []]);
  await ride.arrived();
  expect(sent).toEqual([[1, 2]]);
});

test('who waits to be told hears that reports were taken, not that none were there or none was taken', async () => {
  const { ride, report, world } = stage();
  const heard: number[] = [];
  ride.onTaken(() => heard.push(1));
  ride.missed();
  await setImmediate();
  expect(heard).toEqual([]);
  world.isControlAway = true;
  await report(1);
  expect(heard).toEqual([]);
  world.isControlAway = false;
  await expect.poll(() => heard).toEqual([1]);
});

test('reports whose poll failed, or for which no poll comes soon, are sent by themselves', async () => {
  const { ride, report, sent, held } = stage();
  await ride.arrived();
  await report(1);
  ride.board();
  ride.missed();
  await setImmediate();
  expect([sent, held()]).toEqual([[[1]], []]);
  await ride.arrived();
  await report(2);
  ride.missed();
  await setImmediate();
  expect(sent).toEqual([[1], [2]]);
});

test('no more ride than a poll may bring; the others are sent beside it', async () => {
  const { ride, report, sent } = stage();
  await ride.arrived();
  const all = Array.from({ length: limits.syncReportsMax + 1 }, (_, index) => index + 1);
  await report(...all);
  expect(ride.board()).toHaveLength(limits.syncReportsMax);
  await setImmediate();
  expect(sent).toEqual([all]);
});

test('reports that were taken and could not be forgotten are sent again', async () => {
  const { ride, report, sent, held, world } = stage();
  await ride.arrived();
  await report(1);
  ride.board();
  world.isDiskBroken = true;
  await ride.arrived();
  world.isDiskBroken = false;
  expect([sent, held()]).toEqual([[], [1]]);
  expect(ride.board().map(({ reportNo }) => reportNo)).toEqual([1]);
});
