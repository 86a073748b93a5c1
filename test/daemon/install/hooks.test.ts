// The hook contract of agent.md, section 1.2, with real programs.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeploySpec, Hooks } from '../../../proto/deploy-spec.ts';
import { limits } from '../../../proto/limits.ts';
import { reportedOutput } from '../../../daemon/install/hooks.ts';
import { rootTag } from '../../../daemon/install/releases.ts';
import { type Bed, currentOf, deploy, idOf, makeBed, notServing, orderOf, processes, stagingDirectories, stage, waiting } from './support.ts';

const events = ['preInstall', 'postInstall', 'preActivate', 'postActivate', 'healthCheck', 'postCommit', 'preRollback', 'postRollback', 'cleanup'] as const;

/** Every event runs `hooks/<event>.sh`, when the release has it. */
const all: Hooks = Object.fromEntries(events.map((event) => [event, [{ run: [`hooks/${event}.sh`], timeoutSeconds: 5 }]]));
const spec: DeploySpec = { ...notServing, hooks: all };

/** Scripts that write down that they ran, in which directory, and then do what a test wants. */
function scripts(version: number, special: Partial<Record<(typeof events)[number], string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    events.map((event) => [
      `hooks/${event}.sh`,
      `#!/bin/sh\necho "${version} $STARLING_LIFECYCLE_EVENT $(basename "$PWD") attempt=$STARLING_ATTEMPT rollback=$STARLING_ROLLBACK" >> "$STARLING_SHARED_DIR/ran"\n${special[event] ?? 'exit 0'}\n`,
    ]),
  );
}

async function ran(bed: Bed): Promise<readonly string[]> {
  return (await readFile(join(bed.root, 'shared/ran'), 'utf8')).trim().split('\n');
}

async function withFirst(first: Parameters<typeof scripts>[1], work: (bed: Bed, installer: ReturnType<Bed['installer']>) => Promise<void>): Promise<void> {
  await using bed = await makeBed({}, undefined);
  await using installer = bed.installer();
  await installer.recover(waiting);
  await deploy(installer, bed.root, 1, { spec, files: { ...scripts(1, first), '../../shared/ran': '' } });
  await work(bed, installer);
}

