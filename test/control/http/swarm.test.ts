// The receipt, the map and the coverage over real sockets, after a deployment whose targets say where their bytes came from; and what people see of it.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transfer } from '../../../proto/fleet.ts';
import { buildRevision } from '../../support/revisions.ts';
import { run } from '../cli/world.ts';
import { healthy, TestControl, until, type TestMember } from './harness.ts';

let control: TestControl;
let proxy: TestMember;
let agents: readonly TestMember[];
let deployment: string;

const none: Transfer = { originBytes: 0, peerBytes: 0, reusedBytes: 0, wastedBytes: 0 };

beforeAll(async () => {
  control = await TestControl.start();
  const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, failureThreshold: { count: 1, percent: 50 } };
  await control.post('/v1/apps', { app: 'web' });
  await control.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' }, config });
  proxy = await control.join('seed-1', ['seed', 'proxy'], { labels: { zone: 'a' } });
  proxy.uploadUrl = 'http://seed-1:7403';
  await proxy.sync({ rates: { send: 1_000_000 } });
  const joined = [];
  for (const [name, zone] of [['web-1', 'a'], ['web-2', 'b'], ['web-3', 'b']] as const) joined.push(await control.join(name, ['agent'], { environments: ['prod'], labels: { env: 'prod', zone } }));
  agents = joined;
  for (const agent of agents) await agent.sync();
  const { body } = await control.post('/v1/apps/web/uploads');
  const built = buildRevision('web', { 'server.js': 'one' });
  await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10 });
});
afterAll(async () => await control[Symbol.asyncDispose]());

/** Each target's account: the first got all from the seed, the second from the first, the third from both, and was held up by its cap. */
function transfers(): readonly Transfer[] {
  const [first = '', second = ''] = agents.map(({ id }) => id);
  const timing = { totalMs: 4_000, firstByteMs: 10, waitMs: 0, storeMs: 0, throttledMs: 0, strikes: 0 };
  const rates = { send: 1_000_000, receive: 2_000_000 };
  return [
    { ...none, originBytes: 4_000_000, zonePeerBytes: 0, crossZoneBytes: 0, from: [{ member: proxy.id, bytes: 4_000_000 }], timing, rates },
    { ...none, peerBytes: 4_000_000, zonePeerBytes: 0, crossZoneBytes: 4_000_000, from: [{ member: first, bytes: 4_000_000 }], timing, rates },
    { ...none, peerBytes: 3_000_000, reusedBytes: 1_000_000, wastedBytes: 1_000, zonePeerBytes: 2_000_000, crossZoneBytes: 1_000_000, from: [{ member: second, bytes: 2_000_000 }, { member: first, bytes: 1_000_000 }], timing: { ...timing, throttledMs: 3_000 }, rates },
  ];
}

