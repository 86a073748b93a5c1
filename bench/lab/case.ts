// One case of a benchmark, run inside of its own lab: in a process of its own on the host `control`, whose cable is not shaped, so that it reaches every
// other host. The process outside builds the lab, waits, and removes it, also when the one inside is killed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { attachLab, clearLab, createLab, labMissing, type Lab } from './lab.ts';
import type { LabPlan, Owner } from './plan.ts';

/** The host on which the case itself runs; every plan has it. */
export const console = 'control';
const variable = 'STARLING_LAB_CASE';

interface Call {
  readonly plan: LabPlan;
  readonly owner: Owner;
  readonly input: unknown;
}

/**
 * Builds the lab and has `module`, which calls {@link onCase}, measure in it.
 * @throws {Error} what is missing on this machine, or how the case ended.
 */
export async function runCase<Input, Output>(module: URL, plan: LabPlan, input: Input): Promise<Output> {
  const missing = await labMissing();
  if (missing !== undefined) throw new Error(missing);
  await using lab = await createLab(plan);
  const { namespace } = lab.host(console);
  const call: Call = { plan, owner: lab.owner, input };
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, fileURLToPath(module)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [variable]: JSON.stringify(call) },
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.once('SIGINT', forward).once('SIGTERM', forward);
  try {
    let answer: { readonly value: Output } | undefined;
    child.on('message', (message: { readonly value: Output }) => (answer = message));
    await once(child, 'exit');
    if (answer === undefined) throw new Error(`the case ended with ${child.exitCode ?? child.signalCode} and without a result; what it said is above`);
    return answer.value;
  } finally {
    process.off('SIGINT', forward).off('SIGTERM', forward);
  }
}

/** Called by the module of a case: measures in the lab around it and hands the result out. */
export async function onCase<Input, Output>(measure: (lab: Lab, input: Input) => Promise<Output>): Promise<void> {
  const text = process.env[variable];
  if (text === undefined || process.send === undefined) throw new Error('this is a part of a benchmark: run it with `npm run bench`');
  // What our own `runCase` wrote.
  const { plan, owner, input } = JSON.parse(text) as Call & { readonly input: Input };
  // The process outside was killed: nobody else is left to clean up.
  process.once('disconnect', () => void clearLab(owner).finally(() => process.exit(1)));
  const value = await measure(attachLab(plan, owner), input);
  await new Promise<void>((resolve) => process.send?.({ value }, () => resolve()));
  // Whatever a case has left behind must not keep it: the process outside waits for the end of this one.
  process.exit(0);
}
