// From a request that fastify has checked against an operation's schemas to the types of these very schemas.

import type { FastifyRequest } from 'fastify';
import type { BodyOf, OperationId, ParamsOf, QueryOf } from '../../proto/api/operations.ts';

/** The parts of a request that the operation's schemas describe; they were validated when this is called. */
export interface Parts<Id extends OperationId> {
  readonly params: ParamsOf<Id>;
  readonly query: QueryOf<Id>;
  readonly body: BodyOf<Id>;
}

/** Reads a validated request as the operation's. */
export function decodeCall<Id extends OperationId>(request: FastifyRequest): Parts<Id> {
  return { params: request.params as ParamsOf<Id>, query: request.query as QueryOf<Id>, body: request.body as BodyOf<Id> };
}
