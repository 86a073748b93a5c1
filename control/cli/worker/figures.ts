// The figures that a step leaves in its directory: report.json, or what a test runner wrote as JUnit XML, there or one directory further in.

import { glob, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { TestFiguresSchema } from '../../../proto/api/work.ts';
import type { TestFigures } from '../../../proto/events-pipeline.ts';
import { readJUnit, together } from './junit.ts';

const figures = Compile(TestFiguresSchema);
/** A step's own figures; a longer file is something else. */
const reportBytesMax = 64 * 1024;
/** Reports of one step, and bytes of each: what a large suite writes. */
const filesMax = 200;
const xmlBytesMax = 16 * 1024 * 1024;

/** What a step says of its tests; a file that is something else is not its fault, and is said. */
export async function figuresIn(directory: string, say: (text: string) => void): Promise<TestFigures | undefined> {
  return (await ownFigures(directory, say)) ?? (await junitFigures(directory, say));
}

async function ownFigures(directory: string, say: (text: string) => void): Promise<TestFigures | undefined> {
  const text = await readFile(join(directory, 'report.json'), 'utf8').catch(() => undefined);
  if (text === undefined || text.length > reportBytesMax) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (figures.Check(value)) return value;
  } catch {
    // Said below.
  }
  say('report.json is not {"passed", "total", "score"?}; it was not read');
  return undefined;
}

async function junitFigures(directory: string, say: (text: string) => void): Promise<TestFigures | undefined> {
  const names: string[] = [];
  for await (const name of glob(['*.xml', '*/*.xml'], { cwd: directory, exclude: (one) => one === 'node_modules' })) names.push(name);
  if (names.length > filesMax) say(`there are ${names.length} files of XML; the first ${filesMax} were read`);
  const found: TestFigures[] = [];
  for (const name of names.toSorted().slice(0, filesMax)) {
    const path = join(directory, name);
    const { size } = await stat(path);
    const read = size > xmlBytesMax ? undefined : readJUnit(await readFile(path, 'utf8'));
    if (read === undefined) say(`${name} is not JUnit XML, or longer than ${xmlBytesMax} bytes; it was not read`);
    else found.push(read);
  }
  return together(found);
}

/** What failed, in a sentence; empty when nothing did. */
export function failedText({ failed = [], passed, total }: TestFigures): string {
  if (failed.length === 0) return '';
  const shown = failed.slice(0, 3).join(', ');
  return `${total - passed} of ${total} tests failed: ${shown}${total - passed > 3 ? ', …' : ''}`;
}
