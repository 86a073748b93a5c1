// What a promotion would do: the answer of a dry run. Nothing is made by asking.

import Type, { type Static } from 'typebox';
import { limits } from '../limits.ts';
import { BlockerSchema, Count, DigestText, Id, Instant, Name, oneOf, strict } from './schema.ts';

export const bytesBases = ['runs-it', 'measured', 'uploads', 'whole'] as const;
const Milliseconds = Type.Number({ minimum: 0 });

/** One batch. */
const BatchForecastSchema = Type.Object(
  {
    name: Type.Optional(Type.String()),
    canary: Type.Optional(Type.Literal(true)),
    targets: Count,
    /** Names of its first targets. */
    first: Type.Array(Type.String(), { maxItems: limits.pageItemsMax }),
    /** Until its last target has come to an end; absent when nothing tells. */
    activeMs: Type.Optional(Milliseconds),
    bakeMs: Milliseconds,
    /** A person must say that it goes on after it. */
    pause: Type.Optional(Type.Literal(true)),
    /** The workflow that looks at it, and the samples that its bake must see: no time tells how long these take. */
    verify: Type.Optional(Type.String()),
    samples: Type.Optional(Count),
  },
  strict,
);

/** The deployment of one application. */
const LegSchema = Type.Object(
  {
    app: Name,
    type: Type.String(),
    to: Type.Object({ revision: DigestText, number: Count }, strict),
    from: Type.Optional(Type.Object({ revision: DigestText, number: Count }, strict)),
    targets: Count,
    batches: Type.Array(BatchForecastSchema),
    /** From the start to the end, without pauses and closed windows; absent when nothing was deployed here that would tell. */
    totalMs: Type.Optional(Milliseconds),
    /** Deployments that the times rest on. */
    timesFrom: Type.Array(Id),
    bytes: Type.Object(
      {
        /** Targets that run the same, most first. */
        groups: Type.Array(
          Type.Object(
            {
              from: Type.Optional(Count),
              targets: Count,
              /** What one of them would fetch. */
              bytesEach: Count,
              basis: oneOf(bytesBases, 'runs-it: nothing to fetch; measured: the median of what targets fetched for the same change before; uploads: what was uploaded of the revisions between; whole: all of it, at most'),
              evidence: Type.Optional(Id),
            },
            strict,
          ),
        ),
        total: Count,
        /** Of these, what would leave seeds and proxies, by the newest receipt here. */
        origin: Type.Optional(Count),
        originFrom: Type.Optional(Id),
      },
      strict,
    ),
  },
  strict,
);

export const ForecastSchema = Type.Object(
  {
    environment: Name,
    at: Instant,
    /** What would hold it; empty: it would start at once. */
    blockers: Type.Array(BlockerSchema),
    nextCheckAt: Type.Optional(Instant),
    /** Gates that it would go past, and why. */
    exemptions: Type.Array(Type.Object({ gate: Type.String(), why: Type.String() }, strict)),
    /** One for each application that it would change, in the order in which they go. */
    legs: Type.Array(LegSchema),
    supersedes: Type.Array(Id),
    /** Promotion configurations whose automation it would put on hold, and let go again. */
    holds: Type.Array(Type.String()),
    releases: Type.Array(Type.String()),
  },
  strict,
);
export type Forecast = Static<typeof ForecastSchema>;
