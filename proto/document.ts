// Files that people write (configuration, deploy specs): YAML 1.2 in, a checked value out, or every problem with its
// line and column. Reading the file is the caller's.

import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { isMap, isScalar, LineCounter, parseDocument as parseYaml, type Document } from 'yaml';
import { ProtocolError } from './errors.ts';

/** Problems shown at once: a file that has more is not read to its end anyway. */
const problemsMax = 20;
/** Times that one anchor may be repeated. */
const aliasesMax = 100;
/** Letters by which a mistyped key may differ from the one that is suggested. */
const typoDistanceMax = 2;

interface Problem {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * The value of a YAML document that fits `schema`. `name` is how messages call the file.
 * @throws {ProtocolError} MALFORMED with one line for each problem: `name:line:column: what, and what was expected`.
 */
export function readDocument<const Schema extends TSchema>(text: string, name: string, schema: Schema): Static<Schema> {
  const lines = new LineCounter();
  const document = parseYaml(text, { lineCounter: lines, version: '1.2', schema: 'core', uniqueKeys: true });
  if (document.errors.length > 0) {
    throw malformed(document.errors.slice(0, problemsMax).map(({ pos, message }) => `${at(name, lines, pos[0])}: ${message.split('\n')[0] ?? ''}`));
  }
  const value = toValue(document, name);
  const validator = Compile(schema);
  if (validator.Check(value)) return value;
  const problems = describe(validator.Errors(value), schema);
  throw malformed(problems.map(({ path, message }) => `${at(name, lines, offset(document, path))}: ${message}`));
}

/** Aliases are followed, but not multiplied: a few lines could otherwise stand for gigabytes. */
function toValue(document: Document.Parsed, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax }) ?? {};
  } catch (cause) {
    throw new ProtocolError('MALFORMED', `${name}: an alias in it cannot be followed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function malformed(lines: readonly string[]): ProtocolError {
  return new ProtocolError('MALFORMED', [...new Set(lines)].slice(0, problemsMax).join('\n'));
}

function at(name: string, lines: LineCounter, position: number): string {
  const { line, col } = lines.linePos(position);
  return `${name}:${line}:${col}`;
}

/** Where the key at `path` begins, or else the deepest part of `path` that the document has. */
function offset(document: Document.Parsed, path: readonly string[]): number {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const key: unknown = parent.items.find((pair) => isScalar(pair.key) && pair.key.value === path.at(-1))?.key;
    if (isScalar(key) && key.range) return key.range[0];
  }
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      const start: unknown = node.range[0];
      if (typeof start === 'number') return start;
    }
  }
  return 0;
}

interface ValidationError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function describe(errors: readonly ValidationError[], schema: TSchema): Problem[] {
  return errors.flatMap((error) => {
    // Of an unknown key the validator speaks twice; this is the half that says nothing.
    if (error.keyword === 'boolean') return [];
    const path = error.instancePath.split('/').slice(1);
    const where = path.length === 0 ? 'the document' : `'${path.join('.')}'`;
    if (error.keyword === 'additionalProperties' && 'additionalProperties' in error.params && Array.isArray(error.params.additionalProperties)) {
      const known = propertiesAt(schema, path);
      return error.params.additionalProperties.map(String).map((key) => ({ path: [...path, key], message: `unknown key '${key}'${suggestion(key, known)}` }));
    }
    if (error.keyword === 'enum' && 'allowedValues' in error.params && Array.isArray(error.params.allowedValues)) {
      return [{ path, message: `${where} must be one of ${error.params.allowedValues.map(String).join(', ')}` }];
    }
    return [{ path, message: `${where} ${error.message}` }];
  });
}

/** Keys that the schema knows at a path; through unions, all of their branches'. */
function propertiesAt(schema: unknown, path: readonly string[]): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  if ('anyOf' in schema && Array.isArray(schema.anyOf)) return schema.anyOf.flatMap((branch: unknown) => propertiesAt(branch, path));
  const [head, ...rest] = path;
  if (head !== undefined && 'items' in schema) return propertiesAt(schema.items, rest);
  // A record: the same keys under whatever name.
  if (head !== undefined && 'patternProperties' in schema && typeof schema.patternProperties === 'object' && schema.patternProperties !== null) {
    return Object.values(schema.patternProperties).flatMap((value) => propertiesAt(value, rest));
  }
  if (!('properties' in schema) || typeof schema.properties !== 'object' || schema.properties === null) return [];
  if (head === undefined) return Object.keys(schema.properties);
  const next = Object.entries(schema.properties).find(([key]) => key === head);
  return next === undefined ? [] : propertiesAt(next[1], rest);
}

function suggestion(key: string, known: readonly string[]): string {
  const near = known.map((candidate) => ({ candidate, distance: distance(key.toLowerCase(), candidate.toLowerCase()) })).toSorted((a, b) => a.distance - b.distance)[0];
  if (near !== undefined && near.distance <= typoDistanceMax) return `; did you mean '${near.candidate}'?`;
  return known.length === 0 ? '' : `; known are ${known.join(', ')}`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
