// The tree of the demo's application: its few own files, and the production dependencies that its package.json names, copied out of the
// node_modules of this very checkout with everything that they need in turn. Real packages, nothing generated, nothing downloaded.

import { constants } from 'node:fs';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../../errors.ts';

const Names = Type.Record(Type.String(), Type.String());
const PackageSchema = Type.Object({ dependencies: Type.Optional(Names), optionalDependencies: Type.Optional(Names) });
const packageFile = Compile(PackageSchema);
type Package = Type.Static<typeof PackageSchema>;

/** Packages in one tree: bounds a walk over whatever lies in node_modules. */
const packagesMax = 2_000;

/**
 * Copies the application in `source` and its dependencies out of `checkout` to `target`, which must not exist.
 * @throws {ControlError} FAILED when a dependency is not installed.
 */
export async function buildTree(source: string, checkout: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await copy(source, target, () => true);
  for (const directory of await closure(source, checkout)) {
    await copy(directory, join(target, relative(checkout, directory)), (path) => !relative(directory, path).split(sep).includes('node_modules'));
  }
}

/**
 * The directories of every package that the one in `source` needs in production, found as Node finds them but beginning at `checkout`.
 * @throws {ControlError} FAILED
 */
export async function closure(source: string, checkout: string): Promise<readonly string[]> {
  const found = new Set<string>();
  const waiting: { readonly from: string; readonly needs: Package }[] = [{ from: checkout, needs: await readPackage(source) }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { from, needs } = next;
    for (const [name, optional] of [...names(needs.dependencies, false), ...names(needs.optionalDependencies, true)]) {
      const directory = await locate(name, from, checkout);
      if (directory === undefined) {
        if (optional || name in (needs.optionalDependencies ?? {})) continue;
        throw new ControlError('FAILED', `the demo's application needs the package '${name}', which is not installed in ${checkout}; run \`npm ci\` there`);
      }
      if (found.has(directory)) continue;
      found.add(directory);
      if (found.size > packagesMax) throw new ControlError('FAILED', `the demo's application needs more than ${packagesMax} packages; is ${checkout} this project's checkout?`);
      waiting.push({ from: directory, needs: await readPackage(directory) });
    }
  }
  return [...found].toSorted();
}

function names(record: Readonly<Record<string, string>> | undefined, optional: boolean): readonly (readonly [string, boolean])[] {
  return Object.keys(record ?? {}).map((name) => [name, optional] as const);
}

async function locate(name: string, from: string, checkout: string): Promise<string | undefined> {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if ((await stat(join(candidate, 'package.json')).catch(() => undefined))?.isFile() === true) return candidate;
    if (directory === checkout || directory === dirname(directory)) return undefined;
  }
}

async function readPackage(directory: string): Promise<Package> {
  const path = join(directory, 'package.json');
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!packageFile.Check(value)) throw new ControlError('FAILED', `${path} is not a package.json as npm writes it`);
  return value;
}

/** Copies a directory; shares the blocks where the file system can. */
export async function copy(from: string, to: string, filter: (path: string) => boolean): Promise<void> {
  try {
    await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE, filter });
  } catch (cause) {
    throw new ControlError('FAILED', `cannot copy ${from} for the demo: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
