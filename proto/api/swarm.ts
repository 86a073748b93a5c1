// How the bytes of deployments travelled: the receipt of one, the map of the fleet, and how far a revision has spread.

import Type, { type Static } from 'typebox';
import { RatesSchema } from '../fleet.ts';
import { limits } from '../limits.ts';
import { deploymentPhases } from './deployments.ts';
import { connectivities } from './targets.ts';
import { Count, DigestText, Id, Instant, Name, oneOf, pageQuery, strict } from './schema.ts';

/** Who sent, and how much. */
const LinkSchema = Type.Object({ member: Type.String(), name: Type.String(), bytes: Count }, strict);
const Feeders = Type.Array(LinkSchema, { maxItems: limits.transferFeedersMax });

/**
 * Why a target took as long as it did, by its own numbers: it began late; its own cap; its disk; it had nobody to ask, since neighbours were struck,
 * since the origin had not given it out yet, or since few held it; or bytes were on their way all the time.
 */
export const slownessCauses = ['started-late', 'rate-cap', 'disk', 'struck-neighbours', 'waiting-for-origin', 'few-holders', 'downlink', 'unknown'] as const;

const bytes = {
  /** From seeds and proxies. */
  originBytes: Count,
  /** From other targets. */
  peerBytes: Count,
  /** From the target's own disk. */
  reusedBytes: Count,
  /** For nothing: duplicates, corrupt chunks. */
  wastedBytes: Count,
  /** Of origin and peers: as deltas, and what these saved. */
  deltaBytes: Count,
  savedBytes: Count,
  /** Of peers: of the target's own zone. */
  zonePeerBytes: Count,
  /** Of origin and peers: from other zones. */
  crossZoneBytes: Count,
};

/** One target's part in a receipt. */
export const ReceiptTargetSchema = Type.Object(
  {
    member: Type.String(),
    name: Type.String(),
    zone: Type.String(),
    phase: Type.String(),
    /** `fetched` when it has said what it fetched. */
    state: oneOf(['fetched', 'fetching', 'silent']),
    ...bytes,
    /** By the control plane's clock: when its report came, and as much earlier as it says that the fetch took. */
    startedAt: Type.Optional(Instant),
    finishedAt: Type.Optional(Instant),
    durationMs: Type.Optional(Count),
    cause: Type.Optional(oneOf(slownessCauses)),
    /** The figures that the cause rests on, in a sentence. */
    detail: Type.Optional(Type.String()),
    from: Feeders,
  },
  strict,
);
export type ReceiptTarget = Static<typeof ReceiptTargetSchema>;

/** A deployment's time against what no distribution could beat, and where its bytes came from. `targets` come a page at a time. */
export const ReceiptSchema = Type.Object(
  {
    deployment: Id,
    environment: Name,
    app: Name,
    number: Type.Integer({ minimum: 1 }),
    to: DigestText,
    phase: oneOf(deploymentPhases),
    targets: Type.Object({ total: Count, fetched: Count, fetching: Count, silent: Count }, strict),
    bytes: Type.Object(bytes, strict),
    /** F: the most that any one target fetched; what copies are measured in. */
    fetchBytes: Count,
    /** Copies of F that left seeds and proxies; absent when nothing was fetched. */
    originCopies: Type.Optional(Type.Number({ minimum: 0 })),
    /** Copies of F that crossed the border of a zone. At best one less than `zones`, when the origin is in one of them. */
    crossZoneCopies: Type.Optional(Type.Number({ minimum: 0 })),
    zones: Count,
    /** What targets brought one another, so that the origin need not. */
    savedEgressBytes: Count,
    time: Type.Object(
      {
        /** From the first fetch's beginning to the last one's end. */
        startedAt: Type.Optional(Instant),
        finishedAt: Type.Optional(Instant),
        durationMs: Type.Optional(Count),
        /** The fluid bound: the largest of its terms that can be told from the rates that members declare. Absent when none can. */
        boundMs: Type.Optional(Count),
        /** Which term that is. */
        boundBy: Type.Optional(oneOf(['origin-uplink', 'downlink', 'all-uplinks'])),
        /** Time over bound. */
        ratio: Type.Optional(Type.Number({ minimum: 0 })),
        /** Terms that could not be told, and why. */
        unknown: Type.Array(Type.String(), { maxItems: 3 }),
      },
      strict,
    ),
    /** The target that was done last, with why. */
    slowest: Type.Optional(ReceiptTargetSchema),
    /** Who sent most, over all targets. */
    feeders: Type.Array(Type.Object({ member: Type.String(), name: Type.String(), origin: Type.Boolean(), bytes: Count, targets: Count }, strict), { maxItems: 16 }),
    items: Type.Array(ReceiptTargetSchema, { maxItems: limits.pageItemsMax }),
    next: Type.Optional(Type.String()),
  },
  strict,
);
export type Receipt = Static<typeof ReceiptSchema>;