describe('a deployment', () => {
  test('is covered and accounted for as targets report', async () => {
    const nothing = await control.get('/v1/swarm/coverage?revision=web@1');
    expect(nothing.body).toMatchObject({ app: 'web', number: 1, targets: 3, holding: 0, fraction: 0, seeds: 1, copiesMin: 0 });
    const { promotion } = (await control.post('/v1/promotions', { environment: 'prod', revision: 'web@1' })).body;
    // Whatever order the orders come in, the third is the last to report.
    const all = transfers();
    const fetched = new Set<number>();
    const everybody = async (): Promise<void> => {
      for (const [index, agent] of agents.entries()) {
        if (index > fetched.size) break;
        for (const order of (await agent.sync()).read) {
          if (order.action !== 'prefetch') await agent.report(order, healthy(order));
          else {
            await agent.report(order, ['downloading']);
            await agent.report(order, ['verified'], { transfer: all[index] ?? none });
            fetched.add(index);
            // No two of them are done in the same millisecond.
            for (const at = control.now(); control.now() === at; ) await new Promise(setImmediate);
          }
        }
      }
    };
    const ended = async () => {
      const { phase } = (await control.get(`/v1/promotions/${promotion}`)).body;
      return phase === 'succeeded' ? true : undefined;
    };
    await until(ended, everybody);
    ({ deployment } = (await control.get(`/v1/promotions/${promotion}`)).body);
    expect((await control.get(`/v1/deployments/${deployment}`)).body.targets[0].transfer).toEqual({ ...none, originBytes: 4_000_000 });

    const { body } = await control.get(`/v1/deployments/${deployment}/receipt`);
    expect(body).toMatchObject({
      targets: { total: 3, fetched: 3, fetching: 0, silent: 0 },
      bytes: { originBytes: 4_000_000, peerBytes: 7_000_000, reusedBytes: 1_000_000, wastedBytes: 1_000, zonePeerBytes: 2_000_000, crossZoneBytes: 5_000_000 },
      fetchBytes: 4_000_000,
      originCopies: 1,
      crossZoneCopies: 1.25,
      zones: 2,
      savedEgressBytes: 7_000_000,
      time: { boundMs: 4_000, boundBy: 'origin-uplink', unknown: [] },
      slowest: { name: 'web-3', cause: 'rate-cap' },
    });
    expect(body.time.durationMs).toBeGreaterThanOrEqual(4_000);
    expect(body.feeders.map(({ name, origin, bytes, targets }: Record<string, unknown>) => [name, origin, bytes, targets])).toEqual(expect.arrayContaining([['seed-1', true, 4_000_000, 1], ['web-1', false, 5_000_000, 2], ['web-2', false, 2_000_000, 1]]));
  });

  test('its receipt comes in pages with the sums on each', async () => {
    const first = (await control.get(`/v1/deployments/${deployment}/receipt?limit=2`)).body;
    const second = (await control.get(`/v1/deployments/${deployment}/receipt?limit=2&cursor=${first.next}`)).body;
    expect([...first.items, ...second.items].map(({ name }: { name: string }) => name)).toEqual(['web-1', 'web-2', 'web-3']);
    expect(second.bytes).toEqual(first.bytes);
    expect((await control.get('/v1/deployments/prod-99/receipt')).status).toBe(404);
  });

  test('shows on the map who fed whom, and between which zones', async () => {
    const { body } = await control.get('/v1/swarm/map');
    expect(body.items.map(({ name, zone }: { name: string; zone: string }) => [zone, name])).toEqual([['a', 'seed-1'], ['a', 'web-1'], ['b', 'web-2'], ['b', 'web-3']]);
    expect(body.zones).toEqual([{ zone: 'a', agents: 1, seeds: 1, online: 2 }, { zone: 'b', agents: 2, seeds: 0, online: 2 }]);
    expect(body.links).toEqual([{ from: 'a', to: 'b', bytes: 5_000_000 }, { from: 'a', to: 'a', bytes: 4_000_000 }, { from: 'b', to: 'b', bytes: 2_000_000 }]);
    expect(body.items[1]).toMatchObject({ fed: { bytes: 5_000_000, targets: 2 }, from: [{ name: 'seed-1', bytes: 4_000_000 }] });
    expect((await control.get('/v1/swarm/map?limit=3')).body.next).toEqual(expect.any(String));
  });

  test('is covered when it is done, zone by zone', async () => {
    const { body } = await control.get('/v1/swarm/coverage?revision=web@latest&environment=prod');
    expect(body).toMatchObject({ targets: 3, holding: 3, fetching: 0, fraction: 1, copiesMin: 2 });
    expect(body.items).toEqual([{ zone: 'a', targets: 1, holding: 1, fetching: 0, copies: 2 }, { zone: 'b', targets: 2, holding: 2, fetching: 0, copies: 2 }]);
    expect((await control.get('/v1/swarm/coverage?revision=web@7')).status).toBe(404);
    expect((await control.get('/v1/swarm/coverage')).status).toBe(400);
  });

  test('is counted in what the control plane measures', async () => {
    const { text } = await control.get('/metrics');
    expect(text).toContain('starling_control_origin_sent_bytes_total 4000000');
    expect(text).toContain('starling_control_transferred_bytes_total{source="peer"} 7000000');
    expect(text).toContain('starling_control_transferred_bytes_total{source="disk"} 1000000');
    expect(text).toContain('starling_control_transfer_wasted_bytes_total 1000');
    expect(text).toContain('starling_control_cross_zone_bytes_total 5000000');
  });
});

