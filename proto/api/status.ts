// The summary that `starling status` shows, and the events of /v1/events.

import Type, { type Static } from 'typebox';
import { DeploymentSummarySchema } from './deployments.ts';
import { EnvironmentSchema } from './environments.ts';
import { Count, DigestText, Instant, Name, strict } from './schema.ts';

export const StatusSchema = Type.Object(
  {
    org: Type.String(),
    version: Type.String(),
    now: Instant,
    startedAt: Instant,
    /** Sequence number of the newest journal entry in this answer: where /v1/events?since= goes on. */
    asOf: Count,
    publicUrl: Type.String(),
    /** sha2-256 of 1.root.json: what `starlingd join` pins. */
    rootDigest: DigestText,
    /** Whether the trust root was made with development keys, on the control plane's own disk. */
    developmentKeys: Type.Boolean(),
    apps: Count,
    /** Members by role and how many of them are online. */
    members: Type.Object({ agents: Count, seeds: Count, proxies: Count, online: Count }, strict),
    environments: Type.Array(
      Type.Object({ ...EnvironmentSchema.properties, deployment: Type.Optional(DeploymentSummarySchema) }, strict),
    ),
  },
  strict,
);
export type Status = Static<typeof StatusSchema>;

/** Where to begin: entries above `since`. A `Last-Event-ID` header, which browsers send, has precedence. */
export const EventsQuerySchema = Type.Object({ since: Type.Optional(Type.Integer({ minimum: 0, description: 'default: only what is new' })) }, strict);

/**
 * The data of one server-sent event: CloudEvents 1.0 in JSON. `id` and the SSE id are the journal's sequence number;
 * `type` is `dev.starling.<kind of proto/events.ts>.v1`; `data` is that event without secrets' digests and large documents.
 * Two more SSE events have no such data: `snapshot-end` (`{"seq":n}`: what was on record is sent, what follows is live)
 * and `reset` (`{"seq":n}`: the log does not go back that far, or is shorter than `since`; read everything again).
 */
export const StreamEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String(),
    source: Type.String(),
    type: Type.String(),
    subject: Type.Optional(Type.String()),
    /** RFC 3339. */
    time: Type.String(),
    datacontenttype: Type.Literal('application/json'),
    /** The same as `id`, as a number. */
    sequence: Count,
    /** `token:<id>`, `member:<id>` or `system`. */
    actor: Type.String(),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  strict,
);
export type StreamEvent = Static<typeof StreamEventSchema>;

/** What /healthz and /readyz answer. */
export const HealthSchema = Type.Object({ status: Type.String(), checks: Type.Optional(Type.Record(Name, Type.String())) }, strict);
export type Health = Static<typeof HealthSchema>;
