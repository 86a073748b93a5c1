// The JSON Schemas of the kinds of files as text, for editors (`# yaml-language-server: $schema=…`) and other programs.

import { PipelineSchema } from './schema.ts';

/** By kind. */
export const fileSchemas: ReadonlyMap<string, string> = new Map([['Pipeline', JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...PipelineSchema }, undefined, 2)]]);
