// What is known of a revision beside its content: the changes in it, its priority, its tests, what it needs, what it fits.

import Type, { type Static } from 'typebox';
import { RevisionSchema } from './apps.ts';
import { VetoSchema } from './restraints.ts';
import { Count, Instant, Name, Reason, strict } from './schema.ts';

/** One change that a revision brought. */
export const ChangeSchema = Type.Object(
  { commit: Type.String({ minLength: 1, maxLength: 128 }), author: Type.String({ minLength: 1, maxLength: 256 }), message: Type.String({ maxLength: 4096 }), checkedInAt: Instant },
  strict,
);
export type Change = Static<typeof ChangeSchema>;

const TestsSchema = Type.Object({ passed: Count, total: Count, score: Type.Optional(Type.Number()) }, strict);
const RequirementSchema = Type.Object({ node: Name, version: Type.String({ minLength: 1, maxLength: 128 }) }, strict);
/** Large applications are built of a thousand packages; a request has a mebibyte. */
const closureMax = 2_000;
const Text = Type.String({ minLength: 1, maxLength: 256 });
const Closure = Type.Array(Type.Object({ name: Text, version: Text, digest: Type.Optional(Text) }, strict), { maxItems: closureMax });
const Compat = Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 64 });

/** What a build or a test run tells; each part replaces what was known of it before. */
export const DescribeRevisionSchema = Type.Object(
  {
    changes: Type.Optional(Type.Array(ChangeSchema, { maxItems: 500 })),
    tests: Type.Optional(TestsSchema),
    compat: Type.Optional(Compat),
    requires: Type.Optional(Type.Array(RequirementSchema, { maxItems: 64 })),
    /** Everything that it was built of. */
    closure: Type.Optional(Closure),
  },
  { ...strict, minProperties: 1 },
);
export type DescribeRevision = Static<typeof DescribeRevisionSchema>;

export const PrioritySchema = Type.Object({ priority: Type.Integer({ minimum: -1000, maximum: 1000 }), reason: Type.Optional(Reason) }, strict);

export const RevisionDetailSchema = Type.Object(
  {
    ...RevisionSchema.properties,
    changes: Type.Array(ChangeSchema),
    priority: Type.Integer(),
    tests: Type.Optional(TestsSchema),
    compat: Compat,
    requires: Type.Array(RequirementSchema),
    closure: Closure,
    /** Keys whose signatures over it were verified. */
    signedBy: Type.Array(Type.String()),
    expired: Type.Boolean(),
    vetoes: Type.Array(VetoSchema),
    /** Environments that run it now. */
    runsIn: Type.Array(Name),
  },
  strict,
);
export type RevisionDetail = Static<typeof RevisionDetailSchema>;

/** From one revision of an application to another. What changed in its files is known where its chunks are, not here. */
export const RevisionDiffSchema = Type.Object(
  {
    app: Name,
    from: RevisionSchema,
    to: RevisionSchema,
    /** Of every revision after the older one up to the newer one, newest first. */
    changes: Type.Array(Type.Object({ ...ChangeSchema.properties, number: Count }, strict)),
    /** Whether the changes are taken back: `to` is older than `from`. */
    backwards: Type.Boolean(),
    bytes: Type.Integer(),
    chunks: Type.Integer(),
    entries: Type.Integer(),
    requires: Type.Array(Type.Object({ node: Name, from: Type.Optional(Type.String()), to: Type.Optional(Type.String()) }, strict)),
    /** What it is built of now and was not, or no longer, by name; several versions of one are joined by a comma. */
    closure: Type.Array(Type.Object({ name: Type.String(), from: Type.Optional(Type.String()), to: Type.Optional(Type.String()) }, strict)),
  },
  strict,
);
export type RevisionDiff = Static<typeof RevisionDiffSchema>;
export const DiffQuerySchema = Type.Object({ from: Type.String({ minLength: 1, maxLength: 192 }) }, strict);
