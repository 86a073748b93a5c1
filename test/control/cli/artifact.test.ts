// `starling artifact verify` and `locate`: what a revision was made of, and who has it.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdersOf } from '../../../control/core/swarm/swarm.ts';
import { createRevision, ingest } from '../../../daemon/content/ingest/ingest.ts';
import { defaultDeploySpec } from '../../../proto/deploy-spec.ts';
import { PipelineWorld } from '../../support/pipeline-world.ts';
import { governed, type Governed } from '../http/governed.ts';
import { run, type Ran } from './world.ts';

let system: Governed;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-artifact-'));
  await mkdir(join(directory, 'tree'));
  await writeFile(join(directory, 'tree/index.html'), 'hello');
  const { digest } = createRevision('web', await ingest(join(directory, 'tree'), { signal: new AbortController().signal }), defaultDeploySpec);
  system = await governed({ more: [{ kind: 'revision.created', app: 'web', revision: digest, number: 3, cid: 'c3', manifest: '', manifestBytes: 1, entries: 1, bytes: 5, chunks: 1, uploadedBytes: 5, proxy: 'p' }] });
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(['artifact', ...args], { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin }, clock: system.clock, directory });
}

test('a directory is a revision byte for byte, or is not', async () => {
  expect(await starling('verify', 'web@3', 'tree')).toMatchObject({ code: 0, out: expect.stringMatching(/tree is web@3, byte for byte: [0-9a-f]{64}\n$/) });
  expect(await starling('verify', 'web@2', 'tree')).toMatchObject({ code: 1, out: expect.stringContaining('is not web@2: it makes ') });
  await writeFile(join(directory, 'tree/index.html'), 'hellO');
  expect((await starling('verify', 'web@3', 'tree')).code).toBe(1);
  expect(await starling('verify', 'web@9', 'tree')).toMatchObject({ code: 3 });
  expect((await starling('verify', 'web@3', 'none')).code).toBe(1);
});

test('who has a revision is told, and that nobody is known to', async () => {
  expect(await starling('locate', 'web@3')).toMatchObject({ code: 0, out: '', err: expect.stringContaining('nobody is known to have web@3') });
  expect(await starling('locate', 'web@9')).toMatchObject({ code: 3 });
  const world = new PipelineWorld(['prod']);
  const holders = (number: number) => {
    const record = world.state.apps.get('web')?.revisions[number - 1];
    return record === undefined ? [] : holdersOf(world.state, record).map(({ member, has }) => `${member.name} ${has}`);
  };
  world.push(1);
  world.push(2);
  world.promote('prod', 1);
  world.settle();
  expect([holders(1), holders(2)]).toEqual([['prod-1 runs', 'prod-2 runs'], []]);
  world.ask({ kind: 'create-token', token: 's', use: 'join', name: 's', secretDigest: 'a'.repeat(64), scopes: [], roles: ['seed'], environments: [], labels: {}, usesMax: 1, expiresAt: world.now + 1e9 });
  world.ask({ kind: 'enrol-member', token: 's', member: 'seed', name: 'a-seed', publicKey: 'seed', roles: ['seed'], attributes: {} });
  world.promote('prod', 2);
  world.settle();
  expect(holders(2)).toEqual(['a-seed keeps', 'prod-1 runs', 'prod-2 runs']);
});