describe('hooks', () => {
  it('run in order, each from the release that it belongs to', async () => {
    await withFirst({}, async (bed, installer) => {
      const before = (await ran(bed)).length;
      await deploy(installer, bed.root, 2, { spec, files: scripts(2) });
      expect((await ran(bed)).slice(before)).toEqual([
        `2 preInstall ${idOf(2)}.tmp attempt=1 rollback=0`,
        `2 postInstall ${idOf(2)} attempt=1 rollback=0`,
        `1 preActivate ${idOf(1)} attempt=1 rollback=0`,
        `2 postActivate ${idOf(2)} attempt=1 rollback=0`,
        `2 healthCheck ${idOf(2)} attempt=1 rollback=0`,
        `2 postCommit ${idOf(2)} attempt=1 rollback=0`,
        `2 cleanup ${idOf(2)} attempt=1 rollback=0`,
      ]);
    });
  });

  it('see a clean environment with the variables of the contract and nothing else', async () => {
    await withFirst({}, async (bed, installer) => {
      await deploy(installer, bed.root, 2, { spec, files: scripts(2, { postInstall: 'env > "$STARLING_SHARED_DIR/env"' }) });
      const environment = (await readFile(join(bed.root, 'shared/env'), 'utf8')).trim().split('\n').filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line));
      const releases = join(bed.root, 'releases');
      expect(environment.filter((line) => !/^(PATH|STARLING_TAG)=/.test(line)).toSorted()).toEqual([
        'LANG=C.UTF-8',
        'STARLING_APP=web',
        'STARLING_ATTEMPT=1',
        'STARLING_DEPLOYMENT_ID=d-2',
        'STARLING_ENVIRONMENT=prod',
        'STARLING_LIFECYCLE_EVENT=postInstall',
        `STARLING_PREVIOUS_RELEASE_DIR=${releases}/${idOf(1)}`,
        `STARLING_RELEASE_DIR=${releases}/${idOf(2)}`,
        `STARLING_REVISION=${orderOf(2).revision}`,
        'STARLING_ROLLBACK=0',
        'STARLING_SEQ=2',
        `STARLING_SHARED_DIR=${bed.root}/shared`,
        'STARLING_STAGE=prod',
      ]);
    });
  });

  it.each(['preInstall', 'postInstall'] as const)('%s that fails leaves nothing of the new release, and its output is reported', async (event) => {
    await withFirst({}, async (bed, installer) => {
      const outcome = await deploy(installer, bed.root, 2, { spec, files: scripts(2, { [event]: 'echo no luck; exit 3' }) });
      expect(outcome).toMatchObject({ kind: 'failed', code: 'HOOK_FAILED', detail: expect.stringContaining('exit code 3') });
      expect(installer.pendingReports().at(-1)).toMatchObject({ phase: 'failed', output: 'no luck\n' });
      expect(await stagingDirectories(bed.root)).toEqual([]);
      expect((await installer.status())[0]?.releases.map(({ id }) => id)).toEqual([idOf(1)]);
    });
  });

  it.each([75, 21])('that exit with %i before the switch put the installation off, and it can be tried again', async (code) => {
    await withFirst({}, async (bed, installer) => {
      const outcome = await deploy(installer, bed.root, 2, { spec, files: scripts(2, { preInstall: `exit ${code}` }) });
      expect(outcome).toMatchObject({ kind: 'deferred', code: 'HOOK_RETRY' });
      expect(installer.pendingReports().at(-1)).toMatchObject({ phase: 'deferred' });
      expect(await currentOf(bed.root)).toBe(idOf(1));
      expect(await stagingDirectories(bed.root)).toEqual([`${idOf(2)}.tmp`]);
      expect(await deploy(installer, bed.root, 2, { spec, files: scripts(2) })).toEqual({ kind: 'committed' });
    });
  });

  it('that ask for another try after the switch are tried again until their time is over', async () => {
    await withFirst({}, async (bed, installer) => {
      const once = 'test -e "$STARLING_SHARED_DIR/again" || { touch "$STARLING_SHARED_DIR/again"; exit 75; }';
      expect(await deploy(installer, bed.root, 2, { spec, files: scripts(2, { healthCheck: once }) })).toEqual({ kind: 'committed' });
    });
  });

  it.each(['exit 1', 'exit 75', 'exit 21'])('preActivate of the old release never blocks: %s', async (how) => {
    await withFirst({ preActivate: how }, async (bed, installer) => {
      expect(await deploy(installer, bed.root, 2, { spec, files: scripts(2) })).toEqual({ kind: 'committed' });
    });
  });

  it.each(['postActivate', 'healthCheck'] as const)('%s that fails rolls back, with both rollback hooks', async (event) => {
    await withFirst({}, async (bed, installer) => {
      const before = (await ran(bed)).length;
      const outcome = await deploy(installer, bed.root, 2, { spec, files: scripts(2, { [event]: 'exit 1' }) });
      expect(outcome).toMatchObject({ kind: 'rolled-back', code: event === 'healthCheck' ? 'HEALTH_FAILED' : 'HOOK_FAILED' });
      expect((await ran(bed)).slice(before).slice(-2)).toEqual([
        `2 preRollback ${idOf(2)} attempt=1 rollback=1`,
        `1 postRollback ${idOf(1)} attempt=1 rollback=1`,
      ]);
      expect(await currentOf(bed.root)).toBe(idOf(1));
    });
  });

  it.each(['postCommit', 'cleanup', 'preRollback', 'postRollback'] as const)('%s that fails changes nothing', async (event) => {
    await withFirst({ [event]: 'exit 1' }, async (bed, installer) => {
      const rolling = event.endsWith('Rollback');
      const outcome = await deploy(installer, bed.root, 2, { spec, files: scripts(2, { [event]: 'exit 1', ...(rolling ? { healthCheck: 'exit 1' } : {}) }) });
      expect(outcome.kind).toBe(rolling ? 'rolled-back' : 'committed');
    });
  });

  it('that hang are killed with all that they started', async () => {
    await withFirst({}, async (bed, installer) => {
      const hanging: DeploySpec = { ...notServing, hooks: { postInstall: [{ run: ['hooks/postInstall.sh'], timeoutSeconds: 0.3 }] } };
      const files = scripts(2, { postInstall: 'setsid sleep 3600 & sleep 3600 & echo waiting; sleep 3600' });
      const outcome = await deploy(installer, bed.root, 2, { spec: hanging, files });
      expect(outcome).toMatchObject({ kind: 'failed', code: 'HOOK_FAILED', detail: expect.stringContaining('still running after') });
      expect(installer.pendingReports().at(-1)?.output).toBe('waiting\n');
      await expect.poll(() => processes.tagged(rootTag(bed.root))).toEqual([]);
    });
  });

  it('leave nothing running behind them', async () => {
    await withFirst({}, async (bed, installer) => {
      const files = scripts(2, { postInstall: 'setsid sh -c "touch $STARLING_SHARED_DIR/left; sleep 3600" & until test -e $STARLING_SHARED_DIR/left; do sleep 0.05; done; sleep 3600 & exit 0' });
      expect(await deploy(installer, bed.root, 2, { spec, files })).toEqual({ kind: 'committed' });
      await expect.poll(() => processes.tagged(rootTag(bed.root))).toEqual([]);
    });
  });

  it('report the last 10 KiB of their output and keep the rest on the machine', async () => {
    await withFirst({}, async (bed, installer) => {
      const files = scripts(2, { postInstall: 'echo first; seq 1 20000; echo last >&2; exit 1' });
      await deploy(installer, bed.root, 2, { spec, files });
      const output = installer.pendingReports().at(-1)?.output ?? '';
      expect(Buffer.byteLength(output)).toBe(limits.reportOutputBytesMax);
      expect(output.endsWith('20000\nlast\n')).toBe(true);
      expect(await readFile(join(bed.root, '.state/hooks.log'), 'utf8')).toContain('first\n1\n2\n');
    });
  });

  it('that do not exist fail with a line that names them', async () => {
    await withFirst({}, async (bed, installer) => {
      const missing: DeploySpec = { ...notServing, hooks: { preInstall: [{ run: ['hooks/none.sh'] }] } };
      expect(await deploy(installer, bed.root, 2, { spec: missing })).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/hooks\/none\.sh.*cannot be started/) });
    });
  });
});

