// The real program `starling` as a process for end-to-end tests, in a temporary directory of its own, and what it left behind.

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileCache } from '../support/compile-cache.ts';

const main = fileURLToPath(new URL('../../control/main.ts', import.meta.url));

export interface Program {
  readonly out: () => string;
  readonly err: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  kill(signal: 'SIGINT' | 'SIGTERM'): void;
  /** Resolves when `text` was written to either stream, or rejects when the program ends first. */
  said(text: string): Promise<void>;
}

/** A directory that the programs take for the machine's temporary one. */
export class Sandbox implements AsyncDisposable {
  readonly directory: string;
  readonly #running = new Set<Program>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Sandbox> {
    return new Sandbox(await realpath(await mkdtemp(join(tmpdir(), 'starling-e2e-'))));
  }

  starling(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [main, ...args], { cwd: this.directory, env: { ...compileCache(), PATH, HOME: this.directory, TMPDIR: this.directory, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    let over = false;
    const waiting = new Set<() => void>();
    const look = (): void => waiting.forEach((each) => each());
    child.stdout.on('data', (chunk: Buffer) => ((out += chunk.toString()), look()));
    child.stderr.on('data', (chunk: Buffer) => ((err += chunk.toString()), look()));
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      child.once('close', (code) => {
        over = true;
        look();
        resolve({ code, out, err });
      });
    });
    const program: Program = {
      out: () => out,
      err: () => err,
      ended,
      kill: (signal) => void child.kill(signal),
      said: async (text) =>
        await new Promise<void>((resolve, reject) => {
          const check = (): void => {
            if (out.includes(text) || err.includes(text)) resolve();
            else if (over) reject(new Error(`the program ended without saying ${text}:\n${out}\n${err}`));
            else return;
            waiting.delete(check);
          };
          waiting.add(check);
          check();
        }),
    };
    this.#running.add(program);
    void ended.then(() => this.#running.delete(program));
    return program;
  }

  /** Runs to the end. @throws {Error} with all that was written when it ends with another code. */
  async ended(program: Program, expected: number): Promise<{ readonly out: string; readonly err: string }> {
    const { code, out, err } = await program.ended;
    if (code !== expected) throw new Error(`exit code ${code}, expected ${expected}\n${out}\n${err}`);
    return { out, err };
  }

  /** Names of what lies in the directory, and the processes that work in it. */
  async leftBehind(): Promise<{ readonly files: readonly string[]; readonly processes: readonly string[] }> {
    const ids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
    const processes = await Promise.all(
      ids.map(async (id) => {
        const cwd = await readlink(`/proc/${id}/cwd`).catch(() => '');
        const command = await readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '');
        return cwd.startsWith(this.directory) || command.includes(this.directory) ? [`${id} ${command.replaceAll('\0', ' ')}`] : [];
      }),
    );
    return { files: (await readdir(this.directory)).filter((name) => name.startsWith('starling-demo-')), processes: processes.flat() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Only after a failure is there any: a demo that is told to stop takes its processes with it.
    for (const program of this.#running) program.kill('SIGTERM');
    await Promise.all([...this.#running].map(async ({ ended }) => await ended));
    await rm(this.directory, { recursive: true, force: true });
  }
}
