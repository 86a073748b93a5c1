// Walks a directory that is to be published: which directories, links and files it holds, in path order within each directory, and
// everything that is wrong with their names and kinds. What is in the files is read elsewhere.

import { isUtf8 } from 'node:buffer';
import { lstatSync, readdirSync, readlinkSync, type Dirent, type Stats } from 'node:fs';
import { ProtocolError } from '../../../proto/errors.ts';
import { limits } from '../../../proto/limits.ts';
import { checkPath, checkSymlink, collisionKey, quoted } from '../../../proto/path.ts';
import { DaemonError } from '../../errors.ts';
import { readFailure, type Problems } from './problems.ts';
import { systemCode } from '../failures.ts';

/** Something in the directory. `absolute` is where to read a file; what rights it has shows when it is opened, which spares a call for each. */
export type Found =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'file'; readonly path: string; readonly absolute: string };

/** What a tree says of rights: no writing for others, no set-user-id. The owner can always read, and enter and fill directories. */
const modeMask = 0o755;

/** The rights of a file in a tree, from those on the disk. */
export function fileMode(mode: number): number {
  return (mode & modeMask) | 0o400;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Everything under `root`, each directory before what is in it. What cannot be published goes to `problems` and is left out.
 * @throws {DaemonError} UNREADABLE_FILE when `root` is no directory that can be read; TREE_TOO_LARGE.
 */
export function* walk(root: string, caseSensitive: boolean, problems: Problems): Generator<Found> {
  checkRoot(root);
  const waiting: string[] = [''];
  let entries = 0;
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const below: string[] = [];
    const listed = list(root, directory, problems);
    for (const name of distinct(listed.names, directory, caseSensitive, problems)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      const found = look(root, path, listed.files.has(name), problems);
      if (found === undefined) continue;
      entries += 1;
      if (entries > limits.treeEntriesMax) throw new DaemonError('TREE_TOO_LARGE', `${root} has more than ${limits.treeEntriesMax} entries; publish a smaller tree, or several applications`);
      if (found.kind === 'directory') below.push(path);
      yield found;
    }
    // Not push(...below): a directory may hold more names than a call takes arguments.
    for (const path of below.toReversed()) waiting.push(path);
  }
}

/** The names without those that a file system blind to case or normalisation would take for an earlier one. */
function* distinct(names: readonly string[], directory: string, caseSensitive: boolean, problems: Problems): Generator<string> {
  const seen = new Map<string, string>();
  for (const name of names) {
    const key = caseSensitive ? name.normalize('NFC') : collisionKey(name);
    const earlier = seen.get(key);
    seen.set(key, name);
    if (earlier === undefined) yield name;
    else problems.add('PATH_COLLISION', `in ${quoted(directory || '.')}: ${spelled(earlier)} and ${spelled(name)} differ only in case or Unicode normalisation; rename one of them`);
  }
}

/** As it is; a name that looks like another one with its code points, since that is where the difference lies. */
function spelled(text: string): string {
  const points = text.normalize('NFC') === text ? '' : ` (${Array.from(text, (letter) => (letter > '~' ? `U+${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? ''}` : letter)).join('')})`;
  return `${quoted(text)}${points}`;
}

function checkRoot(root: string): void {
  let stats: Stats | undefined;
  try {
    stats = lstatSync(`${root}/`);
  } catch (cause) {
    const missing = systemCode(cause) === 'ENOENT';
    if (systemCode(cause) === 'ENOTDIR') throw new DaemonError('UNREADABLE_FILE', `${root} is not a directory; name the directory to publish`, { cause });
    throw new DaemonError('UNREADABLE_FILE', missing ? `there is no directory ${root}; name the directory to publish` : `${root} cannot be read as a directory: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (!stats.isDirectory()) throw new DaemonError('UNREADABLE_FILE', `${root} is not a directory; name the directory to publish`);
}

/** Names in one directory, sorted, and which of them are files. */
interface Listed {
  readonly names: readonly string[];
  readonly files: ReadonlySet<string>;
}

/** What Node puts for bytes that are not UTF-8; a name may also have it of its own. */
const replacement = '\ufffd';

function list(root: string, directory: string, problems: Problems): Listed {
  const absolute = directory === '' ? root : `${root}/${directory}`;
  let found: Dirent<Buffer>[];
  try {
    // As text it takes half the time that it takes as bytes, which only names with a replacement in them need.
    const texts = readdirSync(absolute, { withFileTypes: true });
    if (!texts.some(({ name }) => name.includes(replacement))) {
      return { names: texts.map(({ name }) => name).sort(), files: new Set(texts.filter((entry) => entry.isFile()).map(({ name }) => name)) };
    }
    found = readdirSync(absolute, { encoding: 'buffer', withFileTypes: true });
  } catch (cause) {
    const { code, message } = readFailure(directory || root, cause);
    problems.add(code, message);
    return { names: [], files: new Set() };
  }
  return decodeNames(found, directory, problems);
}

function decodeNames(found: readonly Dirent<Buffer>[], directory: string, problems: Problems): Listed {
  const names: string[] = [];
  const files = new Set<string>();
  for (const entry of found) {
    if (!isUtf8(entry.name)) {
      problems.add('INVALID_PATH', `in ${quoted(directory || '.')}: the name ${quoted(entry.name.toString('latin1'))} is not UTF-8; rename it`);
      continue;
    }
    const name = entry.name.toString();
    names.push(name);
    if (entry.isFile()) files.add(name);
  }
  return { names: names.sort(), files };
}

function look(root: string, path: string, isFile: boolean, problems: Problems): Found | undefined {
  const absolute = `${root}/${path}`;
  let advice = 'rename it, or leave it out';
  try {
    checkPath(path);
    // From here on what a link points to may be wrong, and its name is not.
    advice = 'or leave it out';
    if (isFile) return { kind: 'file', path, absolute };
    const stats = lstatSync(absolute);
    if (stats.isDirectory()) return { kind: 'directory', path, mode: (stats.mode & modeMask) | 0o700 };
    if (stats.isFile()) return { kind: 'file', path, absolute };
    if (stats.isSymbolicLink()) {
      const target = strictUtf8.decode(readlinkSync(absolute, { encoding: 'buffer' }));
      checkSymlink(path, target);
      return { kind: 'symlink', path, target };
    }
    problems.add('UNSUPPORTED_FILE', `${quoted(path)} is a ${kindOf(stats)}; only files, directories and symbolic links can be published: leave it out`);
  } catch (cause) {
    // That there are too many problems is no problem of this path.
    if (cause instanceof DaemonError) throw cause;
    if (cause instanceof ProtocolError) problems.add('INVALID_PATH', `${cause.message}; ${advice}`);
    else if (cause instanceof TypeError) problems.add('INVALID_PATH', `${quoted(path)} points to a name that is not UTF-8; make it anew, or leave it out`);
    else {
      const { code, message } = readFailure(path, cause);
      problems.add(code, message);
    }
  }
  return undefined;
}

function kindOf(stats: Stats): string {
  if (stats.isSocket()) return 'socket';
  if (stats.isFIFO()) return 'named pipe';
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return 'device';
  return 'special file';
}
