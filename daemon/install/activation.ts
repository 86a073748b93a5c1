// The steps from a staged directory to a committed release, and back (agent.md, section 1.2). Each one can be repeated:
// recovery.ts enters in the middle. What is journalled before what is here the order that a crash is recovered by.

import { dirname, join } from 'node:path';
import type { DeploySpec, LifecycleEvent } from '../../proto/deploy-spec.ts';
import { fallback, type EndResult, type InFlight } from '../core/release/activate.ts';
import { DaemonError, type DaemonErrorCode } from '../errors.ts';
import type { Application, Release } from './application.ts';
import { reportedOutput, type HookContext, type HookResult } from './hooks.ts';
import { checkHealth, orderedChecks } from './health.ts';
import type { Outcome, ReportDetails } from './installer.ts';
import { linkShared, point, pointed, removeRelease, requireLink, unlink } from './layout.ts';

/** One run through the steps. */
export interface Run {
  readonly app: Application;
  readonly inFlight: InFlight;
  /** 1, or more when a start of the daemon takes it up again. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** Why it does not go on: what the report says. */
export interface Cause {
  readonly code: DaemonErrorCode;
  readonly detail: string;
  readonly output?: string;
}

function causeOf(error: unknown): Cause {
  if (error instanceof DaemonError) return { code: error.code, detail: error.message };
  return { code: 'ACTIVATION_FAILED', detail: error instanceof Error ? error.message : String(error) };
}

function hookCause(result: Exclude<HookResult, { kind: 'passed' }>): Cause {
  const code = result.kind === 'later' ? 'HOOK_RETRY' : 'HOOK_FAILED';
  return { code, detail: result.detail, output: result.output };
}

async function parties({ app, inFlight }: Run): Promise<{ readonly next: Release | undefined; readonly old: Release | undefined }> {
  const [next, old] = await Promise.all([
    app.release(inFlight.to),
    inFlight.from === undefined ? undefined : app.release(inFlight.from),
  ]);
  return { next, old };
}

function context({ app, inFlight, attempt }: Run, releaseDirectory = join(app.tools.at.releases, inFlight.to)): HookContext {
  const previousDirectory = inFlight.from === undefined ? undefined : join(app.tools.at.releases, inFlight.from);
  const rollback = inFlight.rollback || inFlight.stage === 'rolling-back';
  return { order: inFlight.order, releaseDirectory, previousDirectory, attempt, rollback };
}

/** Runs hooks whose failure only counts as a line in the log. */
async function hookLogged(event: LifecycleEvent, release: Release | undefined, run: Run): Promise<void> {
  const result = await run.app.hook(event, release, context(run), run);
  if (result.kind !== 'passed') run.app.tools.log.warn({ event, detail: result.detail }, 'a hook failed and the deployment goes on');
}

/** Ends the installation: journalled and reported in one record. */
async function end({ app, inFlight }: Run, result: EndResult, cause: Cause | undefined): Promise<void> {
  const phase = result === 'abandoned' ? 'cancelled' : result;
  const details: ReportDetails = cause ?? {};
  const reason = cause === undefined ? {} : { code: cause.code, detail: cause.detail };
  await app.ledger.record({ kind: 'end', result, ...reason }, { subject: inFlight.order, phase, details });
  app.tools.log.info({ release: inFlight.to, result, ...reason }, 'installation ended');
}

/** Nothing was switched: the old release runs on. */
export async function fail(run: Run, cause: Cause): Promise<Outcome> {
  await end(run, 'failed', cause);
  return { kind: 'failed', code: cause.code, detail: cause.detail };
}

/**
 * Gives a staged directory its name, with its shared paths and its hooks around that (step 3). Without one the release is
 * on disk already, and only its hooks run. `undefined` when it is staged.
 */
export async function stage(run: Run, spec: DeploySpec, staged: string | undefined): Promise<Outcome | undefined> {
  const { app, inFlight } = run;
  const { disk, at } = app.tools;
  const final = join(at.releases, inFlight.to);
  const created = (await app.release(inFlight.to)) === undefined;
  try {
    await requireLink(disk, at.current);
    if (created && staged === undefined) throw new DaemonError('ACTIVATION_FAILED', `release ${inFlight.to} is not on disk and nothing was staged`);
    if (created && staged !== undefined) {
      await app.store(inFlight.order, spec);
      await linkShared(disk, at, staged, inFlight.to, spec);
    }
    const building = created && staged !== undefined ? staged : final;
    const before = await app.hook('preInstall', { spec, directory: building }, context(run, building), run);
    if (before.kind !== 'passed') return await hold(run, before, created, staged);
    if (building !== final) {
      await disk.rename(building, final);
      await disk.syncDirectory(at.releases);
    }
    const after = await app.hook('postInstall', { spec, directory: final }, context(run), run);
    if (after.kind !== 'passed') return await hold(run, after, created, staged);
    if (!created && staged !== undefined && dirname(staged) === at.releases) await disk.remove(staged);
  } catch (error) {
    if (run.signal.aborted) throw error;
    await discard(run, created, staged);
    return await fail(run, causeOf(error));
  }
  await app.ledger.record({ kind: 'staged' }, { subject: inFlight.order, phase: 'staged' });
  return undefined;
}

/** A hook of staging did not pass: what it was about stays for a later try, or goes. */
async function hold(
  run: Run,
  result: Exclude<HookResult, { kind: 'passed' }>,
  created: boolean,
  staged: string | undefined,
): Promise<Outcome> {
  const cause = hookCause(result);
  if (result.kind === 'later') {
    await end(run, 'deferred', cause);
    return { kind: 'deferred', code: cause.code, detail: cause.detail };
  }
  await discard(run, created, staged);
  return await fail(run, cause);
}

async function discard({ app, inFlight }: Run, created: boolean, staged: string | undefined): Promise<void> {
  const { disk, at, log } = app.tools;
  try {
    if (staged !== undefined) await disk.remove(staged);
    if (created && (await app.release(inFlight.to)) !== undefined) await removeRelease(disk, at, inFlight.to);
  } catch (error) {
    log.warn({ err: error, release: inFlight.to }, 'cannot remove what was staged; the next start does');
  }
}

/** Steps 4 to 8. The intention is journalled: `{ kind: 'activate' }`. */
export async function activate(run: Run): Promise<Outcome> {
  const { app, inFlight } = run;
  const { disk, at } = app.tools;
  const { old } = await parties(run);
  await hookLogged('preActivate', old, run);
  run.signal.throwIfAborted();
  try {
    await point(disk, at, at.current, inFlight.to);
  } catch (error) {
    if ((await pointed(disk, at, at.current)) !== inFlight.to) return await fail(run, causeOf(error));
    return await rollBack(run, causeOf(error));
  }
  return await bringUp(run);
}

/** From the switch on: start, check, commit, or go back. `current` points at the new release. */
export async function bringUp(run: Run): Promise<Outcome> {
  let cause: Cause | undefined;
  try {
    cause = await startAndCheck(run);
    if (cause === undefined) return await commit(run);
  } catch (error) {
    // Told to stop: what is under way stays as it is, for the next start to go on with.
    if (run.signal.aborted || run.app.ledger.state.inFlight === undefined) throw error;
    cause = causeOf(error);
  }
  return await rollBack(run, cause);
}

async function startAndCheck(run: Run): Promise<Cause | undefined> {
  const { app, inFlight, signal } = run;
  const { service } = app.tools;
  const { next, old } = await parties(run);
  if (next === undefined) return { code: 'ACTIVATION_FAILED', detail: `release ${inFlight.to} is no longer whole on disk` };
  const log = app.tools.at.instanceLog;
  const logged = await app.tools.disk.size(log);
  await service.switchTo(next.runnable, old?.runnable, { signal });
  const started = await app.hook('postActivate', next, context(run), run);
  if (started.kind !== 'passed') return hookCause(started);
  await app.ledger.report({ subject: inFlight.order, phase: 'health-checking' });
  const port = app.tools.port();
  const checks = [...next.spec.health, ...orderedChecks(inFlight.order.checks ?? [], port)];
  const health = await checkHealth(checks, { clock: app.tools.clock, status: async () => await service.status(next.runnable), port }, { signal });
  if (health.kind === 'unhealthy') return { code: 'HEALTH_FAILED', detail: health.detail, ...lastWords(await app.tools.disk.readText(log), logged) };
  const checked = await app.hook('healthCheck', next, context(run), run);
  if (checked.kind !== 'passed') return { ...hookCause(checked), code: 'HEALTH_FAILED' };
  await service.settle(next.runnable, { signal });
  return undefined;
}

/** What the instances wrote since the log had `from` bytes: the end of it, as a report carries it. */
function lastWords(text: string | undefined, from: number): { readonly output?: string } {
  const bytes = Buffer.from(text ?? '');
  const written = bytes.subarray(from <= bytes.length ? from : 0);
  if (written.length === 0) return {};
  return { output: reportedOutput(written.toString()) };
}

/** Step 7 and 8: from the record on it is over, and nothing that fails after it changes that. */
async function commit(run: Run): Promise<Outcome> {
  const { app } = run;
  await end(run, 'committed', undefined);
  try {
    await finishCommit(app, run.inFlight);
    const { next, old } = await parties(run);
    if (next !== undefined) await app.tools.service.retire(next.runnable, old?.runnable, run);
    await hookLogged('postCommit', next, run);
    await hookLogged('cleanup', next, run);
    await app.cleanUp();
  } catch (error) {
    app.tools.log.warn({ err: error }, 'the release is committed and something after that failed');
  }
  return { kind: 'committed' };
}

/** What a commit changes besides its record; done again by the next start when a crash came between. */
export async function finishCommit(app: Application, committed: Pick<InFlight, 'to' | 'from'>): Promise<void> {
  const { disk, at } = app.tools;
  const { to, from } = committed;
  await app.markGood(to);
  if (from === undefined || from === to || (await pointed(disk, at, at.previous)) === from) return;
  if ((await app.release(from)) !== undefined) await point(disk, at, at.previous, from);
}

/** Journals that it goes back and why, and goes. */
export async function rollBack(run: Run, cause: Cause): Promise<Outcome> {
  const { app, inFlight } = run;
  const { code, detail } = cause;
  await app.ledger.record({ kind: 'roll-back', code, detail }, { subject: inFlight.order, phase: 'rolling-back', details: cause });
  return await finishRollBack({ ...run, inFlight: { ...inFlight, stage: 'rolling-back' } }, cause);
}

/** Step R. `current` may point at either; hooks may have run before. */
export async function finishRollBack(run: Run, cause: Cause): Promise<Outcome> {
  const { app, inFlight, signal } = run;
  const { disk, at, service, log } = app.tools;
  const { next, old } = await parties(run);
  await hookLogged('preRollback', next, run);
  const second = old === undefined && inFlight.from !== undefined ? fallback(await app.found()) : undefined;
  const target = old ?? (second === undefined || second === inFlight.to ? undefined : await app.release(second));
  let wrong: string | undefined;
  try {
    if (target === undefined) {
      await unlink(disk, at.current);
      await service.stop(next?.runnable, { signal });
      if (inFlight.from !== undefined) wrong = `release ${inFlight.from}, to go back to, is no longer whole on disk: deploy it again`;
    } else {
      if ((await pointed(disk, at, at.current)) !== target.id) await point(disk, at, at.current, target.id);
      await service.revert(target.runnable, next?.runnable, { signal });
      const status = async () => await service.status(target.runnable);
      const health = await checkHealth(target.spec.health, { clock: app.tools.clock, status, port: app.tools.port() }, { signal });
      if (health.kind === 'unhealthy') wrong = `release ${target.id} was put back and is not healthy: ${health.detail}`;
      else if (target.id !== inFlight.from) wrong = `release ${inFlight.from ?? ''} is no longer whole on disk, ${target.id} runs instead`;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    wrong = `could not go back: ${causeOf(error).detail}`;
  }
  await hookLogged('postRollback', target, run);
  await app.markBad(inFlight.to, `${cause.code}: ${cause.detail}`);
  if (wrong !== undefined) {
    log.error({ release: inFlight.to, wrong }, 'the rollback failed: a person is needed');
    const inconsistent: Cause = { code: 'INCONSISTENT', detail: `${wrong} (after ${cause.code}: ${cause.detail})` };
    await end(run, 'inconsistent', inconsistent);
    return { kind: 'inconsistent', code: inconsistent.code, detail: inconsistent.detail };
  }
  const result = target === undefined ? 'failed' : 'rolled-back';
  await end(run, result, cause);
  return { kind: result, code: cause.code, detail: cause.detail };
}
