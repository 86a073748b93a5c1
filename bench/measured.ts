// Running other programs and looking at what they cost: wall time and processor time of a child, and how to find out that one is missing.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a program cost. */
export interface Cost {
  readonly wallMs: number;
  /** Of the program and of everything that it waited for. */
  readonly cpuMs: number;
}

/** Whether a program can be started. */
export function isInstalled(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end. @throws {Error} with what it said when it fails. */
export async function cost(command: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Cost> {
  // `time` of a shell counts the children's processor time, which Node does not tell of one child.
  const startedAt = performance.now();
  const child = spawn('bash', ['-c', 'TIMEFORMAT="cpu %3U %3S"; time "$0" "$@"', ...command], { env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  await once(child, 'close');
  const wallMs = performance.now() - startedAt;
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)\s*$/.exec(said) ?? [];
  if (child.exitCode !== 0 || user === undefined) throw new Error(`${command.join(' ')} ended with ${child.exitCode ?? child.signalCode}: ${said}`);
  return { wallMs, cpuMs: (Number(user) + Number(system)) * 1000 };
}
