// Schemas at the door: what comes in must fit, to the last field, and so must what goes out. An answer with a field that its
// schema does not name fails loudly instead of losing the field on the way (fastify's own serializer drops it silently).

import { Value } from 'typebox/value';
import { Compile } from 'typebox/compile';
import Type, { type TSchema } from 'typebox';
import type { FastifySchemaCompiler } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import { patternsInWords } from '../../proto/api/schema.ts';
import type { InvalidPart } from './problems.ts';

/** Problems of one request that are named; a body with more is not read by anybody. */
const problemsMax = 20;

/** Checks bodies as they are; what is text by nature (queries, paths) is first read as what the schema asks for. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const textual = httpPart === 'querystring' || httpPart === 'params' || httpPart === 'headers';
  return (value: unknown) => {
    const read: unknown = textual ? Value.Convert(schema, value) : value;
    if (validator.Check(read)) return { value: read };
    const meant = variantOf(schema, read);
    return { error: invalid(meant === undefined ? validator.Errors(read) : Compile(meant).Errors(read), httpPart) };
  };
};

/** JSON of an answer that fits its schema. @throws when it does not: that is our own mistake. */
export const serializerCompiler: FastifySerializerCompiler<TSchema> = ({ schema, method, url }) => {
  const validator = Compile(schema);
  return (data: unknown) => {
    if (validator.Check(data)) return JSON.stringify(data);
    const first = validator.Errors(data)[0];
    throw new Error(`the answer of ${method} ${url} does not fit its schema: ${first?.instancePath ?? ''} ${first?.message ?? ''}`);
  };
};

/** The one of several forms that a value names by a constant such as `use: api`: what is wrong with the others nobody wants to know. */
function variantOf(schema: TSchema, value: unknown): TSchema | undefined {
  if (!Type.IsUnion(schema) || typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const named = schema.anyOf.filter((form) => Type.IsObject(form) && Object.entries(form.properties).some(([key, field]) => Type.IsLiteral(field) && field.const === fields[key]));
  return named.length === 1 ? named[0] : undefined;
}

interface ValidationError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function invalid(found: readonly ValidationError[], httpPart: string | undefined): InvalidPart {
  const prefix = httpPart === 'querystring' ? '?' : httpPart === 'params' ? 'path:' : '';
  const seen = new Set<string>();
  const errors = found
    .flatMap((error) => describe(error))
    .map(({ pointer, detail }) => ({ pointer: prefix === '' ? pointer : `${prefix}${pointer.slice(1)}`, detail }))
    .filter(({ pointer, detail }) => !seen.has(`${pointer} ${detail}`) && seen.add(`${pointer} ${detail}`))
    .slice(0, problemsMax);
  return Object.assign(new Error('the request is not of the agreed form'), { name: 'InvalidPart', statusCode: 400, errors });
}

function describe(error: ValidationError): readonly { readonly pointer: string; readonly detail: string }[] {
  const { params, instancePath } = error;
  // Said again for each unknown field, which `additionalProperties` names.
  if (error.keyword === 'boolean') return [];
  if (error.keyword === 'additionalProperties' && 'additionalProperties' in params && Array.isArray(params.additionalProperties)) {
    return params.additionalProperties.map((key: unknown) => ({ pointer: `${instancePath}/${escaped(String(key))}`, detail: 'is not a known field' }));
  }
  if (error.keyword === 'required' && 'requiredProperties' in params && Array.isArray(params.requiredProperties)) {
    return params.requiredProperties.map((key: unknown) => ({ pointer: `${instancePath}/${escaped(String(key))}`, detail: 'is missing' }));
  }
  if (error.keyword === 'enum' && 'allowedValues' in params && Array.isArray(params.allowedValues)) {
    return [{ pointer: instancePath, detail: `must be one of ${params.allowedValues.map(String).join(', ')}` }];
  }
  // What a name may be, rather than the expression that says so.
  const rule = error.keyword === 'pattern' && 'pattern' in params ? patternsInWords.get(params.pattern) : undefined;
  if (rule !== undefined) return [{ pointer: instancePath, detail: `must be ${rule}` }];
  return [{ pointer: instancePath, detail: error.message }];
}

/** RFC 6901. */
function escaped(key: string): string {
  return key.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1');
}
