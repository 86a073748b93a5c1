// `starling worker`: comes for work again and again until it is told to stop. What it does with it is worker/carry-out.ts.

import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { carryOutBuild } from '../../worker/carry-out-build.ts';
import { carryOutStep, textOf, type WorkerContext } from '../../worker/carry-out.ts';
import type { World } from '../../world.ts';

interface WorkerFlags {
  readonly role: string;
  readonly directory: string;
  readonly name?: string;
  readonly jobs: string;
}

/** Between two tries when the control plane does not answer. */
const retryAfterMs = 2_000;
const jobsMax = 64;

export function registerWorker(program: Command, world: World): void {
  program
    .command('worker')
    .description('carry out steps of workflows and builds on this machine; needs a token with scope work:*, and for builds upload:app/<name> or upload:*')
    .option('--role <roles>', 'what it is for: tester, builder, or names that steps ask for; several as a,b', 'tester')
    .option('-d, --directory <directory>', 'where it works; each piece of work has a directory of its own there', 'starling-worker')
    .option('--name <name>', 'what it is called; the name of the machine when it is left out')
    .option('--jobs <number>', 'pieces of work at once', '1')
    .action(async (flags: WorkerFlags, command: Command) => {
      const { terminal, api } = contextOf(world, command);
      const jobs = /^[1-9][0-9]?$/.test(flags.jobs) ? Number(flags.jobs) : Number.NaN;
      if (!(jobs <= jobsMax)) throw new ControlError('CONFIG_INVALID', `--jobs: '${flags.jobs}' is not a number from 1 to ${jobsMax}`);
      const worker = (flags.name ?? hostname()).replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
      const roles = flags.role.split(',').map((role) => role.trim());
      const directory = resolve(world.directory, flags.directory);
      await mkdir(directory, { recursive: true });
      const steadfast = contextOf({ ...world, signal: new AbortController().signal }, command);
      const desk = await api();
      const context: WorkerContext = { api: await steadfast.api(), world, directory, say: (text) => terminal.say(visible(text)) };
      terminal.say(`worker '${worker}' takes work for ${roles.join(', ')}`);
      await Promise.all(Array.from({ length: jobs }, async () => await work(context, desk, worker, roles)));
    });
}

/** One piece after another until the worker is told to stop. */
async function work(context: WorkerContext, desk: Api, worker: string, roles: string[]): Promise<void> {
  const { world: { clock, signal }, say } = context;
  // A control plane that is away for a night is said to be away once, and to be back.
  let trouble = '';
  while (!signal.aborted) {
    const found = await desk.call('leaseWork', { params: {}, body: { worker, roles, waitMs: limits.workWaitMsMax } }).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      if (!(error instanceof ControlError) || !['UNREACHABLE', 'TOO_MANY_REQUESTS', 'STORAGE_FAILED', 'TIMED_OUT', 'FAILED'].includes(error.code)) throw error;
      if (textOf(error) !== trouble) say(`no work for now, and trying on: ${textOf(error)}`);
      trouble = textOf(error);
      return undefined;
    });
    if (found !== undefined && trouble !== '') {
      say('the control plane answers again');
      trouble = '';
    }
    if (found === undefined) await clock.wait(retryAfterMs, { signal }).catch(() => undefined);
    else if (found.work !== undefined) {
      const { work: piece } = found;
      say(piece.kind === 'step' ? `step '${piece.step}' of run ${piece.run}, attempt ${piece.attempt}` : `build ${piece.number} of ${piece.app}, attempt ${piece.attempt}`);
      await (piece.kind === 'step' ? carryOutStep(context, piece) : carryOutBuild(context, piece));
    }
  }
}
