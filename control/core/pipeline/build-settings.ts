// What may be said of how an application is built. Urls and branches become arguments of git: nothing here may be taken for an
// option of it, and no transport that runs commands is let through.

import type { BuildSettings } from '../../../proto/events-build.ts';

/** Between two looks: often enough for people, seldom enough for the server that is asked. */
export const intervalMsMin = 5_000;
const pathsMax = 50;
const dayMs = 86_400_000;

/** What is wrong with settings, in words; empty when nothing is. */
export function settingsProblems({ repo, intervalMs, command, output, timeoutMs, role }: BuildSettings): readonly string[] {
  const problems: string[] = [];
  // What is said here is on record for everybody who may read.
  if (/^https?:\/\/[^/]*@|^[a-z]+:\/\/[^/@]*:[^/]*@/.test(repo.url)) problems.push("the address of the repository has a user or a password in it; leave it out, and give git a credential helper or an ssh key");
  else if (!isRepoUrl(repo.url)) problems.push(`'${repo.url.slice(0, 100)}' is not a repository: https://, http://, ssh://, git://, file:// or name@host:path`);
  if (!isBranch(repo.branch)) problems.push(`'${repo.branch.slice(0, 100)}' is not the name of a branch, such as main`);
  if (repo.paths.length > pathsMax) problems.push(`${repo.paths.length} paths; at most ${pathsMax}`);
  const wrong = repo.paths.find((path) => path === '' || path.length > 256 || path.startsWith('/') || path.startsWith(':'));
  if (wrong !== undefined) problems.push(`'${wrong}' is not a path in the repository, such as src/**`);
  if (!(intervalMs >= intervalMsMin && intervalMs <= dayMs)) problems.push(`an interval of ${intervalMs} ms; expected from ${intervalMsMin} to ${dayMs}`);
  if (command.trim() === '' || command.length > 4_096) problems.push('the command is empty, or longer than 4096 characters');
  if (!isInside(output)) problems.push(`'${output.slice(0, 100)}' is not a directory of the checkout, such as dist`);
  if (!(timeoutMs >= 1_000 && timeoutMs <= dayMs)) problems.push(`a timeout of ${timeoutMs} ms; expected from 1000 to ${dayMs}`);
  if (!/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(role)) problems.push(`'${role.slice(0, 64)}' is not a role of workers, such as builder`);
  return problems;
}

function isRepoUrl(url: string): boolean {
  if (url.length > 1_024 || /[\p{Cc}\s]/u.test(url)) return false;
  // In a host or a user's name a leading hyphen would be an option of ssh.
  return /^(https?|ssh|git):\/\/[^-/][^/]*\/.+$/.test(url) && !/@-/.test(url) || /^file:\/\/\/.+$/.test(url) || /^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^-:].*$/.test(url);
}

function isBranch(branch: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}$/.test(branch) && !/\.\.|\/\/|\.lock$|[./]$/.test(branch);
}

function isInside(path: string): boolean {
  return path.length > 0 && path.length <= 256 && !path.startsWith('/') && !/[\p{Cc}\\]/u.test(path) && path.split('/').every((part) => part !== '..');
}
