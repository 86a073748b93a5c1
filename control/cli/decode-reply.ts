// From the text of an answer to the value that its operation promises. Fields that a newer server added are kept and not minded;
// a missing or wrong one means that this is another server than we think.

import { Compile, type Validator } from 'typebox/compile';
import { Clean } from 'typebox/value';
import { operations, type OperationId, type ReplyOf } from '../../proto/api/operations.ts';
import type { TSchema } from 'typebox';
import { ControlError } from '../errors.ts';

const validators = new Map<OperationId, Validator>();

/** @throws {ControlError} FAILED when it is not JSON, or not the promised value. */
export function decodeReply<Id extends OperationId>(id: Id, text: string, origin: string): ReplyOf<Id> {
  const schema: TSchema | undefined = 'reply' in operations[id] ? operations[id].reply : undefined;
  if (schema === undefined) return undefined as ReplyOf<Id>;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ControlError('FAILED', `${origin} answered ${operations[id].path} with something that is not JSON; is this the URL of a control plane?`, { cause });
  }
  const validator = validators.get(id) ?? Compile(schema);
  validators.set(id, validator);
  const cleaned = Clean(schema, structuredClone(value));
  if (!validator.Check(cleaned)) {
    const [first] = validator.Errors(cleaned);
    throw new ControlError('FAILED', `${origin} answered ${operations[id].path} in another form than version 1 of the API: ${first === undefined ? 'unknown' : `'${first.instancePath || '/'}' ${first.message}`}; is this the URL of a control plane, not of a daemon, and is this program as new?`);
  }
  return value as ReplyOf<Id>;
}
