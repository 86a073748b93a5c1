// Whether a document has the form of its schema. Every deviation becomes one problem with its place, what was found, what was
// expected and what was probably meant; what the values mean together is for the compilers.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Static, TSchema } from 'typebox';
import { nearest } from '../../proto/nearest.ts';
import type { FileProblem } from './problem.ts';
import { shown } from './problem.ts';
import type { Path, SourceDocument } from './source.ts';

/** Problems of one document that are named; the rest are seen once these are gone. */
const problemsMax = 100;

/** Tells all deviations, not the first few: a file is corrected once. What is read is bounded by source.ts. */
const options = { allErrors: true, verbose: true, strict: false } as const;

/** A document that has been checked against its schema. */
export type Shaped<Value> = { readonly kind: 'fits'; readonly value: Value } | { readonly kind: 'differs'; readonly problems: readonly FileProblem[] };

/** Compiles a schema when it is first asked for: that takes as long as all else at the start of a command, and few commands read such files. */
export function validatorOf<Schema extends TSchema>(schema: Schema): () => ValidateFunction<Static<Schema>> {
  let compiled: ValidateFunction<Static<Schema>> | undefined;
  return () => (compiled ??= new Ajv(options).compile<Static<Schema>>(schema));
}

/** The document as its schema's type, or how it deviates. */
export function shapeOf<Value>(document: SourceDocument, validator: ValidateFunction<Value>): Shaped<Value> {
  const { value } = document;
  if (validator(value)) return { kind: 'fits', value };
  const all = validator.errors ?? [];
  const told = withoutMistyped(withoutAlternatives(all));
  // What is of the wrong type is wrong in every other way too.
  const seen = new Set<string>();
  const problems = told
    .map((deviation) => describe(document, deviation))
    .filter(({ line, column, message }) => !seen.has(`${line}:${column}:${message}`) && seen.add(`${line}:${column}:${message}`));
  return { kind: 'differs', problems: problems.slice(0, problemsMax) };
}

/** A key that was mistyped is not missing as well: of the two, what was written is named. */
function withoutMistyped(all: readonly ErrorObject[]): readonly ErrorObject[] {
  const meant = new Set(
    all.flatMap(({ keyword, instancePath, params, parentSchema }) => (keyword === 'additionalProperties' ? [`${instancePath} ${nearest(String(within(params, ['additionalProperty'])), keysOf(within(parentSchema, ['properties'])))}`] : [])),
  );
  return all.filter(({ keyword, instancePath, params }) => keyword !== 'required' || !meant.has(`${instancePath} ${String(within(params, ['missingProperty']))}`));
}

/** One alternative of several need not fit. What is said is what would have; where only one has the form at hand, how that differs. */
function withoutAlternatives(all: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = all.filter(({ keyword }) => keyword === 'anyOf');
  const meant = new Map(choices.map((choice) => [choice, meantBy(choice)]));
  return all.filter((deviation) => {
    if (meant.get(deviation) !== undefined) return false;
    return choices.every((choice) => {
      const inside = deviation !== choice && deviation.schemaPath.startsWith(`${choice.schemaPath}/`) && deviation.instancePath.startsWith(choice.instancePath);
      return !inside || deviation.schemaPath.startsWith(`${choice.schemaPath}/${meant.get(choice)}/`);
    });
  });
}

/** The place of the one alternative for a mapping or a list, whichever was found; undefined when there are several, or none. */
function meantBy({ parentSchema, data }: ErrorObject): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const choices = within(parentSchema, ['anyOf']);
  const fitting = (Array.isArray(choices) ? choices : []).flatMap((choice, index) => (within(choice, ['type']) === (Array.isArray(data) ? 'array' : 'object') ? [index] : []));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function describe(document: SourceDocument, { keyword, instancePath, params, parentSchema, data }: ErrorObject): FileProblem {
  const { file, value } = document;
  const path = pathOf(instancePath, value);
  const keys = keysOf(within(parentSchema, ['properties']));
  if (keyword === 'additionalProperties') {
    const key = String(within(params, ['additionalProperty']));
    return { file, ...document.atKey([...path, key]), message: unknownKey(key, keys) };
  }
  if (keyword === 'required') {
    const key = String(within(params, ['missingProperty']));
    const expected = description(within(parentSchema, ['properties', key]));
    return { file, ...document.at(path), message: `'${key}' is missing${expected === undefined ? '' : `; expected ${expected}`}` };
  }
  const allowed = wordsOf(parentSchema);
  const meant = typeof data === 'string' && allowed.length > 1 ? nearest(data, allowed) : undefined;
  const expected = `; expected ${description(parentSchema) ?? 'something else here'}`;
  return { file, ...document.at(path), message: `found ${shown(data)}${expected}${meant === undefined ? '' : `; did you mean '${meant}'?`}${unquoted(data, parentSchema)}` };
}

/** The words of which a schema takes one, alone or beside other forms. */
function wordsOf(schema: unknown): readonly string[] {
  const [words, choices] = [within(schema, ['enum']), within(schema, ['anyOf'])];
  return [...(Array.isArray(words) ? words.map(String) : []), ...(Array.isArray(choices) ? choices.flatMap(wordsOf) : [])];
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `'${key}' is not a known key here; ${meant === undefined ? `known are ${known.join(', ')}` : `did you mean '${meant}'?`}`;
}

/** A number where text was wanted is nearly always text without its quotes: versions above all. */
function unquoted(found: unknown, schema: unknown): string {
  const text = (typeof found === 'number' || typeof found === 'boolean') && within(schema, ['type']) === 'string';
  const [pattern, words] = [within(schema, ['pattern']), within(schema, ['enum'])];
  const fits = words === undefined && (typeof pattern !== 'string' || new RegExp(pattern).test(String(found)));
  return text && fits ? `; text in quotes is not read as a ${typeof found === 'number' ? 'number' : 'truth value'}` : '';
}

function description(schema: unknown): string | undefined {
  const text = within(schema, ['description']);
  return typeof text === 'string' ? text : undefined;
}

function pathOf(pointer: string, value: unknown): Path {
  const path: (string | number)[] = [];
  for (const part of pointer.split('/').slice(1).map(unescaped)) path.push(Array.isArray(within(value, path)) ? Number(part) : part);
  return path;
}

/** The value at the end of `path`; undefined when there is none. */
export function within(value: unknown, path: Path): unknown {
  let node = value;
  for (const step of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, step)) return undefined;
    node = Object.entries(node).find(([key]) => key === String(step))?.[1];
  }
  return node;
}

function keysOf(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
