// Whether a document has the form of its schema. Every deviation becomes one problem with its place, what was found, what was
// expected and what was probably meant; what the values mean together is for the compilers.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Static, TSchema } from 'typebox';
import type { FileProblem } from './problem.ts';
import { nearest, shown } from './problem.ts';
import type { Path, SourceDocument } from './source.ts';

/** Problems of one document that are named; the rest are seen once these are gone. */
const problemsMax = 100;

/** Tells all deviations, not the first few: a file is corrected once. What is read is bounded by source.ts. */
const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });

/** A document that has been checked against its schema. */
export type Shaped<Value> = { readonly kind: 'fits'; readonly value: Value } | { readonly kind: 'differs'; readonly problems: readonly FileProblem[] };

/** Compiles a schema, once for each process. */
export function validatorOf<Schema extends TSchema>(schema: Schema): ValidateFunction<Static<Schema>> {
  return ajv.compile<Static<Schema>>(schema);
}

/** The document as its schema's type, or how it deviates. */
export function shapeOf<Value>(document: SourceDocument, validator: ValidateFunction<Value>): Shaped<Value> {
  const { value } = document;
  if (validator(value)) return { kind: 'fits', value };
  const all = validator.errors ?? [];
  // One alternative of several need not fit: what is said is what would have.
  const choices = all.filter(({ keyword }) => keyword === 'anyOf').map(({ schemaPath }) => `${schemaPath}/`);
  const told = all.filter(({ schemaPath }) => !choices.some((choice) => schemaPath.startsWith(choice)));
  // What is of the wrong type is wrong in every other way too.
  const seen = new Set<string>();
  const problems = told
    .map((deviation) => describe(document, deviation))
    .filter(({ line, column, message }) => !seen.has(`${line}:${column}:${message}`) && seen.add(`${line}:${column}:${message}`));
  return { kind: 'differs', problems: problems.slice(0, problemsMax) };
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
  const allowed = within(params, ['allowedValues']);
  const meant = typeof data === 'string' && Array.isArray(allowed) ? nearest(data, allowed.map(String)) : undefined;
  const expected = `; expected ${description(parentSchema) ?? 'something else here'}`;
  return { file, ...document.at(path), message: `found ${shown(data)}${expected}${meant === undefined ? '' : `; did you mean '${meant}'?`}${unquoted(data, parentSchema)}` };
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `'${key}' is not a known key here; ${meant === undefined ? `known are ${known.join(', ')}` : `did you mean '${meant}'?`}`;
}

/** A number where text was wanted is nearly always text without its quotes: versions above all. */
function unquoted(found: unknown, schema: unknown): string {
  const text = (typeof found === 'number' || typeof found === 'boolean') && within(schema, ['type']) === 'string';
  return text ? `; text in quotes is not read as a ${typeof found === 'number' ? 'number' : 'truth value'}` : '';
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
