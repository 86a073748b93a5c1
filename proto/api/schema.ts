// Small schemas that the resources of /v1 share, and the form of every error. The resources are in the files beside this one.

import Type, { type Static, type TObject, type TSchema } from 'typebox';
import { limits } from '../limits.ts';

/** No resource has fields that its schema does not name, in either direction. */
export const strict = { additionalProperties: false } as const;

const nameRule = { pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$', description: 'lower-case letters, digits and inner hyphens, at most 64' } as const;
export const Name = Type.String(nameRule);
/** What a pattern demands, in words, where there are any: for whoever sent something else. */
export const patternsInWords: ReadonlyMap<unknown, string> = new Map([[nameRule.pattern, nameRule.description]]);
/** An id that the control plane gave. */
export const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$' });
export const DigestText = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'sha2-256 in hex' });
/** Milliseconds since 1970. */
export const Instant = Type.Integer({ minimum: 0, description: 'milliseconds since 1970' });
export const Count = Type.Integer({ minimum: 0 });
/** A sentence that people write. */
export const Reason = Type.String({ minLength: 1, maxLength: 1024 });
export const LabelsSchema = Type.Record(Type.String({ pattern: '^[a-z0-9./-]{1,64}$' }), Type.String({ maxLength: 64 }), { maxProperties: limits.labelsMax });

/** A member of a closed set of words, with the type of its words. */
export function oneOf<const Words extends readonly string[]>(words: Words, description?: string) {
  return Type.Unsafe<Words[number]>(Type.String({ enum: [...words], ...(description === undefined ? {} : { description }) }));
}

/** Where to read on, and how much. The cursor is opaque: what a page said in `next`, or nothing. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageItemsMax, description: 'items of a page; default 100' })),
  cursor: Type.Optional(Type.String({ maxLength: 512, description: '`next` of the page before' })),
} as const;
export const PageQuerySchema = Type.Object(pageQuery, strict);
export type PageQuery = Static<typeof PageQuerySchema>;

/** Items of a page when the caller does not say. */
export const pageItemsDefault = 100;

/** One page of a list. `next` is absent on the last; `Link: <…>; rel="next"` says the same. */
export function page<Item extends TSchema>(item: Item): TObject<{ items: ReturnType<typeof Type.Array<Item>>; next: ReturnType<typeof Type.Optional<ReturnType<typeof Type.String>>> }> {
  return Type.Object({ items: Type.Array(item, { maxItems: limits.pageItemsMax }), next: Type.Optional(Type.String()) }, strict);
}

/** Why a promotion waits (control-plane.md, section 1.4). `type` is of control/core's closed set; readers must bear new ones. */
export const BlockerSchema = Type.Object(
  {
    type: Type.String(),
    reason: Type.String(),
    since: Instant,
    until: Type.Optional(Instant),
    ref: Type.Optional(Type.String()),
    /** Who can end it: people by name, `group:<name>`, or whoever has a scope such as `promote:env/prod`. Absent: nobody need. */
    actors: Type.Optional(Type.Array(Type.String())),
  },
  strict,
);
export type Blocker = Static<typeof BlockerSchema>;

/**
 * Stable codes of problems, each with the HTTP status that it always has. Closed: a new problem is a new code.
 * The command line's exit codes follow from them (control/cli/exit.ts).
 */
export const problemStatuses = {
  INVALID_REQUEST: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  TIMED_OUT: 408,
  CONFLICT: 409,
  /** A gate holds it: `blockers` says which. */
  BLOCKED: 409,
  /** The first request with this Idempotency-Key has not ended yet. */
  IN_PROGRESS: 409,
  /** If-Match names a version that is not the current one. */
  PRECONDITION: 412,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  /** This Idempotency-Key came with another request before. */
  KEY_REUSED: 422,
  /** If-Match is missing. */
  PRECONDITION_REQUIRED: 428,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  SIGNING_FAILED: 500,
  STORAGE_FAILED: 503,
  UNAVAILABLE: 503,
} as const;
export type ProblemCode = keyof typeof problemStatuses;

/** The body of every answer from 400 up, as `application/problem+json` (RFC 9457). */
export const ProblemSchema = Type.Object(
  {
    /** `urn:starling:problem:` and the code in lower case with hyphens. */
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.String(),
    /** A sentence for people: what was wrong, what was expected, what to do. */
    detail: Type.String(),
    /** The request's id, as in the control plane's log. */
    instance: Type.Optional(Type.String()),
    /** For INVALID_REQUEST: what is wrong where; `pointer` is a JSON pointer into the body, `?name` of the query, or empty. */
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }, strict))),
    blockers: Type.Optional(Type.Array(BlockerSchema)),
    /** Seconds after which to try again; the Retry-After header says the same. */
    retryAfter: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  strict,
);
export type Problem = Static<typeof ProblemSchema>;
