// What a start of the daemon makes of a root that was damaged between two of them (agent.md, 1.3; faults 4 and 34).

import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeploySpec } from '../../../proto/deploy-spec.ts';
import { releaseId } from '../../../daemon/core/release/activate.ts';
import { encodeEntry, type JournalEntry } from '../../../daemon/install/journal/journal.ts';
import { type Bed, currentOf, deploy, idOf, journalOf, loud, makeBed, notServing, orderOf, revisionOf, stagingDirectories, waiting } from './support.ts';

const failing: DeploySpec = { ...notServing, hooks: { healthCheck: [{ run: ['false'] }] } };

/** Releases 1, 2 and 3 were installed one after the other, and 1 was called stable. */
async function three(): Promise<Bed> {
  const bed = await makeBed({}, undefined);
  await using installer = bed.installer();
  await installer.recover(waiting);
  for (const number of [1, 2, 3]) {
    await deploy(installer, bed.root, number, { spec: notServing });
    if (number === 1) await installer.markStable('web', orderOf(1).revision);
    for (const { deployment, reportNo } of installer.pendingReports()) await installer.acknowledged(deployment, reportNo);
  }
  return bed;
}

describe('recover()', () => {
  it('restores the stable release when current is missing, and calls for a person', async () => {
    await using bed = await three();
    await rm(join(bed.root, 'current'));
    const lines: string[] = [];
    await using installer = bed.installer({ log: loud(lines) });
    await installer.recover(waiting);
    expect(await currentOf(bed.root)).toBe(idOf(1));
    expect(installer.pendingReports()).toMatchObject([{ phase: 'inconsistent', code: 'INCONSISTENT', detail: expect.stringContaining('current is missing') }]);
    expect(lines.join('\n')).toContain('a person is needed');
  });

  it('restores the previous release when the stable one is gone too', async () => {
    await using bed = await three();
    await rm(join(bed.root, 'current'));
    await rm(join(bed.root, 'releases', idOf(1)), { recursive: true });
    await using installer = bed.installer();
    await installer.recover(waiting);
    expect(await currentOf(bed.root)).toBe(idOf(2));
  });

  it('restores the stable release when a record of the journal cannot be read', async () => {
    await using bed = await three();
    const path = join(bed.root, '.state/journal.jsonl');
    await writeFile(path, (await journalOf(bed.root)).replace('"staged"', '"stagef"'));
    await using installer = bed.installer();
    await installer.recover(waiting);
    expect(await currentOf(bed.root)).toBe(idOf(1));
    expect(await readFile(`${path}.damaged`, 'utf8')).toContain('stagef');
  });

  it('keeps a directory that somebody put in the place of current, under another name', async () => {
    await using bed = await three();
    await rm(join(bed.root, 'current'));
    await mkdir(join(bed.root, 'current'));
    await writeFile(join(bed.root, 'current/by-hand'), 'x');
    await using installer = bed.installer();
    await installer.recover(waiting);
    expect(await currentOf(bed.root)).toBe(idOf(1));
    expect(await readFile(join(bed.root, 'current.found/by-hand'), 'utf8')).toBe('x');
  });

  it('keeps one staging directory, the latest, and removes what was half removed', async () => {
    await using bed = await three();
    for (const [seconds, name] of [`${idOf(8)}.tmp`, `${idOf(6)}.gone`, `${idOf(7)}.tmp`].entries()) {
      await mkdir(join(bed.root, 'releases', name));
      await utimes(join(bed.root, 'releases', name), seconds, seconds);
    }
    await using installer = bed.installer();
    await installer.recover(waiting);
    expect(await stagingDirectories(bed.root)).toEqual([`${idOf(7)}.tmp`]);
  });

  it('stops after two automatic attempts of one step: the new release is rolled back', async () => {
    await using bed = await three();
    await using installer = bed.installer();
    const order = { ...orderOf(4), stage: 'prod', notAfterMs: Date.now() + 60_000 };
    const { spec: _spec, ...journalled } = order;
    const steps: readonly JournalEntry[] = [
      { step: { kind: 'begin', order: journalled, to: releaseId(3, revisionOf(3)), from: releaseId(2, revisionOf(2)), rollback: true } },
      { step: { kind: 'activate' } },
      { step: { kind: 'attempt', step: 'activate' } },
      { step: { kind: 'attempt', step: 'activate' } },
    ];
    await writeFile(join(bed.root, '.state/journal.jsonl'), (await journalOf(bed.root)) + steps.map(encodeEntry).join(''));
    await installer.recover(waiting);
    expect(await currentOf(bed.root)).toBe(idOf(2));
    expect(installer.pendingReports().map(({ phase }) => phase)).toEqual(['rolling-back', 'rolled-back']);
    expect(installer.pendingReports().at(-1)?.detail).toContain('interrupted 3 times');
  });
});

describe('a rollback', () => {
  it('whose target is gone puts the stable release in place and says so', async () => {
    await using bed = await three();
    await using installer = bed.installer();
    await installer.recover(waiting);
    const spec: DeploySpec = { ...failing, hooks: { ...failing.hooks, postActivate: [{ run: ['rm', '-rf', join(bed.root, 'releases', idOf(3))] }] } };
    const outcome = await deploy(installer, bed.root, 4, { spec });
    expect(outcome).toMatchObject({ kind: 'inconsistent', code: 'INCONSISTENT', detail: expect.stringContaining(`${idOf(1)} runs instead`) });
    expect(await currentOf(bed.root)).toBe(idOf(1));
  });

  it('with nothing left to go back to stops rather than run half', async () => {
    await using bed = await makeBed({}, undefined);
    await using installer = bed.installer();
    await installer.recover(waiting);
    await deploy(installer, bed.root, 1, { spec: notServing });
    const spec: DeploySpec = { ...failing, hooks: { ...failing.hooks, postActivate: [{ run: ['rm', '-rf', join(bed.root, 'releases', idOf(1))] }] } };
    expect(await deploy(installer, bed.root, 2, { spec })).toMatchObject({ kind: 'inconsistent', detail: expect.stringContaining('no longer whole') });
    expect(await currentOf(bed.root)).toBeUndefined();
  });
});
