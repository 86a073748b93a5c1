// What is asked of git, never through a shell: the newest commit of a branch, the changes since another, and a checkout. Every request has
// a time limit and asks for no password; transports that run commands are refused. Who asks when is control/work and the worker.

import { mkdir } from 'node:fs/promises';
import { x } from 'tinyexec';
import type { ChangeRecord } from '../../proto/events-pipeline.ts';
import { ControlError } from '../errors.ts';

/** Where to look. */
export interface Branch {
  readonly url: string;
  readonly branch: string;
}

export interface GitOptions {
  readonly signal: AbortSignal;
}

/** For one question to a server. */
const askMs = 60_000;
/** For fetching: histories and trees take longer than questions. */
const fetchMs = 10 * 60_000;
/** Commits that are fetched of a branch, and changes that are told: who is further behind is told of the newest. */
export const historyMax = 200;
const messageMax = 500;
const authorMax = 256;

/** No prompt, no transport that runs commands, and nothing of what a worker knows of the control plane. */
const environment = { GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'https:http:ssh:git:file', LC_ALL: 'C', STARLING_TOKEN: undefined, STARLING_TOKEN_FILE: undefined };

/** The newest commit of a branch. @throws {ControlError} UNREACHABLE, NOT_FOUND when there is no such branch. */
export async function headOf({ url, branch }: Branch, options: GitOptions): Promise<string> {
  const { code, out, said } = await git(['ls-remote', '--exit-code', '--', url, `refs/heads/${branch}`], { ...options, ms: askMs });
  if (code === 2) throw new ControlError('NOT_FOUND', `${url} has no branch '${branch}'`);
  const commit = /^([0-9a-f]{40,64})\s/.exec(out)?.[1];
  if (code !== 0 || commit === undefined) throw new ControlError('UNREACHABLE', `${url} could not be asked for branch '${branch}': ${said}`);
  return commit;
}

/**
 * The newest commit of a branch and the changes since `since`, oldest first; without it, or when the history no longer has it, the newest
 * alone. `mirror` is a directory that keeps what was fetched. @throws {ControlError} UNREACHABLE.
 */
export async function changesSince({ url, branch, paths, since, mirror }: Branch & { readonly paths: readonly string[]; readonly since?: string | undefined; readonly mirror: string }, options: GitOptions): Promise<{ readonly head: string; readonly changes: readonly ChangeRecord[] }> {
  await mkdir(mirror, { recursive: true, mode: 0o700 });
  await done(['init', '--quiet', '--bare', '.'], { ...options, ms: askMs, directory: mirror });
  await done(['fetch', '--quiet', '--no-tags', `--depth=${historyMax}`, '--', url, `+refs/heads/${branch}:refs/heads/watched`], { ...options, ms: fetchMs, directory: mirror });
  const head = (await done(['rev-parse', 'refs/heads/watched'], { ...options, ms: askMs, directory: mirror })).trim();
  const known = since !== undefined && (await git(['cat-file', '-e', `${since}^{commit}`], { ...options, ms: askMs, directory: mirror })).code === 0;
  const range = known ? [`-n${historyMax}`, `${since}..${head}`] : ['-n1', head];
  const log = await done(['log', '-z', '--format=%H%x1f%ct%x1f%an <%ae>%x1f%s', ...range, '--', ...paths.map((path) => `:(glob)${path}`)], { ...options, ms: askMs, directory: mirror });
  const changes = log.split('\0').flatMap((record): readonly ChangeRecord[] => {
    const [commit = '', seconds = '', author = '', ...message] = record.trim().split('\u001f');
    return commit === '' ? [] : [{ commit, author: author.slice(0, authorMax) || 'unknown', message: message.join(' ').slice(0, messageMax), checkedInAt: Number(seconds) * 1000 }];
  });
  return { head, changes: changes.toReversed() };
}

/** Puts the files of a commit into an empty directory. @throws {ControlError} UNREACHABLE. */
export async function checkOut({ url, branch, commit, directory }: Branch & { readonly commit: string; readonly directory: string }, options: GitOptions): Promise<void> {
  const inside = { ...options, directory, ms: fetchMs };
  await done(['init', '--quiet', '.'], inside);
  // The one commit, where the server lets it be asked for; else the branch that it is of.
  const one = await git(['fetch', '--quiet', '--no-tags', '--depth=1', '--', url, commit], inside);
  if (one.code !== 0) await done(['fetch', '--quiet', '--no-tags', '--', url, `refs/heads/${branch}`], inside);
  await done(['checkout', '--quiet', '--detach', commit, '--'], inside);
}

interface RunOptions extends GitOptions {
  readonly ms: number;
  readonly directory?: string;
}

/** The output of a request that must succeed. */
async function done(args: readonly string[], options: RunOptions): Promise<string> {
  const { code, out, said } = await git(args, options);
  if (code !== 0) throw new ControlError('UNREACHABLE', `git ${args[0] ?? ''} failed: ${said}`);
  return out;
}

async function git(args: readonly string[], { signal, ms, directory }: RunOptions): Promise<{ readonly code: number | undefined; readonly out: string; readonly said: string }> {
  try {
    const running = x('git', [...args], { signal, timeout: ms, nodePath: false, nodeOptions: { env: environment, ...(directory === undefined ? {} : { cwd: directory }) } });
    const { stdout, stderr, exitCode } = await running;
    const said = running.aborted && !signal.aborted ? `it took longer than ${ms / 1000} s` : (stderr.trim().split('\n').at(-1) ?? '').slice(0, 300);
    return { code: exitCode, out: stdout, said: said === '' ? `exit code ${exitCode ?? 'none'}` : said };
  } catch (error) {
    return { code: undefined, out: '', said: error instanceof Error ? error.message : String(error) };
  }
}
