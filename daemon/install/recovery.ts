// What a start of the daemon does with what it finds: carries out the plan of daemon/core/release/activate.ts for one application.

import { join } from 'node:path';
import { type InFlight, planRecovery, type Recovery, type ReleaseId } from '../core/release/activate.ts';
import type { DaemonErrorCode } from '../errors.ts';
import { activate, bringUp, fail, finishCommit, finishRollBack, rollBack, type Run } from './activation.ts';
import type { Application } from './application.ts';
import { endStrayHooks } from './hooks.ts';
import { point, prepare, sweep } from './layout.ts';

/** Reads the journal and the disk, and finishes or undoes what was interrupted. */
export async function recoverApplication(app: Application, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const { disk, at, log } = app.tools;
  await prepare(disk, at);
  await app.own();
  await app.ledger.open();
  endStrayHooks(app.tools);
  await sweep(disk, at);
  const plan = planRecovery(app.ledger.state, await app.found());
  if (plan.kind !== 'idle' && plan.kind !== 'run') log.warn({ plan, inFlight: app.ledger.state.inFlight?.to }, 'recovering an interrupted installation');
  app.recovered = true;
  await carryOut(app, plan, signal);
}

async function carryOut(app: Application, plan: Recovery, signal: AbortSignal): Promise<void> {
  const { inFlight } = app.ledger.state;
  switch (plan.kind) {
    case 'idle':
      await app.tools.service.stop(undefined, { signal });
      return;
    case 'run':
      await finishLast(app, plan.release);
      await run(app, plan.release, signal);
      return;
    case 'restore':
      await restore(app, plan, signal);
      return;
    case 'abandon':
    case 'fail':
    case 'activate':
    case 'check-health':
    case 'roll-back':
      if (inFlight !== undefined) await takeUp(app, plan, inFlight, signal);
      return;
    default:
      plan satisfies never;
  }
}

type Interrupted = Extract<Recovery, { kind: 'abandon' | 'fail' | 'activate' | 'check-health' | 'roll-back' }>;

async function takeUp(app: Application, plan: Interrupted, inFlight: InFlight, signal: AbortSignal): Promise<void> {
  const step = plan.kind === 'roll-back' ? 'roll-back' : 'activate';
  const again: Run = { app, inFlight, attempt: inFlight.attempts[step] + 2, signal };
  switch (plan.kind) {
    case 'abandon':
      // Its staging directory has links in it by now, so no fetch can take it up.
      await app.tools.disk.remove(join(app.tools.at.releases, `${inFlight.to}.tmp`));
      await app.ledger.record({ kind: 'end', result: 'abandoned' });
      await runOrStop(app, inFlight.from, signal);
      return;
    case 'fail':
      await fail(again, plan);
      await runOrStop(app, inFlight.from, signal);
      return;
    case 'activate':
      await app.ledger.record({ kind: 'attempt', step });
      await activate(again);
      return;
    case 'check-health':
      await app.ledger.record({ kind: 'attempt', step });
      await bringUp(again);
      return;
    case 'roll-back': {
      const cause = { code: errorCode(plan.code), detail: plan.detail };
      if (inFlight.stage !== 'rolling-back') {
        await rollBack({ ...again, attempt: 1 }, cause);
        return;
      }
      await app.ledger.record({ kind: 'attempt', step });
      await finishRollBack(again, cause);
      return;
    }
    default:
      plan satisfies never;
  }
}

/** Codes that a rollback is journalled with; another word there is another daemon's. */
const causes: readonly DaemonErrorCode[] = ['HOOK_FAILED', 'HEALTH_FAILED', 'PORT_IN_USE', 'NO_SPACE', 'STORAGE_FAILED', 'INVALID_PATH'];

function errorCode(text: string): DaemonErrorCode {
  return causes.find((code) => code === text) ?? 'ACTIVATION_FAILED';
}

async function runOrStop(app: Application, release: ReleaseId | undefined, signal: AbortSignal): Promise<void> {
  if (release === undefined) await app.tools.service.stop(undefined, { signal });
  else await run(app, release, signal);
}

/** Sees that a release runs. That it does not is no reason for the daemon not to: the status says so, and the watch tries on. */
async function run(app: Application, id: ReleaseId, signal: AbortSignal): Promise<void> {
  const release = await app.release(id);
  if (release === undefined) return;
  try {
    await app.tools.service.resume(release.runnable, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    app.tools.log.error({ err: error, release: id }, 'cannot run the installed release');
  }
}

/** A crash may have come between the record of a commit and what follows from it. */
async function finishLast(app: Application, running: ReleaseId): Promise<void> {
  const { last } = app.ledger.state;
  if (last?.result === 'committed' && last.to === running) await finishCommit(app, last);
}

async function restore(app: Application, plan: Extract<Recovery, { kind: 'restore' }>, signal: AbortSignal): Promise<void> {
  const { disk, at, log } = app.tools;
  const { state } = app.ledger;
  const into = plan.release === undefined ? 'and there is nothing to put in its place' : `${plan.release} was put in place`;
  const detail = `${plan.detail}; ${into}: see ${at.root} and deploy again`;
  log.error({ detail }, 'the installation is inconsistent: a person is needed');
  if (plan.release !== undefined) {
    const kind = await disk.kind(at.current);
    // Whatever has the place of the link is a person's: kept beside it.
    if (kind !== undefined && kind !== 'link') await disk.rename(at.current, `${at.current}.found`);
    await point(disk, at, at.current, plan.release);
  }
  await runOrStop(app, plan.release, signal);
  const subject = state.inFlight?.order ?? state.last?.order;
  const report = subject === undefined ? undefined : { subject, phase: 'inconsistent' as const, details: { code: 'INCONSISTENT' as const, detail } };
  if (state.inFlight !== undefined) await app.ledger.record({ kind: 'end', result: 'inconsistent', code: 'INCONSISTENT', detail }, report);
  else if (report !== undefined) await app.ledger.report(report);
}
