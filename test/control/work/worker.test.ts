// Steps carried out by real worker processes: from the lease to the run's end, and what is left when either side is killed.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run as starling } from '../cli/world.ts';
import { arrived, baking, eventually, step, WorkControl } from './harness.ts';

/** Processes that start one after another, on a machine that may be busy. */
const timeout = 120_000;

/** A long sleep that is nobody else's on this machine: a look at its processes finds those of this run alone. */
const sleep = (seconds: number): string => `sleep ${seconds}.${process.pid}`;

describe('CDS-8 starling worker', { timeout }, () => {
  test('CDS-19 carries a step out with what it needs to know, sends its log and its figures, and the next promotion is made', async () => {
    const command = 'echo "testing $STARLING_REVISION_WEB in $STARLING_ENVIRONMENT, ${STARLING_TOKEN-no token}, $FROM_OUTSIDE"; echo "$STARLING_SET"; echo \'{"passed": 7, "total": 8}\' > report.json';
    await using control = await WorkControl.start(arrived([step('unit', { with: { run: command } })]));
    const worker = await control.worker();
    const run = await control.until(({ phase }) => phase === 'successful');
    expect(run.steps).toMatchObject([{ step: 'unit', phase: 'succeeded', worker: 'w1', attempt: 1, tests: { passed: 7, total: 8 } }]);
    const log = (await control.test.get(`/v1/workflow-runs/${run.run}/steps/unit/log`)).body;
    expect(log.text).toContain('testing 1 in alpha, no token, yes\n');
    expect(log.text).toContain('"number":1');
    expect(log.complete).toBe(true);
    const promotion = await eventually(async () => (await control.test.get('/v1/promotions?environment=prod')).body.items[0], async () => 'nothing was promoted');
    expect(promotion).toMatchObject({ app: 'web', number: 1, by: 'system' });
    const environment = { STARLING_URL: control.test.url, STARLING_TOKEN: control.test.admin };
    const shown = await starling(['workflow', 'get', run.run], { environment });
    expect(shown.out).toContain('unit  succeeded  7 of 8 passed');
    expect((await starling(['workflow', 'logs', run.run], { environment })).out).toContain('testing 1 in alpha');
    expect(await worker.end('SIGTERM')).toBe(0);
    expect(await readdir(join(worker.directory, 'steps'))).toEqual([]);
    // Whoever may read events learns no lease.
    expect(JSON.stringify(await control.test.events())).not.toContain('lease-');
  });

  test('R-3 a step that looks at a batch is told which, and the next batch goes when it has succeeded', async () => {
    await using control = await WorkControl.start(baking(step('probe', { with: { run: 'echo "batch $STARLING_BATCH of $STARLING_DEPLOYMENT"' } })));
    await control.worker();
    const { run, batch } = await control.until(({ phase }) => phase === 'successful');
    expect([run, batch]).toEqual(['prod-2-batch-1', { deployment: 'prod-2', index: 0 }]);
    expect((await control.test.get(`/v1/workflow-runs/${run}/steps/probe/log`)).body.text).toBe('batch 1 of prod-2\n');
    const batches = await eventually(async () => {
      const { body } = await control.test.get('/v1/deployments/prod-2');
      return body.batches[1].phase === 'running' ? body.batches : undefined;
    }, async () => 'the next batch does not begin');
    expect(batches[0]).toMatchObject({ phase: 'succeeded', verification: { run, workflow: 'canary', phase: 'successful' } });
    expect((await control.test.call('POST', `/v1/workflow-runs/${run}/rerun`, { body: {} })).status).toBe(409);
  });

  test('a step that fails ends the run with its last words; too long is killed with all that it started', async () => {
    const slow = step('slow', { timeoutMs: 700, with: { run: `sh -c "echo $$ > pid; cp pid $FROM; exec ${sleep(600)}" & wait` }, allowFailure: true });
    await using control = await WorkControl.start(arrived([slow, step('unit', { needs: ['slow'], with: { run: 'echo "<testsuite><testcase name=\\"adds\\"/><testcase classname=\\"cart\\" name=\\"pays\\"><failure/></testcase></testsuite>" > junit.xml; echo the database is not there >&2; exit 3' } })]));
    await control.worker();
    const run = await control.until(({ phase }) => phase !== 'running');
    expect(run).toMatchObject({ phase: 'failed', outcome: expect.stringContaining('the database is not there') });
    expect(run.steps).toMatchObject([{ phase: 'timed-out' }, { phase: 'failed', detail: expect.stringContaining('exit code 3; 1 of 2 tests failed: cart > pays'), tests: { passed: 1, total: 2, failed: ['cart > pays'] } }]);
    expect(await processesWith(sleep(600))).toEqual([]);
  });

  test('L-4 B-1 a worker killed amid a step leaves no process; its step is given to another, and its late word is refused', async () => {
    await using control = await WorkControl.start(arrived([step('unit', { with: { run: `if [ "$STARLING_ATTEMPT" = 1 ]; then ${sleep(601)}; fi` } })]));
    const worker = await control.worker();
    const stuck = await control.until((run) => run.steps[0]?.phase === 'running');
    await eventually(async () => ((await processesWith(sleep(601))).length > 0 ? true : undefined), async () => worker.said);
    await worker.end('SIGKILL');
    await eventually(async () => ((await processesWith(sleep(601))).length === 0 ? true : undefined), async () => 'the step goes on');
    // A restart forgets leases: each is given a whole one to be heard of again, by the clock of the new process.
    await control.test.restart({ clock: hasty() });
    await control.worker();
    const run = await control.until(({ phase }) => phase === 'successful');
    expect(run.run).toBe(stuck.run);
    expect(run.steps).toMatchObject([{ attempt: 2, tries: [{ attempt: 1, end: 'errored', detail: expect.stringContaining('not heard of') }] }]);
  });

  test('a worker that is told to stop says so, and the step is tried again', async () => {
    await using control = await WorkControl.start(arrived([step('unit', { with: { run: `if [ "$STARLING_ATTEMPT" = 1 ]; then ${sleep(602)}; fi` } })]));
    const first = await control.worker();
    await control.until((run) => run.steps[0]?.phase === 'running');
    await eventually(async () => ((await processesWith(sleep(602))).length > 0 ? true : undefined), async () => first.said);
    expect(await first.end('SIGTERM')).toBe(0);
    await control.until((run) => run.steps[0]?.tries[0]?.detail?.includes('was stopped') === true);
    await control.worker();
    await control.until(({ phase }) => phase === 'successful');
  });

  test('analysis asks a server that answers as Prometheus does; a re-run is a run of its own', async () => {
    const values = ['0.5', '0.001'];
    const server = createServer((request, response) => {
      expect(request.url).toBe('/api/v1/query');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1, values[0]] }] } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const analysis = step('errors', { kind: 'analysis', with: { prometheus: `http://127.0.0.1:${port}`, query: 'errors', interval: '100ms', count: '3', success: 'result < 0.01', failure: 'result > 0.1' } });
    try {
      await using control = await WorkControl.start(arrived([analysis]));
      const failed = await control.until(({ phase }) => phase === 'failed');
      expect(failed.steps[0]?.measurements).toMatchObject([{ verdict: 'failure', value: '0.5' }]);
      values.shift();
      const again = await control.test.post(`/v1/workflow-runs/${failed.run}/rerun`);
      expect(again.body.run).not.toBe(failed.run);
      const run = await control.until(({ phase }) => phase === 'successful');
      expect(run.steps[0]?.measurements).toHaveLength(3);
    } finally {
      server.close();
    }
  });

  test('something outside reports a step that has no command; nobody reports what a worker has', async () => {
    await using control = await WorkControl.start(arrived([step('outside')]));
    const { run } = await control.until(({ phase }) => phase === 'running');
    const report = `/v1/workflow-runs/${run}/steps/outside/report`;
    expect((await control.test.post(report, { phase: 'running' })).body.steps[0].phase).toBe('running');
    await control.test.post(report, { phase: 'succeeded', tests: { passed: 3, total: 3 } });
    await control.until(({ phase }) => phase === 'successful');
    await using other = await WorkControl.start(arrived([step('inside', { with: { run: 'make check' } })]));
    const taken = await eventually(async () => (await other.test.post('/v1/work/lease', { worker: 'w1', roles: ['tester'], waitMs: 0 })).body.work, async () => 'nothing is offered');
    const refused = await other.test.call('POST', `/v1/workflow-runs/${taken.run}/steps/inside/report`, { body: { phase: 'succeeded' } });
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining("carried out by worker 'w1'") } });
  });
});

/** A clock on which thirty seconds of silence are one. */
function hasty() {
  const { now, monotonic, wait } = { now: () => Date.now(), monotonic: () => performance.now() * 30, wait: async (ms: number, { signal }: { readonly signal: AbortSignal }) => {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms / 30);
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
    });
  } };
  return { now, monotonic, wait };
}

async function processesWith(text: string): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const commands = await Promise.all(ids.map(async (id) => await readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '')));
  return commands.map((command) => command.replaceAll('\0', ' ')).filter((command) => command.startsWith(text));
}
