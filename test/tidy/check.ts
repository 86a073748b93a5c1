// Applies the rules of rules.ts and bans.ts to a tree of files in memory and says what breaks them, each with file, line and what to
// do. Knows no disk: tree.ts reads the repository, and tests pass small trees of their own.

import { dirname, normalize } from 'node:path/posix';
import * as bans from './bans.ts';
import type { Glob, ImportRow } from './rows.ts';
import * as rules from './rules.ts';
import { blank, imports, lineAt, type Import } from './scan.ts';

/** A tracked text file, its path from the repository's root. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One breach of a rule. */
export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly what: string;
  /** What to do instead. */
  readonly instead: string;
}

/** A code file with what the scanner made of it. */
interface Code extends SourceFile {
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Package names that package.json declares. */
interface Declared {
  readonly production: ReadonlySet<string>;
  readonly development: ReadonlySet<string>;
}

/** The line that a person reads: `path:line: what: instead`. */
export function format(breach: Breach): string {
  return `${breach.path}:${breach.line}: ${breach.what}: ${breach.instead}`;
}

/** Every breach of every rule, sorted by path and line. */
export function breaches(files: readonly SourceFile[]): readonly Breach[] {
  const code = files
    .filter((file) => anyMatches(rules.codeFiles, file.path))
    .map((file): Code => {
      const blanked = blank(file.text);
      return { ...file, code: blanked, imports: imports(file.text, blanked) };
    });
  const declared = declaredPackages(files);
  const found = [
    ...files.flatMap(forbiddenTexts),
    ...code.flatMap((file) => [
      ...shape(file),
      ...banned(file),
      ...file.imports.flatMap((each) => importBreach(file, each, declared)),
    ]),
    ...cycles(code),
  ];
  return found.toSorted((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
}

const compiled = new Map<string, RegExp>();

/** Whether `path` matches the glob: `*` within one name, `**` across folders. */
export function matches(glob: Glob, path: string): boolean {
  let pattern = compiled.get(glob);
  if (pattern === undefined) {
    const source = glob
      .replace(/[.+?^$()|[\]\\{}]/g, '\\$&')
      .replace(/\*\*\/|\*\*|\*/g, (star) => (star === '**/' ? '(?:.*/)?' : star === '**' ? '.*' : '[^/]*'));
    pattern = new RegExp(`^${source}$`);
    compiled.set(glob, pattern);
  }
  return pattern.test(path);
}

function anyMatches(globs: readonly Glob[], path: string): boolean {
  return globs.some((glob) => matches(glob, path));
}

function declaredPackages(files: readonly SourceFile[]): Declared {
  const manifest = JSON.parse(files.find((file) => file.path === 'package.json')?.text ?? '{}') as {
    readonly dependencies?: object;
    readonly devDependencies?: object;
  };
  return {
    production: new Set(Object.keys(manifest.dependencies ?? {})),
    development: new Set(Object.keys(manifest.devDependencies ?? {})),
  };
}

function forbiddenTexts(file: SourceFile): readonly Breach[] {
  const applying = bans.forbiddenTexts.filter((rule) => anyMatches(rule.files, file.path));
  return file.text.split('\n').flatMap((text, index) =>
    applying
      .filter((rule) => rule.pattern.test(text))
      .map((rule) => ({ path: file.path, line: index + 1, what: rule.what, instead: rule.instead })),
  );
}

/** Rules about a whole file: its name, its first line, its length. */
function shape({ path, text }: Code): readonly Breach[] {
  const found: Breach[] = [];
  const unkebab = path.split('/').find((name) => !/^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/.test(name));
  if (unkebab !== undefined) {
    found.push({ path, line: 1, what: `"${unkebab}" is not kebab-case`, instead: 'rename it, lower case with hyphens' });
  }
  if (!/^(?:#![^\n]*\n)?\s*\/[/*]/.test(text)) {
    const instead = 'say in 2 to 6 lines what lives here and what does not';
    found.push({ path, line: 1, what: 'does not open with a comment', instead });
  }
  const isTest = path.startsWith('test/');
  const limit = isTest ? rules.lineLimits.test : rules.lineLimits.source;
  const lines = text.replace(/\n$/, '').split('\n').length;
  if (lines > limit) {
    const instead = `split it by concept: a ${isTest ? 'test' : 'source'} file has at most ${limit}`;
    found.push({ path, line: limit + 1, what: `has ${lines} lines`, instead });
  }
  return found;
}

function banned(file: Code): readonly Breach[] {
  return bans.bans
    .filter((ban) => anyMatches(ban.within, file.path) && !anyMatches(ban.homes, file.path))
    .flatMap((ban) =>
      [...file.code.matchAll(ban.pattern)].map((match) => ({
        path: file.path,
        line: lineAt(file.code, match.index),
        what: `${ban.what} (\`${match[0].replace(/\s+/g, ' ').trim()}\`)`,
        instead: ban.instead,
      })),
    );
}

/** The repository path that a relative import names, or undefined for a package or a `node:` module. */
function resolve(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? normalize(`${dirname(from)}/${specifier}`) : undefined;
}

function importBreach(file: Code, each: Import, declared: Declared): readonly Breach[] {
  const { path } = file;
  const breach = (what: string, instead: string): readonly Breach[] => [
    { path, line: lineAt(file.code, each.offset), what, instead },
  ];
  const row = rules.importTable.find((candidate) => anyMatches(candidate.files, path));
  if (row === undefined) {
    return breach('no row of the import table covers this file', 'add one to test/tidy (rules.ts says where), or move the file');
  }
  const target = resolve(path, each.specifier);
  if (target !== undefined) {
    if (anyMatches(row.may, target)) return [];
    if (!anyMatches(row.mayType, target)) return breach(`may not import ${target}`, row.instead);
    return each.typeOnly ? [] : breach(`may import ${target} only by \`import type\``, row.instead);
  }
  if (each.specifier.startsWith('node:')) {
    if (!row.node) return breach(`may not import ${each.specifier}`, row.instead);
    const ban = bans.bannedModules.find((rule) => rule.module.test(each.specifier));
    if (ban === undefined || !isFloor(path) || anyMatches(ban.homes, path)) return [];
    return breach(`may not import ${each.specifier}`, ban.instead);
  }
  return packageBreach(path, each, row, declared).flatMap(([what, instead]) => breach(what, instead));
}

function packageBreach(path: string, each: Import, row: ImportRow, declared: Declared): readonly [string, string][] {
  const name = each.specifier.split('/', each.specifier.startsWith('@') ? 2 : 1).join('/');
  if (row.packages !== 'declared' && !row.packages.includes(name)) return [[`may not import ${name}`, row.instead]];
  if (declared.production.has(name)) return [];
  if (!declared.development.has(name)) return [[`imports ${name}, which package.json does not name`, 'declare it there']];
  if (anyMatches(rules.developmentFiles, path)) return [];
  return [[`imports ${name}, a development dependency`, 'move it to dependencies in package.json']];
}

function isFloor(path: string): boolean {
  return /^(?:proto|daemon|control)\//.test(path);
}

/** Cycles between files, one breach each, at the import that closes it. Types count: readers follow them too. */
function cycles(code: readonly Code[]): readonly Breach[] {
  const byPath = new Map(code.map((file) => [file.path, file]));
  const done = new Set<string>();
  const trail: string[] = [];
  const found: Breach[] = [];
  const visit = (file: Code): void => {
    trail.push(file.path);
    for (const each of file.imports) {
      const target = resolve(file.path, each.specifier);
      const next = target === undefined ? undefined : byPath.get(target);
      if (next === undefined || done.has(next.path)) continue;
      const start = trail.indexOf(next.path);
      if (start === -1) {
        visit(next);
      } else {
        found.push({
          path: file.path,
          line: lineAt(file.code, each.offset),
          what: `closes a cycle: ${[...trail.slice(start), next.path].join(' → ')}`,
          instead: 'move what they share to a file that imports neither',
        });
      }
    }
    trail.pop();
    done.add(file.path);
  };
  for (const file of code) if (!done.has(file.path)) visit(file);
  return found;
}
