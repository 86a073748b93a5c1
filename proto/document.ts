// Files that people write (configuration, deploy specs): YAML 1.2 in, a checked value out, or every problem with its
// line and column. Reading the file is the caller's.

import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { isMap, isScalar, LineCounter, parseDocument as parseYaml, type Document } from 'yaml';
import { ProtocolError } from './errors.ts';
import { nearest } from './nearest.ts';

/** Problems shown at once: a file that has more is not read to its end anyway. */
const problemsMax = 20;
/** Times that one anchor may be repeated. */
const aliasesMax = 100;

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
  const unknown = errors.flatMap((error) => (error.keyword === 'additionalProperties' ? listOf(error.params, 'additionalProperties').map((key) => ({ at: error.instancePath, key, known: propertiesAt(schema, pathOf(error)) })) : []));
  // A key that was mistyped is not missing as well.
  const mistyped = new Set(unknown.map(({ at: where, key, known }) => `${where} ${nearest(key, known)}`));
  const words = new Map<string, string[]>();
  for (const error of errors) if (error.keyword === 'const' && 'allowedValue' in error.params) words.set(error.instancePath, [...(words.get(error.instancePath) ?? []), String(error.params.allowedValue)]);
  return errors.flatMap((error) => {
    const path = pathOf(error);
    const where = path.length === 0 ? 'the document' : `'${path.join('.')}'`;
    switch (error.keyword) {
      // Of an unknown key the validator speaks twice; this is the half that says nothing.
      case 'boolean':
        return [];
      case 'additionalProperties':
        return unknown.filter(({ at: there }) => there === error.instancePath).map(({ key, known }) => ({ path: [...path, key], message: `unknown key '${key}'${suggestion(key, known)}` }));
      case 'required':
        return listOf(error.params, 'requiredProperties').filter((key) => !mistyped.has(`${error.instancePath} ${key}`)).map((key) => ({ path, message: path.length === 0 ? `'${key}' is missing` : `'${key}' is missing in ${where}` }));
      case 'enum':
        return [{ path, message: `${where} must be one of ${listOf(error.params, 'allowedValues').join(', ')}` }];
      case 'const':
        return [{ path, message: `${where} must be ${oneOf(words.get(error.instancePath) ?? [])}` }];
      case 'anyOf':
        // Where the forms differ in a word, that word is what is wrong.
        return [...words.keys()].some((one) => one === error.instancePath || one.startsWith(`${error.instancePath}/`)) ? [] : [{ path, message: `${where} has none of the forms that it may have` }];
      default:
        return [{ path, message: `${where} ${error.message}` }];
    }
  });
}

function pathOf({ instancePath }: ValidationError): readonly string[] {
  return instancePath.split('/').slice(1);
}

function listOf(params: object, name: string): readonly string[] {
  const list: unknown = Object.entries(params).find(([key]) => key === name)?.[1];
  return Array.isArray(list) ? list.map(String) : [];
}

function oneOf(words: readonly string[]): string {
  return words.length === 1 ? `'${words[0] ?? ''}'` : `one of ${[...new Set(words)].join(', ')}`;
}

/** Keys that the schema knows at a path; through unions, all of their branches'. */
function propertiesAt(schema: unknown, path: readonly string[]): readonly string[] {
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
  const meant = nearest(key, known);
  if (meant !== undefined) return `; did you mean '${meant}'?`;
  return known.length === 0 ? '' : `; known are ${known.join(', ')}`;
}
