// The files that `-f` names: one, all of a directory, or what is piped in, read and checked. What is wrong with them is told
// all together, and nothing is sent before it is put right.

import { readdir, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { PipelineFile } from '../files/compile.ts';
import { problemText, type FileProblem } from '../files/problem.ts';
import { readFileText } from '../files/read.ts';
import { sourceBytesMax } from '../files/source.ts';
import { ControlError } from '../errors.ts';
import type { Terminal } from './text/terminal.ts';
import type { World } from './world.ts';

/** Files of one directory. */
const filesMax = 200;

/** What files say. */
export interface Sources {
  readonly files: readonly string[];
  readonly pipelines: readonly (PipelineFile & { readonly file: string })[];
  readonly problems: readonly FileProblem[];
  readonly warnings: readonly FileProblem[];
}

/** @throws {ControlError} CONFIG_INVALID when a file cannot be read or there is none. */
export async function readSources(world: World, names: readonly string[]): Promise<Sources> {
  const files = (await Promise.all(names.map(async (name) => (name === '-' ? ['-'] : await filesOf(world, name))))).flat();
  const read = [];
  for (const file of files) read.push({ file, ...readFileText(file === '-' ? 'stdin' : file, await textOf(world, file)) });
  const pipelines = read.flatMap(({ file, pipelines: found }) => found.map((pipeline) => ({ ...pipeline, file })));
  const twice = pipelines.find(({ pipeline }, index) => pipelines.findIndex((other) => other.pipeline === pipeline) !== index);
  if (twice !== undefined) throw new ControlError('CONFIG_INVALID', `pipeline '${twice.pipeline}' is there twice, in ${pipelines.filter(({ pipeline }) => pipeline === twice.pipeline).map(({ file }) => file).join(' and ')}`);
  return { files, pipelines, problems: read.flatMap(({ problems }) => problems), warnings: read.flatMap(({ warnings }) => warnings) };
}

/**
 * The same, with warnings said and problems thrown.
 * @throws {ControlError} CONFIG_INVALID with every problem on a line of its own.
 */
export async function soundSources(world: World, terminal: Terminal, names: readonly string[], strict: boolean): Promise<Sources> {
  const sources = await readSources(world, names);
  const problems = strict ? [...sources.problems, ...sources.warnings] : sources.problems;
  if (!strict) for (const warning of sources.warnings) terminal.say(`${terminal.paintError('yellow', 'warning:')} ${problemText(warning)}`);
  if (problems.length > 0) throw new ControlError('CONFIG_INVALID', `${problems.length === 1 ? 'one thing is' : `${problems.length} things are`} wrong, and nothing was changed:\n${problems.map(problemText).join('\n')}`);
  if (sources.pipelines.length === 0) throw new ControlError('CONFIG_INVALID', `there is no pipeline in ${names.join(', ')}`);
  return sources;
}

async function filesOf(world: World, name: string): Promise<readonly string[]> {
  const path = resolve(world.directory, name);
  const shown = isAbsolute(name) ? name : relative(world.directory, path) || '.';
  const found = await refusing(shown, async () => await stat(path));
  if (!found.isDirectory()) return [shown];
  const names = (await refusing(shown, async () => await readdir(path))).filter((one) => /\.ya?ml$/.test(one)).toSorted();
  if (names.length === 0) throw new ControlError('CONFIG_INVALID', `there is no file *.yaml in ${shown}`);
  if (names.length > filesMax) throw new ControlError('CONFIG_INVALID', `${shown} holds ${names.length} files; at most ${filesMax} are read at once`);
  return names.map((one) => join(shown, one));
}

async function textOf(world: World, file: string): Promise<string> {
  if (file !== '-') return await refusing(file, async () => await readFile(resolve(world.directory, file), 'utf8'));
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of world.stdin) {
    world.signal.throwIfAborted();
    bytes += part.length;
    // One more than is read, so that the reader says how it is.
    if (bytes > 2 * sourceBytesMax) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function refusing<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new ControlError('CONFIG_INVALID', code === 'ENOENT' ? `there is no file '${name}'` : `'${name}' cannot be read (${code})`, { cause });
  }
}