describe('on the command line', () => {
  const starling = async (...args: readonly string[]) => {
    const token = join(control.dataDir, 'cli.token');
    await writeFile(token, control.admin);
    return await run(args, { environment: { STARLING_URL: control.url, STARLING_TOKEN_FILE: token } });
  };
  /** Times differ from run to run. */
  const steady = (text: string): string => text.replaceAll(/[0-9.]+ s\b/g, 'N s').replace(/[0-9.]+ times/, 'N times').replaceAll(/ +N s/g, ' N s');

  test('the receipt, by deployment or by environment', async () => {
    const { code, out } = await starling('swarm', 'receipt', deployment);
    expect(code).toBe(0);
    expect(steady(out)).toMatchInlineSnapshot(`
      "prod-1: web@1 to prod, succeeded; 3 of 3 targets fetched
        time N s, N times the N s that the origin's line allowed
        origin   4.00 MB, 1.00 copies of 4.00 MB
        peers    7.00 MB, 63.6 % of what was fetched; so much less left the origin
        zones    2 zones; 5.00 MB crossed between them, 1.25 copies
        disk     1.00 MB were there already, 8.3 % of all
        wasted   1.00 kB, 0.0 % of what came
        last     web-3, N s: rate cap (its own cap let it ask for nothing in N s of N s)
        fed most web-1 5.00 MB to 2, seed-1 4.00 MB to 1, web-2 2.00 MB to 1

      targets, the last first:
      TARGET  ZONE   TOOK   ORIGIN    PEERS     DISK  CAUSE     FED BY
      web-3   b N s      0 B  3.00 MB  1.00 MB  rate cap  web-2 2.00 MB, web-1 1.00 MB
      web-2   b N s      0 B  4.00 MB      0 B  downlink  web-1 4.00 MB
      web-1   a N s  4.00 MB      0 B      0 B  downlink  seed-1 4.00 MB
      "
    `);
    expect(steady((await starling('swarm', 'receipt', 'prod')).out)).toBe(steady(out));
    expect(JSON.parse((await starling('swarm', 'receipt', 'prod', '-o', 'json')).out)).toMatchObject({ deployment, originCopies: 1, items: { length: 3 } });
    expect((await starling('swarm', 'receipt', 'nosuch')).code).toBe(3);
  });

  test('the coverage', async () => {
    expect((await starling('swarm', 'coverage', 'web@1')).out).toMatchInlineSnapshot(`
      "web@1: 100.0 % of 3 targets hold every chunk (3), 0 fetching; 1 seed; at least 2 copies in each zone
      ZONE  TARGETS  HOLDING  FETCHING  COPIES
      a           1        1         0       2
      b           2        2         0       2
      "
    `);
    expect((await starling('swarm', 'coverage', 'web@9')).code).toBe(3);
  });

  test('the map', async () => {
    expect((await starling('swarm', 'map')).out).toMatchInlineSnapshot(`
      "a: 1 agent, 1 seed; 2 online
      b: 2 agents, 0 seeds; 2 online
      a → b: 5.00 MB

      MEMBER  ROLES       ZONE  STATE          UP  DOWN  FETCHING  FED           FED BY
      seed-1  seed,proxy  a     online  1.00 MB/s     ?         -  4.00 MB to 1  -
      web-1   agent       a     online          ?     ?         -  5.00 MB to 2  seed-1 4.00 MB
      web-2   agent       b     online          ?     ?         -  2.00 MB to 1  web-1 4.00 MB
      web-3   agent       b     online          ?     ?         -  -             web-2 2.00 MB, web-1 1.00 MB

      UP, DOWN: what a member declares of its line (\`rates.link\` in agent.yaml); receipts are held against it
      "
    `);
  });

  test('the peers of one machine, in both directions', async () => {
    expect((await starling('swarm', 'peers', 'web-1')).out).toBe([
      'PEER    DIRECTION    BYTES  ROLES       ZONE  STATE',
      'seed-1  from       4.00 MB  seed,proxy  a     online',
      'web-2   to         4.00 MB  agent       b     online',
      'web-3   to         1.00 MB  agent       b     online',
      '',
    ].join('\n'));
    expect(await starling('swarm', 'peers', 'nobody')).toMatchObject({ code: 3, err: expect.stringContaining("there is no member 'nobody'; `starling swarm map` shows") });
  });

  test('the receipt of a deployment that needs no bytes, or has not come so far', async () => {
    const built = buildRevision('web', { 'server.js': 'two' });
    const { body } = await control.post('/v1/apps/web/uploads');
    await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10 });
    const { promotion } = (await control.post('/v1/promotions', { environment: 'prod', revision: 'web@2' })).body;
    const next = await until(async () => (await control.get(`/v1/promotions/${promotion}`)).body.deployment);
    expect((await starling('swarm', 'receipt', String(next))).out).toBe(`${next}: web@2 to prod, running; 0 of 3 targets fetched, 3 had nothing to fetch, or did not get so far\n`);
    const [first] = agents;
    if (first === undefined) throw new Error('there is no target');
    const order = await until(async () => (await first.sync()).read.find(({ action }) => action === 'prefetch'));
    await first.report(order, ['downloading']);
    await first.report(order, ['verified'], { transfer: { ...none, reusedBytes: 4_000_000, savedBytes: 148 } });
    expect((await starling('swarm', 'receipt', String(next))).out).toContain('deltas   came with the index of the revision, which saved 148 B\n');
  });
});