/** One member on the map. Its links are those of the newest deployments of its environments. */
export const MapMemberSchema = Type.Object(
  {
    member: Type.String(),
    name: Type.String(),
    roles: Type.Array(oneOf(['agent', 'seed', 'proxy'])),
    zone: Type.String(),
    environments: Type.Array(Name),
    connectivity: oneOf(connectivities),
    /** Bytes a second that it declares. */
    rates: RatesSchema,
    /** A fetch under way. */
    fetching: Type.Optional(Type.Object({ deployment: Type.String(), haveBytes: Count, totalBytes: Count }, strict)),
    /** What it sent to how many, as far as these named it among those that sent most. */
    fed: Type.Object({ bytes: Count, targets: Count }, strict),
    from: Feeders,
  },
  strict,
);
export type MapMember = Static<typeof MapMemberSchema>;

export const MapZoneSchema = Type.Object({ zone: Type.String(), agents: Count, seeds: Count, online: Count }, strict);
export type MapZone = Static<typeof MapZoneSchema>;

/** The fleet as the swarm sees it: a page of members by zone and name; zones and their links whole on each page. */
export const SwarmMapSchema = Type.Object(
  {
    zones: Type.Array(MapZoneSchema, { maxItems: limits.pageItemsMax }),
    /** Bytes from zone to zone in the newest deployments, most first, as far as targets named who sent them. */
    links: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), bytes: Count }, strict), { maxItems: limits.pageItemsMax }),
    items: Type.Array(MapMemberSchema, { maxItems: limits.pageItemsMax }),
    next: Type.Optional(Type.String()),
  },
  strict,
);
export type SwarmMap = Static<typeof SwarmMapSchema>;

/** How far a revision has spread in one zone. */
export const CoverageZoneSchema = Type.Object(
  {
    zone: Type.String(),
    /** Of the environments that run the application. */
    targets: Count,
    /** Targets that hold every chunk. */
    holding: Count,
    fetching: Count,
    /** Whole copies in the zone: targets that hold it, and seeds. */
    copies: Count,
  },
  strict,
);
export type CoverageZone = Static<typeof CoverageZoneSchema>;

/** A page of zones by name, and the sums of all. */
export const CoverageSchema = Type.Object(
  {
    app: Name,
    number: Type.Integer({ minimum: 1 }),
    revision: DigestText,
    environment: Type.Optional(Name),
    targets: Count,
    holding: Count,
    fetching: Count,
    seeds: Count,
    /** Holding over targets; 0 when there is none. */
    fraction: Type.Number({ minimum: 0, maximum: 1 }),
    /** The fewest copies that any zone with targets has. */
    copiesMin: Count,
    items: Type.Array(CoverageZoneSchema, { maxItems: limits.pageItemsMax }),
    next: Type.Optional(Type.String()),
  },
  strict,
);
export type Coverage = Static<typeof CoverageSchema>;

/** `revision`: `web@latest`, `web@41`, a digest in hex or a CID. */
export const CoverageQuerySchema = Type.Object(
  { ...pageQuery, revision: Type.String({ minLength: 1, maxLength: 256, description: 'web@latest, web@41, web@ALIAS, a digest or a CID' }), environment: Type.Optional(Name) },
  strict,
);

/** A member that has a revision's content, as far as is known: seeds and proxies keep what was pushed, targets said what they hold. */
export const LocationSchema = Type.Object(
  {
    member: Type.String(),
    name: Name,
    role: oneOf(['agent', 'seed', 'proxy']),
    zone: Type.String(),
    has: oneOf(['keeps', 'runs', 'holds', 'fetching']),
    connectivity: oneOf(connectivities),
  },
  strict,
);
export type Location = Static<typeof LocationSchema>;
