// Where what came over the network gets its type: the server sends nothing that its schemas do not allow, and it is the one that this
// page came from, so that a name is all that is checked here.

import type { OperationId, ReplyOf } from '../../proto/api/operations.ts';
import type { Problem } from '../../proto/api/schema.ts';

/** The answer of an operation, with `reply` undefined where there is no body; undefined when it is something else, such as the page of a proxy in between. */
export function decodeReply<Id extends OperationId>(text: string): { readonly reply: ReplyOf<Id> } | undefined {
  try {
    return { reply: (text === '' ? undefined : JSON.parse(text)) as ReplyOf<Id> };
  } catch {
    return undefined;
  }
}

/** A problem document, or undefined when it is something else, such as the page of a proxy in between. */
export function decodeProblem(text: string): Problem | undefined {
  try {
    const document = JSON.parse(text) as Partial<Problem> | null;
    return typeof document?.code === 'string' && typeof document.detail === 'string' ? (document as Problem) : undefined;
  } catch {
    return undefined;
  }
}