describe('an abort', () => {
  it('before the switch changes nothing, kills the hook and lets the order be tried again', async () => {
    await withFirst({}, async (bed, installer) => {
      const stopping = new AbortController();
      const staged = await stage(bed.root, 2, { files: scripts(2, { postInstall: 'touch "$STARLING_SHARED_DIR/hanging"; sleep 3600' }) });
      const installing = installer.install(orderOf(2, { spec }), staged, { signal: stopping.signal });
      installing.catch(() => {});
      await expect.poll(async () => await readFile(join(bed.root, 'shared/hanging')).then(() => true, () => false)).toBe(true);
      stopping.abort();
      await expect(installing).rejects.toMatchObject({ code: 'ABORTED' });
      expect(await currentOf(bed.root)).toBe(idOf(1));
      expect(await installer.install(orderOf(3, { spec: notServing }), await stage(bed.root, 3), waiting)).toEqual({ kind: 'committed' });
    });
  });

  it('after the switch is finished by the next start, which runs the interrupted hook again', async () => {
    await withFirst({}, async (bed, installer) => {
      const stopping = new AbortController();
      const hang = 'test -e "$STARLING_SHARED_DIR/hanging" || { touch "$STARLING_SHARED_DIR/hanging"; sleep 3600; }';
      const staged = await stage(bed.root, 2, { files: scripts(2, { postActivate: hang }) });
      const installing = installer.install(orderOf(2, { spec }), staged, { signal: stopping.signal });
      installing.catch(() => {});
      await expect.poll(async () => await readFile(join(bed.root, 'shared/hanging')).then(() => true, () => false)).toBe(true);
      stopping.abort();
      await expect(installing).rejects.toMatchObject({ code: 'ABORTED' });
      await using next = bed.installer();
      await next.recover(waiting);
      expect(await currentOf(bed.root)).toBe(idOf(2));
      expect(next.pendingReports().map(({ phase }) => phase).at(-1)).toBe('committed');
      expect(await ran(bed)).toContain(`2 postActivate ${idOf(2)} attempt=2 rollback=0`);
      expect((await ran(bed)).filter((line) => line.includes('1 preActivate'))).toHaveLength(1);
    });
  });
});

describe('an abort of a rollback', () => {
  it('is finished by the next start, which does not activate again', async () => {
    await withFirst({}, async (bed, installer) => {
      const stopping = new AbortController();
      const hang = 'test -e "$STARLING_SHARED_DIR/hanging" || { touch "$STARLING_SHARED_DIR/hanging"; sleep 3600; }';
      const staged = await stage(bed.root, 2, { files: scripts(2, { healthCheck: 'exit 1', preRollback: hang }) });
      const installing = installer.install(orderOf(2, { spec }), staged, { signal: stopping.signal });
      installing.catch(() => {});
      await expect.poll(async () => await readFile(join(bed.root, 'shared/hanging')).then(() => true, () => false)).toBe(true);
      stopping.abort();
      await expect(installing).rejects.toMatchObject({ code: 'ABORTED' });
      const before = (await ran(bed)).length;
      await using next = bed.installer();
      await next.recover(waiting);
      expect((await ran(bed)).slice(before)).toEqual([
        `2 preRollback ${idOf(2)} attempt=2 rollback=1`,
        `1 postRollback ${idOf(1)} attempt=2 rollback=1`,
      ]);
      expect(next.pendingReports().map(({ phase }) => phase).slice(-2)).toEqual(['rolling-back', 'rolled-back']);
      expect(next.pendingReports().at(-1)?.code).toBe('HEALTH_FAILED');
    });
  });
});

describe('reportedOutput()', () => {
  it('does not begin in the middle of a character', () => {
    const text = `${'a'.repeat(limits.reportOutputBytesMax)}`.replace(/^./, 'é') + 'z';
    expect(reportedOutput(`x${text}`).startsWith('a')).toBe(true);
    expect(reportedOutput('short')).toBe('short');
  });
});
